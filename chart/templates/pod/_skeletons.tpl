{{- define "uwsgi-autopilot.skeletons" -}}
deployment: |
  spec:
    strategy:
      type: RollingUpdate
      rollingUpdate:
        maxUnavailable: {{ .Values.rollout.maxUnavailable }}
        maxSurge: {{ .Values.rollout.maxSurge }}
    minReadySeconds: {{ .Values.rollout.minReadySeconds }}
    progressDeadlineSeconds: {{ .Values.rollout.progressDeadlineSeconds }}
    revisionHistoryLimit: {{ .Values.rollout.revisionHistoryLimit }}
service: |
  metadata:
    annotations: {{- toYaml .Values.service.annotations | nindent 6 }}
  spec:
    ports:
      - {name: http, port: 80, targetPort: http, protocol: TCP}
poddisruptionbudget: |
  spec:
    # Never minAvailable: with one pod it would block the draining of a node forever.
    maxUnavailable: {{ .Values.disruption.maxUnavailable }}
    # A pod that is not ready anyway may always be evicted.
    unhealthyPodEvictionPolicy: AlwaysAllow
{{- end -}}
