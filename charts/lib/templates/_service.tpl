{{/*
Everything that a service consists of. Takes a list: the chart's context, and the service's own part as YAML:

  protocol:    grpc or http: how it is probed, and whether its Service is headless
  callers:     names of the components that may call it; none means anybody
  web:         a port for HTTP beside gRPC, open to anybody, with a Service of its own: <release>-web
  env:         the server's settings
  migration:   {env: its settings}; without it there is no migration
  volumes, mounts: what its pods have beside the image
*/}}
{{- define "lib.service" -}}
{{- $root := index . 0 -}}
{{- $own := index . 1 | fromYaml -}}
{{- with $own.Error }}{{ fail (printf "The chart %s describes its service in YAML that cannot be read: %s" $root.Chart.Name .) }}{{ end -}}
{{- $own = merge $own (include (printf "lib.listening.%s" $own.protocol) $root | fromYaml) -}}
{{- $all := dict "root" $root "own" $own -}}
{{- include "lib.check.autoscaling" $root -}}
{{ include "lib.serviceAccount" (list $root "server") }}
---
{{ include "lib.address" $all }}
{{- if $own.web }}
---
{{ include "lib.address.web" $all }}
{{- end }}
{{- if $root.Values.networkPolicy.enabled }}
---
{{ include "lib.networkPolicy" (dict "root" $root "rules" (include "lib.service.rules" $all | fromYaml).rules) }}
{{- end }}
{{- if gt (include "lib.fewest" $root | int) 1 }}
---
{{ include "lib.disruptionBudget" $root }}
{{- end }}
{{- if $own.migration }}
---
{{ include "lib.migration" $all }}
{{- end }}
---
{{ include "lib.deployment" $all }}
{{- if $root.Values.autoscaling.enabled }}
---
{{ include "lib.autoscaler" $root }}
{{- end }}
{{- end }}

{{- define "lib.serviceAccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "lib.metadata" . | nindent 2 }}
# Nothing here talks to the API server.
automountServiceAccountToken: false
{{- end }}

{{/* Ports by protocol: gRPC has its metrics beside it, HTTP on the same port. */}}
{{- define "lib.listening.grpc" -}}
metricsPort: 9090
ports:
  - {name: grpc, port: 8080, appProtocol: kubernetes.io/h2c}
  - {name: metrics, port: 9090}
{{- end }}

{{- define "lib.listening.http" -}}
metricsPort: 8080
ports:
  - {name: http, port: 8080}
{{- end }}
