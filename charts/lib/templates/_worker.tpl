{{/*
A Deployment of one process that belongs to a service and serves nobody, such as one that prepares what the others serve.
It has the service's image and a command of its own. Without it the service goes on with what it has, which is what the
annotation says to the operator: then a broken one is told as a warning.

Takes root; name (the part that it is, and the end of its name); command; env; resources.
*/}}
{{- define "lib.worker" -}}
{{- $root := .root -}}{{- $of := list .root .name -}}
{{- $sources := include "lib.sources" $root | fromYaml -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ printf "%s-%s" $root.Release.Name .name | quote }}
  namespace: {{ $root.Release.Namespace | quote }}
  labels:
    {{- include "lib.labels" $of | nindent 4 }}
  annotations:
    ecommerce.dev/optional: "true"
spec:
  replicas: 1
  revisionHistoryLimit: 3
  minReadySeconds: 3
  strategy:
    type: Recreate
  selector:
    matchLabels:
      {{- include "lib.selector" $of | nindent 6 }}
  template:
    metadata:
      {{- include "lib.pod.metadata" (append $of (include "lib.scraped" (dict "metricsPort" 9090) | fromYaml)) | nindent 6 }}
    spec:
      {{- include "lib.pod.spec" $root | nindent 6 }}
      # Whatever it is at can be broken off and done again.
      terminationGracePeriodSeconds: 30
      containers:
        - name: {{ .name }}
          {{- include "lib.program" (list $root (include "lib.runs" (list $root .command)) .env $sources.mounts) | nindent 10 }}
          resources:
            {{- toYaml .resources | nindent 12 }}
          ports:
            - name: metrics
              containerPort: 9090
          {{- include "lib.probes.metrics" . | nindent 10 }}
      {{- with $sources.volumes }}
      volumes:
        {{- toYaml . | nindent 8 }}
      {{- end }}
{{- end }}
