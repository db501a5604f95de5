{{/*
What the datastores' charts share: a StatefulSet's Services, claims, budget, and what its pods have. Whoever uses it says
what part it is (database, broker, search).
*/}}

{{/*
Two Services: `<release>` for clients, and the headless `<release>-nodes`, which names each pod. The latter knows pods
before they are ready, because they have to find each other to become so. Takes a list: context, part, ports for
clients, ports for all (lists of {name, port}).
*/}}
{{- define "lib.store.services" -}}
{{- $root := index . 0 -}}{{- $of := list $root (index . 1) -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "lib.metadata" $of | nindent 2 }}
spec:
  type: ClusterIP
  selector:
    {{- include "lib.selector" $of | nindent 4 }}
  ports:
    {{- include "lib.store.ports" (index . 2) | nindent 4 }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ $root.Release.Name }}-nodes
  namespace: {{ $root.Release.Namespace | quote }}
  labels:
    {{- include "lib.labels" $of | nindent 4 }}
spec:
  type: ClusterIP
  clusterIP: None
  publishNotReadyAddresses: true
  selector:
    {{- include "lib.selector" $of | nindent 4 }}
  ports:
    {{- include "lib.store.ports" (index . 3) | nindent 4 }}
{{- end }}

{{- define "lib.store.ports" -}}
{{- range . }}
- name: {{ .name }}
  port: {{ .port }}
  targetPort: {{ .name }}
  protocol: TCP
{{- end }}
{{- end }}

{{/*
The fields of a StatefulSet's spec that do not depend on what runs in it. Pods start all at once: they need each other,
and a pod that cannot start is replaced by a corrected one (in order, Kubernetes would wait for the broken one for ever).
Takes a list: context, part.
*/}}
{{- define "lib.store.set" -}}
{{- $root := index . 0 -}}
serviceName: {{ $root.Release.Name }}-nodes
podManagementPolicy: Parallel
revisionHistoryLimit: 3
updateStrategy:
  type: RollingUpdate
selector:
  matchLabels:
    {{- include "lib.selector" . | nindent 4 }}
persistentVolumeClaimRetentionPolicy:
  whenDeleted: {{ $root.Values.storage.retain | ternary "Retain" "Delete" }}
  # Fewer pods are no wish that data goes.
  whenScaled: Retain
volumeClaimTemplates:
  - metadata:
      name: data
      labels:
        {{- include "lib.store.claimLabels" . | nindent 8 }}
    spec:
      accessModes: [ReadWriteOnce]
      {{- with $root.Values.storage.className }}
      storageClassName: {{ . | quote }}
      {{- end }}
      resources:
        requests:
          storage: {{ $root.Values.storage.size }}
{{- end }}

{{/*
A claim's template cannot be changed: it has the selector's labels, and of the values' those by which the operator
recognises what belongs to a platform.
*/}}
{{- define "lib.store.claimLabels" -}}
{{- $root := index . 0 -}}
{{- include "lib.selector" . }}
{{- range $name, $value := $root.Values.podLabels }}
{{- if hasPrefix "ecommerce.dev/" $name }}
{{ $name }}: {{ $value | quote }}
{{- end }}
{{- end }}
{{- end }}

{{/*
A pod's fields with the user that its image is made for; volumes belong to the same group. Takes a list: context, id.
*/}}
{{- define "lib.store.pod" -}}
{{- $pod := include "lib.pod.spec" (index . 0) | fromYaml -}}
{{- $id := index . 1 -}}
{{- $user := dict "runAsUser" $id "runAsGroup" $id "fsGroup" $id "fsGroupChangePolicy" "OnRootMismatch" -}}
{{- $_ := set $pod "securityContext" (merge $user $pod.securityContext) -}}
{{ toYaml $pod }}
{{- end }}

{{/* Keeps the pods of several replicas on different nodes where there are such. Takes a list: context, part. */}}
{{- define "lib.store.spread" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "lib.selector" . | nindent 8 }}
{{- end }}

{{/* At most one of several may be away, since two of three are needed for a majority. Takes a list: context, part. */}}
{{- define "lib.store.budget" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "lib.metadata" . | nindent 2 }}
spec:
  maxUnavailable: 1
  # A pod that is not ready may be what keeps the others from a majority: it must not be evicted beside a ready one.
  unhealthyPodEvictionPolicy: IfHealthyBudget
  selector:
    matchLabels:
      {{- include "lib.selector" . | nindent 6 }}
{{- end }}

{{/* Folders in memory or on the node's disk, for what a read-only root file system refuses. Takes pairs: name, size. */}}
{{- define "lib.store.scratch" -}}
{{- range . }}
- name: {{ index . 0 }}
  emptyDir:
    sizeLimit: {{ index . 1 }}
{{- end }}
{{- end }}
