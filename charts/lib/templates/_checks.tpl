{{/*
Rules about several values at once, which a schema can only tell in a way that nobody understands. Each ends the
rendering with a sentence that says what to change, or renders nothing.
*/}}

{{/* Exactly one way to a datastore. Takes a list: context, key of its values, key of the open one, its name, the form. */}}
{{- define "lib.check.one" -}}
{{- $root := index . 0 -}}{{- $key := index . 1 -}}{{- $open := index . 2 -}}
{{- $store := get $root.Values $key -}}
{{- if and $store.secretName (get $store $open) -}}
{{- fail (printf "%s is given two ways to %s: set %s.%s or %s.secretName, not both." $root.Chart.Name (index . 3) $key $open $key) -}}
{{- else if not (or $store.secretName (get $store $open)) -}}
{{- fail (printf "%s needs %s: set %s.%s (%s), or %s.secretName to a Secret that holds it." $root.Chart.Name (index . 3) $key $open (index . 4) $key) -}}
{{- end -}}
{{- end }}

{{/* Takes the context. */}}
{{- define "lib.check.autoscaling" -}}
{{- $scaling := .Values.autoscaling -}}
{{- if and $scaling.enabled (gt (int $scaling.minReplicas) (int $scaling.maxReplicas)) -}}
{{- fail (printf "autoscaling.minReplicas (%v) is more than autoscaling.maxReplicas (%v): it must be the same or less." $scaling.minReplicas $scaling.maxReplicas) -}}
{{- end -}}
{{- end }}
