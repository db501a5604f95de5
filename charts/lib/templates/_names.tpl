{{/*
Names and labels. Everything that a chart makes is called as its release is, so that an address can be told from the
release's name alone. What selects pods (in Services, Deployments, budgets, policies) is immutable or as good as that,
so it holds nothing that changes between two versions.

Each takes a list: the chart's context, and the part of it that is meant (server, migration, trainer, database, broker, search, job).
*/}}

{{- define "lib.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ $root.Chart.Name }}
app.kubernetes.io/instance: {{ $root.Release.Name | quote }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "lib.labels" -}}
{{- $root := index . 0 -}}
{{ include "lib.selector" . }}
app.kubernetes.io/part-of: {{ $root.Values.platform | default $root.Release.Name | quote }}
app.kubernetes.io/version: {{ include "lib.version" $root | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- end }}

{{/* The image's tag, cut to what a label may hold. */}}
{{- define "lib.version" -}}
{{- .Values.image.tag | default .Chart.AppVersion | trunc 63 | trimAll "-_." -}}
{{- end }}

{{/* Name, namespace and labels: the metadata of an object; more of it may follow, indented by two. */}}
{{- define "lib.metadata" -}}
{{- $root := index . 0 -}}
name: {{ $root.Release.Name | quote }}
namespace: {{ $root.Release.Namespace | quote }}
labels:
  {{- include "lib.labels" . | nindent 2 }}
{{- end }}

{{/* The image's reference. With a digest it is the digest that counts; the tag then only tells people what it is. */}}
{{- define "lib.image" -}}
{{- $image := .Values.image -}}
{{ $image.repository }}:{{ $image.tag | default .Chart.AppVersion }}{{ with $image.digest }}@{{ . }}{{ end }}
{{- end }}
