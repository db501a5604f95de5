{{/*
The Job that brings the database to the schema that this version expects. It is named by a digest of its spec, because a
Job cannot be changed: what changes it makes another one, and what does not leaves it alone. It has no deadline, because
waiting for a node or an image would count; the command itself waits a minute for the database and then fails.
*/}}
{{- define "lib.migration" -}}
{{- $spec := include "lib.migration.spec" . -}}
{{- $digest := $spec | fromYaml | toJson | sha256sum | trunc 8 -}}
apiVersion: batch/v1
kind: Job
metadata:
  # With the digest it has at most 63 characters, as the label that the Job gives its pods.
  name: {{ .root.Release.Name | trunc 46 | trimSuffix "-" }}-migrate-{{ $digest }}
  namespace: {{ .root.Release.Namespace | quote }}
  labels:
    {{- include "lib.labels" (list .root "migration") | nindent 4 }}
  annotations:
    # The operator applies the rest of the release once it is complete.
    ecommerce.dev/stage: migrate
spec:
  {{- $spec | nindent 2 }}
{{- end }}

{{- define "lib.migration.spec" -}}
{{- $root := .root -}}
backoffLimit: {{ $root.Values.migrations.backoffLimit }}
podFailurePolicy:
  rules:
    # A pod that had to leave its node says nothing about the migration.
    - action: Ignore
      onPodConditions:
        - type: DisruptionTarget
          status: "True"
template:
  metadata:
    {{- include "lib.pod.metadata" (list $root "migration" dict) | nindent 4 }}
  spec:
    {{- include "lib.pod.spec" $root | nindent 4 }}
    restartPolicy: Never
    containers:
      - name: migrate
        {{- include "lib.program" (list $root (printf "command: [python, -m, services.%s]\nargs: [migrate]" $root.Chart.Name) .own.migration.env .own.mounts) | nindent 8 }}
        resources:
          {{- toYaml $root.Values.migrations.resources | nindent 10 }}
    {{- with .own.volumes }}
    volumes:
      {{- toYaml . | nindent 6 }}
    {{- end }}
{{- end }}
