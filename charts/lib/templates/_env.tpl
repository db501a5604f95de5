{{/*
The settings that several services share, each as entries of a container's `env`. Each takes the context. What is
missing is told in a sentence that says what to set.
*/}}

{{- define "lib.env.database" -}}
- name: DATABASE_URL
  valueFrom:
    secretKeyRef:
      name: {{ required (printf "%s keeps its data in PostgreSQL: set database.secretName to the name of the Secret that holds the database's URL, and database.secretKey to its key there." .Chart.Name) .Values.database.secretName | quote }}
      key: {{ .Values.database.secretKey | quote }}
{{- end }}

{{- define "lib.env.kafka" -}}
{{- include "lib.check.one" (list . "kafka" "bootstrapServers" "Kafka" "host:port, several separated by commas") -}}
- name: KAFKA_BOOTSTRAP_SERVERS
  {{- include "lib.env.given" (list .Values.kafka "bootstrapServers") | nindent 2 }}
{{- end }}

{{- define "lib.env.elasticsearch" -}}
{{- include "lib.check.one" (list . "elasticsearch" "url" "Elasticsearch" "http://host:port, several separated by commas") -}}
- name: ELASTICSEARCH_URL
  {{- include "lib.env.given" (list .Values.elasticsearch "url") | nindent 2 }}
{{- end }}

{{/* A value that is given openly or by a Secret. Takes a list: the datastore's values, the key of the open one. */}}
{{- define "lib.env.given" -}}
{{- $store := index . 0 -}}
{{- if $store.secretName -}}
valueFrom:
  secretKeyRef:
    name: {{ $store.secretName | quote }}
    key: {{ $store.secretKey | quote }}
{{- else -}}
value: {{ get $store (index . 1) | quote }}
{{- end }}
{{- end }}

{{/* The addresses of the services that this one calls. Takes a list: context, then their names. */}}
{{- define "lib.env.addresses" -}}
{{- $root := index . 0 -}}
{{- range $name := rest . }}
- name: {{ upper $name }}_ADDRESS
  value: {{ get $root.Values.addresses $name | required (printf "%s calls %s: set addresses.%s to its address, host:port." $root.Chart.Name $name $name) | quote }}
{{- end }}
{{- end }}

{{/*
A container's whole `env`: the chart's own entries, then those of the values, which win where both name the same. Takes
a list: context, the chart's own entries.
*/}}
{{- define "lib.env" -}}
{{- $extra := (index . 0).Values.env -}}
{{- $given := list -}}
{{- range $extra }}{{ $given = append $given .name }}{{ end -}}
{{- $all := list -}}
{{- range index . 1 }}{{ if not (has .name $given) }}{{ $all = append $all . }}{{ end }}{{ end -}}
{{- with concat $all $extra -}}
env:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
