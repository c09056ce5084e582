{{/*
All names are fixed: the admission policies and the service know them, and a cluster has one service. Only the namespace is the
release's own.
*/}}

{{- define "preview-env.selector" -}}
app.kubernetes.io/name: preview-env
{{- end }}

{{- define "preview-env.labels" -}}
{{ include "preview-env.selector" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* The metadata of an object of the release's namespace: labels, and `annotations` where there are any. */}}
{{- define "preview-env.metadata" -}}
name: {{ .name | default "preview-env" }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- merge (dict) (.labels | default dict) (include "preview-env.labels" .root | fromYaml) | toYaml | nindent 2 }}
{{- with .annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/*
The objects of a file of deploy/, which are those that the tests run under, as `items`: with the release's namespace wherever that
of the service is meant, in expressions of admission policies too.
*/}}
{{- define "preview-env.objects" -}}
{{- $namespace := .root.Release.Namespace }}
{{- $text := .root.Files.Get (printf "files/%s" .file) | required (printf "files/%s is missing from the chart" .file) }}
{{- $text = $text | replace "system:serviceaccount:preview-env:" (printf "system:serviceaccount:%s:" $namespace) }}
{{- $text = $text | replace "system:serviceaccounts:preview-env'" (printf "system:serviceaccounts:%s'" $namespace) }}
{{- range list "==" "!=" }}
{{- $text = $text | replace (printf "s.?namespace.orValue('') %s 'preview-env'" .) (printf "s.?namespace.orValue('') %s '%s'" . $namespace) }}
{{- end }}
{{- $text = $text | replace "namespace: preview-env\n" (printf "namespace: %s\n" $namespace) }}
{{- $items := list }}
{{- range splitList "\n---\n" $text }}
{{- with fromYaml . }}{{ $items = append $items . }}{{ end }}
{{- end }}
{{- dict "items" $items | toJson }}
{{- end }}

{{/* One of them as a document, with the chart's labels, and `annotations` where there are any. */}}
{{- define "preview-env.document" -}}
{{- $metadata := .object.metadata }}
{{- $_ := set $metadata "labels" (merge (dict) ($metadata.labels | default dict) (include "preview-env.labels" .root | fromYaml)) }}
{{- with .annotations }}{{ $_ := set $metadata "annotations" . }}{{ end }}
---
{{ toYaml .object }}
{{- end }}

{{- define "preview-env.image" -}}
{{- $image := .Values.image }}
{{- $repository := $image.repository | required "image.repository: say where you pushed the image that deploy/image/build or the Dockerfile makes" }}
{{- if $image.digest }}{{ printf "%s@%s" $repository $image.digest }}{{ else }}{{ printf "%s:%s" $repository ($image.tag | default .Chart.AppVersion) }}{{ end }}
{{- end }}
