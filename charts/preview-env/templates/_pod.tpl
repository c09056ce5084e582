{{- define "preview-env.pod" -}}
serviceAccountName: preview-env
# Deliveries are taken for 5 s more, and those under way are answered, which takes 12 s at most.
terminationGracePeriodSeconds: 30
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
topologySpreadConstraints:
  {{- if .Values.topologySpreadConstraints }}
  {{- toYaml .Values.topologySpreadConstraints | nindent 2 }}
  {{- else }}
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "preview-env.selector" . | nindent 8 }}
  {{- end }}
{{- range $field := list "nodeSelector" "tolerations" "affinity" "priorityClassName" }}
{{- with index $.Values $field }}
{{ dict $field . | toYaml }}
{{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  {{- with .Values.runAsUser }}
  runAsUser: {{ . | int64 }}
  runAsGroup: {{ . | int64 }}
  fsGroup: {{ . | int64 }}
  {{- end }}
  seccompProfile:
    type: RuntimeDefault
containers:
  - name: preview
    image: {{ include "preview-env.image" . | quote }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    args: {{ prepend .Values.extraArgs "serve" | toJson }}
    env:
      {{- include "preview-env.env" . | nindent 6 }}
    ports:
      - name: http
        containerPort: 8080
      - name: health
        containerPort: 8081
    livenessProbe:
      httpGet:
        path: /livez
        port: health
    readinessProbe:
      httpGet:
        path: /readyz
        port: health
      periodSeconds: 2
    resources:
      {{- toYaml .Values.resources | nindent 6 }}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities:
        drop: [ALL]
    volumeMounts:
      - name: secrets
        mountPath: /secrets
        readOnly: true
      {{- if .Values.registry.credentialsSecret }}
      - name: registry
        mountPath: /registry
        readOnly: true
      {{- end }}
      {{- if .Values.caBundle.configMap }}
      - name: authorities
        mountPath: /authorities
        readOnly: true
      {{- end }}
volumes:
  # 288 is 0440, written so that every reader of YAML takes it for the same.
  - name: secrets
    secret:
      secretName: {{ .Values.secret.name }}
      defaultMode: 288
  {{- with .Values.registry.credentialsSecret }}
  - name: registry
    secret:
      secretName: {{ . }}
      defaultMode: 288
  {{- end }}
  {{- with .Values.caBundle.configMap }}
  - name: authorities
    configMap:
      name: {{ . }}
  {{- end }}
{{- end }}

{{/* Every flag of `preview serve` by its variable. */}}
{{- define "preview-env.env" -}}
{{- range $name, $value := include "preview-env.variables" . | fromYaml }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
- name: PREVIEW_LEASE_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
# The same when the container starts again, and no other pod's.
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: POD_UID
  valueFrom:
    fieldRef:
      fieldPath: metadata.uid
- name: PREVIEW_IDENTITY
  value: $(POD_NAME)_$(POD_UID)
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "preview-env.variables" -}}
{{- with .Values.poll }}
PREVIEW_POLL: {{ . | quote }}
{{- else }}
PREVIEW_WEBHOOK_SECRET_FILE: {{ printf "/secrets/%s" .Values.secret.webhookSecretKey | quote }}
{{- end }}
{{- if .Values.github.appId }}
PREVIEW_GITHUB_APP_ID: {{ .Values.github.appId | quote }}
PREVIEW_GITHUB_APP_KEY_FILE: {{ printf "/secrets/%s" .Values.secret.appKeyKey | quote }}
{{- else }}
PREVIEW_GITHUB_TOKEN_FILE: {{ printf "/secrets/%s" .Values.secret.tokenKey | quote }}
{{- end }}
{{- with .Values.secret.seedKey }}
PREVIEW_SEED_FILE: {{ printf "/secrets/%s" . | quote }}
{{- end }}
PREVIEW_LISTEN: {{ printf "%s:8080" .Values.listenAddress | quote }}
# For Kubernetes and Prometheus alone, whatever comes to the webhook's port.
PREVIEW_HEALTH_LISTEN: {{ printf "%s:8081" .Values.listenAddress | quote }}
PREVIEW_LEASE_NAME: preview-env
PREVIEW_GITHUB_URL: {{ .Values.github.url | quote }}
PREVIEW_GITHUB_LIMITS: {{ .Values.github.limits | quote }}
{{- with .Values.github.instance }}
PREVIEW_INSTANCE: {{ . | quote }}
{{- end }}
PREVIEW_BODY_LIMIT: {{ .Values.webhook.bodyLimit | int64 | quote }}
PREVIEW_IN_FLIGHT: {{ .Values.inFlight | int64 | quote }}
PREVIEW_LOOK_EVERY: {{ .Values.lookEvery | quote }}
PREVIEW_LOOK_OVER_EVERY: {{ .Values.lookOverEvery | quote }}
PREVIEW_ORPHAN_AFTER: {{ .Values.orphanAfter | quote }}
PREVIEW_LOG_FORMAT: {{ .Values.log.format | quote }}
{{- with .Values.log.filter }}
RUST_LOG: {{ . | quote }}
{{- end }}
{{- with .Values.probeAddress }}
PREVIEW_PROBE_ADDRESS: {{ . | quote }}
{{- end }}
{{- with .Values.registry.allowed }}
PREVIEW_REGISTRY: {{ join "," . | quote }}
{{- end }}
{{- with .Values.registry.realms }}
PREVIEW_REGISTRY_REALM: {{ join "," . | quote }}
{{- end }}
{{- with .Values.registry.allowPrivate }}
PREVIEW_REGISTRY_ALLOW_PRIVATE: {{ join "," . | quote }}
{{- end }}
{{- with .Values.registry.plainHttp }}
PREVIEW_REGISTRY_PLAIN_HTTP: {{ join "," . | quote }}
{{- end }}
{{- if .Values.registry.credentialsSecret }}
PREVIEW_REGISTRY_CREDENTIALS: {{ printf "/registry/%s" .Values.registry.credentialsKey | quote }}
{{- end }}
{{- if .Values.caBundle.configMap }}
SSL_CERT_FILE: {{ printf "/authorities/%s" .Values.caBundle.key | quote }}
{{- end }}
{{- range $name, $value := .Values.otel }}
{{ $name }}: {{ $value | quote }}
{{- end }}
{{- end }}
