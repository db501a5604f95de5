{{/*
What every pod and container has: the restricted Pod Security Standard with a read-only root file system, and no
credentials of the cluster.
*/}}

{{/* Labels and annotations of a pod template. Takes a list: context, part, annotations of the chart's own. */}}
{{- define "lib.pod.metadata" -}}
{{- $root := index . 0 -}}
labels:
  {{- include "lib.labels" . | nindent 2 }}
  {{- with $root.Values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with merge (dict) $root.Values.podAnnotations (index . 2) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* The fields of a pod's spec that do not depend on what runs in it. Takes the context. */}}
{{- define "lib.pod.spec" -}}
serviceAccountName: {{ .Release.Name | quote }}
automountServiceAccountToken: false
# Variables for each Service of the namespace could be taken for settings: ORDER_PORT and the like.
enableServiceLinks: false
securityContext:
  {{- include "lib.pod.securityContext" . | nindent 2 }}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "lib.pod.securityContext" -}}
runAsNonRoot: true
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "lib.container.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/*
Spreads replicas over nodes and zones where that is possible. Takes a list: context, part. It is there with one
replica too, where it does nothing: otherwise scaling from one to two would replace the first.
*/}}
{{- define "lib.pod.spread" -}}
{{- $of := . -}}
topologySpreadConstraints:
  {{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ $key }}
    whenUnsatisfiable: ScheduleAnyway
    # Each version is spread by itself: pods that are about to go do not count.
    matchLabelKeys: [pod-template-hash]
    labelSelector:
      matchLabels:
        {{- include "lib.selector" $of | nindent 8 }}
  {{- end }}
{{- end }}
