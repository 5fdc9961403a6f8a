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

{{/* An address that Kubernetes fills in, as URLs and lists of permissions have it. */}}
{{- define "skerry.bracketed" -}}
{{- if eq .ipFamily "IPv6" }}[$({{ .variable }})]{{ else }}$({{ .variable }}){{ end }}
{{- end }}

{{/* Where gateways are listened for: all addresses, of both families where both may come. */}}
{{- define "skerry.nodeAddress" -}}
{{- if or (eq .Values.ipFamily "IPv6") (not (has .Values.service.ipFamilyPolicy (list "" "SingleStack"))) }}::{{ else }}0.0.0.0{{ end }}
{{- end }}

{{/* What is asked for, and in each of its terms that the node is no gateway. */}}
{{- define "skerry.affinity" -}}
{{- $noGateway := dict "key" "node-role.kubernetes.io/edge" "operator" "DoesNotExist" }}
{{- $affinity := deepCopy .Values.affinity }}
{{- $node := dig "nodeAffinity" dict $affinity }}
{{- $required := "requiredDuringSchedulingIgnoredDuringExecution" }}
{{- $terms := list }}
{{- range dig $required "nodeSelectorTerms" (list dict) $node }}
{{- $terms = append $terms (set (deepCopy .) "matchExpressions" (append (dig "matchExpressions" list .) $noGateway)) }}
{{- end }}
{{- $node = set $node $required (dict "nodeSelectorTerms" $terms) }}
{{- toYaml (set $affinity "nodeAffinity" $node) }}
{{- end }}
