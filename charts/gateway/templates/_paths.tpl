{{/*
What the world may reach. Probes and metrics are for those inside the cluster, so they are not here.
*/}}
{{- define "gateway.paths" -}}
paths:
  - {path: /graphql, type: Exact}
  # The page, and its files below it.
  - {path: /playground, type: Prefix}
  - {path: /.well-known/jwks.json, type: Exact}
{{- end }}
