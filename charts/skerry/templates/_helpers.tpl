{{/* The namespace that the hub keeps its own objects in: fixed, as its code is (SYSTEM_NAMESPACE). */}}
{{- define "skerry.namespace" -}}skerry-system{{- end }}

{{- define "skerry.selectorLabels" -}}
app.kubernetes.io/name: skerry
app.kubernetes.io/component: hub
{{- end }}

{{- define "skerry.labels" -}}
{{ include "skerry.selectorLabels" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}
