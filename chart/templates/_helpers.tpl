{{/* All names begin with the chart's own: in an umbrella chart other charts share the same names. */}}

{{- define "uwsgi-autopilot.fullname" -}}
{{- .Values.fullnameOverride | default .Release.Name | trunc 46 | trimSuffix "-" -}}
{{- end -}}

{{- define "uwsgi-autopilot.labels" -}}
{{ include "uwsgi-autopilot.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* A Deployment's selector is immutable, so these must never change. */}}
{{- define "uwsgi-autopilot.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "uwsgi-autopilot.operatorLabels" -}}
{{ include "uwsgi-autopilot.selectorLabels" . }}
app.kubernetes.io/component: operator
{{- end -}}

{{- define "uwsgi-autopilot.serviceAccountName" -}}
{{- .Values.operator.serviceAccount.name | default (include "uwsgi-autopilot.fullname" .) -}}
{{- end -}}

{{/* Namespaces that the operator watches, as JSON; [] for all of them. */}}
{{- define "uwsgi-autopilot.watched" -}}
{{- $own := ternary (list .Release.Namespace) list (eq .Values.scope "Namespaced") -}}
{{- .Values.operator.watchNamespaces | default $own | toJson -}}
{{- end -}}

{{/* An image from its values: repository, and digest or tag. */}}
{{- define "uwsgi-autopilot.image" -}}
{{- if .digest -}}{{ .repository }}@{{ .digest }}{{- else -}}{{ .repository }}:{{ .tag }}{{- end -}}
{{- end -}}

{{/* The pod template is named by its content, comments aside: the operator follows the name, and each new name rolls out
every application. */}}
{{- define "uwsgi-autopilot.podTemplateName" -}}
{{ include "uwsgi-autopilot.fullname" . }}-pod-{{ include "uwsgi-autopilot.podTemplate" . | fromYaml | toJson | sha256sum | trunc 10 }}
{{- end -}}

{{- define "uwsgi-autopilot.skeletonsName" -}}
{{ include "uwsgi-autopilot.fullname" . }}-skeletons
{{- end -}}
