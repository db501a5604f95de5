{{/* Where a service is found, and who may come in. */}}

{{/* Takes what `lib.service` takes. Headless for gRPC: clients see every replica and spread their calls themselves. */}}
{{- define "lib.address" -}}
{{- $of := list .root "server" -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "lib.metadata" $of | nindent 2 }}
spec:
  type: ClusterIP
  {{- if eq .own.protocol "grpc" }}
  clusterIP: None
  {{- end }}
  selector:
    {{- include "lib.selector" $of | nindent 4 }}
  ports:
    {{- range .own.ports }}
    - name: {{ .name }}
      port: {{ .port }}
      targetPort: {{ .name }}
      {{- with .appProtocol }}
      appProtocol: {{ . }}
      {{- end }}
    {{- end }}
{{- end }}

{{/* For proxies, not all of which can use a headless one. Takes what `lib.service` takes. */}}
{{- define "lib.address.web" -}}
{{- $of := list .root "server" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ .root.Release.Name }}-web
  namespace: {{ .root.Release.Namespace | quote }}
  labels:
    {{- include "lib.labels" $of | nindent 4 }}
spec:
  type: ClusterIP
  selector:
    {{- include "lib.selector" $of | nindent 4 }}
  ports:
    - name: http
      port: {{ .own.web }}
      targetPort: http
{{- end }}

{{/*
One policy for all pods of the release: whatever is not named is refused, also to pods that only run a migration. Takes
`root`, and `rules`: a list of the rules, ready to be used.
*/}}
{{- define "lib.networkPolicy" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "lib.metadata" (list .root (.part | default "server")) | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      app.kubernetes.io/name: {{ .root.Chart.Name }}
      app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
  policyTypes: [Ingress]
  ingress:
    {{- toYaml .rules | nindent 4 }}
{{- end }}

{{/*
Pods of the platform's other components, as a peer. Takes a list: context, names of components, parts of them. Without
the platform's name, which says who belongs together, everybody of that name in the namespace is meant.
*/}}
{{- define "lib.peer" -}}
{{- $root := index . 0 -}}
podSelector:
  {{- with $root.Values.platform }}
  matchLabels:
    app.kubernetes.io/part-of: {{ . | quote }}
  {{- end }}
  matchExpressions:
    - key: app.kubernetes.io/name
      operator: In
      values: {{ index . 1 | toJson }}
    - key: app.kubernetes.io/component
      operator: In
      values: {{ index . 2 | toJson }}
{{- end }}

{{/* The rules of a service: its own port for those who call it, its metrics for those who collect them, its pages for all. */}}
{{- define "lib.service.rules" -}}
{{- $root := .root -}}{{- $own := .own -}}
rules:
  {{- range $own.ports }}
  {{- if eq .name "metrics" }}
  {{- if $root.Values.networkPolicy.metricsFrom }}
  - from:
      {{- toYaml $root.Values.networkPolicy.metricsFrom | nindent 6 }}
    ports:
      - port: {{ .port }}
        protocol: TCP
  {{- end }}
  {{- else }}
  - {{ with $own.callers }}from:
      - {{- include "lib.peer" (list $root . (list "server")) | nindent 8 }}
    {{ end }}ports:
      - port: {{ .port }}
        protocol: TCP
  {{- end }}
  {{- end }}
  {{- with $own.web }}
  - ports:
      - port: {{ . }}
        protocol: TCP
  {{- end }}
{{- end }}
