{{/*
The Deployment of a service, `lib.service` tells of what. No request is lost when it rolls: a new pod is there before an
old one goes; the old one goes on answering until everybody has learned that it left (the sleep before SIGTERM); and
then it finishes what it has.
*/}}
{{- define "lib.deployment" -}}
{{- $root := .root -}}{{- $of := list .root "server" -}}
{{- $sources := include "lib.sources" $root | fromYaml -}}
{{- $mounts := concat (.own.mounts | default list) $sources.mounts -}}
{{- $volumes := concat (.own.volumes | default list) $sources.volumes -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "lib.metadata" $of | nindent 2 }}
spec:
  {{- if not $root.Values.autoscaling.enabled }}
  replicas: {{ $root.Values.replicas }}
  {{- end }}
  revisionHistoryLimit: 3
  # A pod that fails right after it was ready stops the rollout while all old ones are still there.
  minReadySeconds: 3
  strategy:
    type: RollingUpdate
    rollingUpdate:
      maxUnavailable: 0
      maxSurge: 1
  selector:
    matchLabels:
      {{- include "lib.selector" $of | nindent 6 }}
  template:
    metadata:
      {{- include "lib.pod.metadata" (append $of (include "lib.scraped" .own | fromYaml)) | nindent 6 }}
    spec:
      {{- include "lib.pod.spec" $root | nindent 6 }}
      {{- include "lib.pod.spread" $of | nindent 6 }}
      terminationGracePeriodSeconds: {{ $root.Values.terminationGracePeriodSeconds }}
      containers:
        - name: {{ $root.Chart.Name }}
          {{- include "lib.program" (list $root (include "lib.runs" (list $root "serve")) .own.env $mounts) | nindent 10 }}
          resources:
            {{- toYaml $root.Values.resources | nindent 12 }}
          ports:
            {{- range .own.ports }}
            - name: {{ .name }}
              containerPort: {{ .port }}
            {{- end }}
            {{- with .own.web }}
            - name: http
              containerPort: {{ . }}
            {{- end }}
          {{- include (printf "lib.probes.%s" .own.protocol) . | nindent 10 }}
          lifecycle:
            preStop:
              sleep:
                {{- if eq .own.protocol "grpc" }}
                # Clients leave by themselves: every connection is ended when it is five seconds old, and its client looks
                # the name up anew. DNS answers live five seconds, and two pass until they are right.
                seconds: 12
                {{- else }}
                # Proxies take about two seconds to forget the pod.
                seconds: 6
                {{- end }}
      {{- with $volumes }}
      volumes:
        {{- toYaml . | nindent 8 }}
      {{- end }}
{{- end }}

{{/*
What a container runs: a command of the service. For development it is a program that runs it from /sources, where changed
files are put, and starts it again when they change: the image's own files stay as they are. Takes a list: context, command.
*/}}
{{- define "lib.runs" -}}
{{- $root := index . 0 -}}
{{- if $root.Values.development -}}
command: [python, -m, services.development]
args: [services.{{ $root.Chart.Name }}, {{ index . 1 }}]
{{- else -}}
command: [python, -m, services.{{ $root.Chart.Name }}]
args: [{{ index . 1 }}]
{{- end -}}
{{- end }}

{{/* That folder's mounts and volumes; without development there are none. Takes the context. */}}
{{- define "lib.sources" -}}
mounts:
  {{- if .Values.development }}
  - name: sources
    mountPath: /sources
  {{- else }} []
  {{- end }}
volumes:
  {{- if .Values.development }}
  - name: sources
    emptyDir:
      sizeLimit: 64Mi
  {{- else }} []
  {{- end }}
{{- end }}

{{/* A container of the service. Takes a list: context, command and arguments, environment, mounts (or nothing). */}}
{{- define "lib.program" -}}
{{- $root := index . 0 -}}
image: {{ include "lib.image" $root | quote }}
imagePullPolicy: {{ $root.Values.image.pullPolicy }}
{{ index . 1 }}
# Why it failed is then told by the pod itself.
terminationMessagePolicy: FallbackToLogsOnError
securityContext:
  {{- include "lib.container.securityContext" $root | nindent 2 }}
{{- with include "lib.env" (list $root (index . 2)) }}
{{ . }}
{{- end }}
{{- with index . 3 }}
volumeMounts:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* What tells Prometheus where the metrics are. Takes the service's own. */}}
{{- define "lib.scraped" -}}
prometheus.io/scrape: "true"
prometheus.io/path: /metrics
prometheus.io/port: {{ .metricsPort | quote }}
{{- end }}
