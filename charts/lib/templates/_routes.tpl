{{/*
How the world comes in: an Ingress, or an HTTPRoute of the Gateway API, for some paths of a Service with one port for HTTP.

Each takes a list: the chart's context; the name of the Service; its port; the paths as YAML ({paths: [{path, type}]}, type
Exact or Prefix). What is for those inside the cluster (probes, metrics) is simply no path of them.
*/}}

{{- define "lib.ways" -}}
{{- $root := index . 0 -}}
{{- if $root.Values.ingress.enabled }}
---
{{ include "lib.ingress" . }}
{{- end }}
{{- if $root.Values.httpRoute.enabled }}
---
{{ include "lib.httpRoute" . }}
{{- end }}
{{- end }}

{{- define "lib.ingress" -}}
{{- $root := index . 0 -}}{{- $service := index . 1 -}}{{- $ingress := $root.Values.ingress -}}
{{- if and $ingress.tlsSecretName (not $ingress.host) }}
{{- fail "ingress.tlsSecretName holds a certificate for a host: set ingress.host to that host's name, too." }}
{{- end -}}
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  {{- include "lib.metadata" (list $root "server") | nindent 2 }}
  {{- with $ingress.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- with $ingress.className }}
  ingressClassName: {{ . | quote }}
  {{- end }}
  {{- with $ingress.tlsSecretName }}
  tls:
    - hosts: [{{ $ingress.host | quote }}]
      secretName: {{ . | quote }}
  {{- end }}
  rules:
    - {{ with $ingress.host }}host: {{ . | quote }}
      {{ end }}http:
        paths:
          {{- range (index . 3 | fromYaml).paths }}
          - path: {{ .path }}
            pathType: {{ .type }}
            backend:
              service:
                name: {{ $service | quote }}
                port:
                  name: http
          {{- end }}
{{- end }}

{{- define "lib.httpRoute" -}}
{{- $root := index . 0 -}}{{- $route := $root.Values.httpRoute -}}
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  {{- include "lib.metadata" (list $root "server") | nindent 2 }}
  {{- with $route.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  parentRefs:
    - name: {{ required "httpRoute is served by a Gateway: set httpRoute.gateway.name to its name, and httpRoute.gateway.namespace where it is in another namespace." $route.gateway.name | quote }}
      {{- with $route.gateway.namespace }}
      namespace: {{ . | quote }}
      {{- end }}
      {{- with $route.gateway.sectionName }}
      sectionName: {{ . | quote }}
      {{- end }}
  {{- with $route.host }}
  hostnames: [{{ . | quote }}]
  {{- end }}
  rules:
    - matches:
        {{- range (index . 3 | fromYaml).paths }}
        - path:
            type: {{ eq .type "Prefix" | ternary "PathPrefix" .type }}
            value: {{ .path }}
        {{- end }}
      backendRefs:
        - name: {{ index . 1 | quote }}
          port: {{ index . 2 }}
{{- end }}
