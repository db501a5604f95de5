{{/* How many there are, and how many must stay. Each takes the context. */}}

{{- define "lib.autoscaler" -}}
{{- $scaling := .Values.autoscaling -}}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  {{- include "lib.metadata" (list . "server") | nindent 2 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ .Release.Name | quote }}
  minReplicas: {{ $scaling.minReplicas }}
  maxReplicas: {{ $scaling.maxReplicas }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target:
          type: Utilization
          averageUtilization: {{ $scaling.targetCPUUtilizationPercentage }}
{{- end }}

{{/* Only for two or more: a budget for a single one would hold up every drain of its node. */}}
{{- define "lib.disruptionBudget" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "lib.metadata" (list . "server") | nindent 2 }}
spec:
  maxUnavailable: 1
  # A pod that is not ready serves nobody: evicting it costs nothing, and may be what mends it.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "lib.selector" (list . "server") | nindent 6 }}
{{- end }}

{{/* The fewest replicas that there may be. */}}
{{- define "lib.fewest" -}}
{{- .Values.autoscaling.enabled | ternary .Values.autoscaling.minReplicas .Values.replicas -}}
{{- end }}
