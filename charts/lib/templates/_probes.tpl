{{/*
Probes. A start may take two minutes, because a service waits for a database that is starting as well. A missing
datastore makes a pod not ready, and is never a reason to restart it.
*/}}

{{- define "lib.probes.grpc" -}}
startupProbe:
  grpc:
    port: 8080
    service: liveness
  periodSeconds: 1
  timeoutSeconds: 3
  failureThreshold: 120
livenessProbe:
  grpc:
    port: 8080
    service: liveness
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
readinessProbe:
  grpc:
    port: 8080
  periodSeconds: 3
  timeoutSeconds: 3
  failureThreshold: 2
{{- end }}

{{- define "lib.probes.http" -}}
startupProbe:
  httpGet:
    path: /healthz
    port: http
  periodSeconds: 1
  timeoutSeconds: 3
  failureThreshold: 120
livenessProbe:
  httpGet:
    path: /healthz
    port: http
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
readinessProbe:
  httpGet:
    path: /readyz
    port: http
  periodSeconds: 3
  timeoutSeconds: 3
  # It asks for every service behind but payment and recommender. A new pod gets requests once it has reached them all; later it keeps
  # them, in effect for ever: with one service away the others go on being served, instead of none.
  failureThreshold: 1000000
{{- end }}

{{/* For a process that serves nothing else: as long as it answers who collects its metrics, it lives. */}}
{{- define "lib.probes.metrics" -}}
startupProbe:
  httpGet:
    path: /metrics
    port: metrics
  periodSeconds: 1
  timeoutSeconds: 3
  failureThreshold: 120
livenessProbe:
  httpGet:
    path: /metrics
    port: metrics
  periodSeconds: 10
  timeoutSeconds: 10
  failureThreshold: 6
readinessProbe:
  httpGet:
    path: /metrics
    port: metrics
  periodSeconds: 10
  timeoutSeconds: 10
  failureThreshold: 3
{{- end }}
