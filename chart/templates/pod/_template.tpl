{{/*
The pod of every application. The operator lays over it what a UwsgiApp says, then the UwsgiApp's own `spec.template`.
What it fills in is marked; everything else is as it stands here. No name or version of the chart may appear: this text's
hash is its name, and another hash means new pods everywhere.
*/}}
{{- define "uwsgi-autopilot.podTemplate" -}}
metadata:
  {{- with .Values.pod.labels }}
  labels: {{- toYaml . | nindent 4 }}
  {{- end }}
  annotations:
    kubectl.kubernetes.io/default-container: app
    {{- with .Values.pod.annotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  # The application's code needs neither access to the API server nor environment variables for every Service.
  automountServiceAccountToken: false
  enableServiceLinks: false
  # Computed by the operator: the delay of nginx, its read timeout and 15 seconds.
  terminationGracePeriodSeconds: 85
  securityContext: {{- toYaml .Values.pod.securityContext | nindent 4 }}
  {{- with .Values.pod.imagePullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  initContainers:
    # Copies the agent, a single file, to where the application's container finds it. Where the kernel has IPv6 it also
    # writes the lines that make nginx listen there, in a folder that the application does not see.
    - name: agent
      image: {{ include "uwsgi-autopilot.image" .Values.pod.agent.image | quote }}
      imagePullPolicy: {{ .Values.pod.agent.image.pullPolicy }}
      command: [python3, -I, /opt/uwsgi-autopilot/agent.pyz, --install, /agent/agent.pyz, /nginx, "8080", "9118"]
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
      resources: {{- toYaml .Values.pod.agent.resources | nindent 8 }}
      volumeMounts:
        - {name: agent, mountPath: /agent}
        - {name: nginx-tmp, mountPath: /nginx}
    # Copies static files out of the application's image. Image and command: the operator, which removes this container
    # where spec.nginx.static is empty.
    - name: static
      image: set-by-the-operator:placeholder
      imagePullPolicy: IfNotPresent
      securityContext: {{- toYaml .Values.pod.app.securityContext | nindent 8 }}
      resources: {{- toYaml .Values.pod.agent.resources | nindent 8 }}
      volumeMounts:
        - {name: static, mountPath: /srv/static}
  containers:
    # The agent as PID 1, uWSGI below it. Image, command's interpreter, env and resources: the operator.
    - name: app
      image: set-by-the-operator:placeholder
      imagePullPolicy: IfNotPresent
      command: [python3, -I, /opt/uwsgi-autopilot/agent.pyz, /etc/uwsgi-autopilot/config/agent.json]
      env:
        - name: AUTOPILOT_POD_UID
          valueFrom: {fieldRef: {apiVersion: v1, fieldPath: metadata.uid}}
      ports:
        - {name: agent, containerPort: 9117, protocol: TCP}
      # All the way through nginx and uWSGI to spec.health.path. Until it has answered, no other probe runs.
      # A number, because the port's name belongs to nginx's container.
      startupProbe:
        httpGet: {path: /_autopilot/startup, port: 9118}
        periodSeconds: 2
        timeoutSeconds: 5
        failureThreshold: {{ ceil (divf .Values.pod.app.startupSeconds 2) }}
      # The agent, never the application: a probe that queues behind requests kills pods when they are needed most. Not
      # through nginx: one that is dead would take the application along, whose requests in service can still be finished.
      # Strangers reach this port too, but one thread serves it, reads a question as it accepts its connection, and
      # bounds connections in all and of one address: beside 300 half-open ones a probe takes as long as without.
      livenessProbe:
        httpGet: {path: /healthz, port: agent}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      securityContext: {{- toYaml .Values.pod.app.securityContext | nindent 8 }}
      # A failed import leaves its traceback there, and the condition shows it.
      terminationMessagePath: /dev/termination-log
      terminationMessagePolicy: File
      volumeMounts:
        - {name: agent, mountPath: /opt/uwsgi-autopilot, readOnly: true}
        - {name: run, mountPath: /run/uwsgi-autopilot}
        - {name: private, mountPath: /run/uwsgi-autopilot-private}
        - {name: config, mountPath: /etc/uwsgi-autopilot/config, readOnly: true}
        - {name: desired, mountPath: /etc/uwsgi-autopilot/desired, readOnly: true}
        - {name: promoted, mountPath: /etc/uwsgi-autopilot/promoted, readOnly: true}
        - {name: tmp, mountPath: /tmp}
    # An ordinary container, not a native sidecar: sidecars stop last, and the agent waits for nginx before it stops.
    - name: nginx
      image: {{ include "uwsgi-autopilot.image" .Values.pod.nginx.image | quote }}
      imagePullPolicy: {{ .Values.pod.nginx.image.pullPolicy }}
      command: [nginx, -e, stderr, -c, /etc/uwsgi-autopilot/config/nginx.conf]
      ports:
        - {name: http, containerPort: 8080, protocol: TCP}
        # For the kubelet alone; no Service leads there.
        - {name: probes, containerPort: 9118, protocol: TCP}
      # nginx asks the agent, over a unix socket: a generation accepts, and the application was seen to answer and does
      # not hang. Load, answers with 5xx and a change never make it false.
      readinessProbe:
        httpGet: {path: /_autopilot/ready, port: probes}
        periodSeconds: 5
        timeoutSeconds: 5
        failureThreshold: 3
      livenessProbe:
        httpGet: {path: /_autopilot/nginx, port: probes}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      lifecycle:
        # Other nodes keep sending requests for a while. Then SIGQUIT, the image's stop signal: requests in flight are answered.
        preStop: {sleep: {seconds: {{ .Values.pod.nginx.stopDelaySeconds }}}}
      securityContext: {{- toYaml .Values.pod.nginx.securityContext | nindent 8 }}
      resources: {{- toYaml .Values.pod.nginx.resources | nindent 8 }}
      volumeMounts:
        - {name: run, mountPath: /run/uwsgi-autopilot}
        - {name: config, mountPath: /etc/uwsgi-autopilot/config, readOnly: true}
        - {name: static, mountPath: /srv/static, readOnly: true}
        - {name: nginx-tmp, mountPath: /tmp}
  volumes:
    - {name: agent, emptyDir: {sizeLimit: 16Mi}}
    # Shared by nginx and the application: app.sock, agent.sock, log.sock and the file that says that the pod stops.
    - {name: run, emptyDir: {sizeLimit: 16Mi}}
    # uWSGI's stats and FIFO, which show requests and take orders: the application's container alone.
    - {name: private, emptyDir: {sizeLimit: 64Mi}}
    # Names of both ConfigMaps: the operator.
    - {name: config, configMap: {name: set-by-the-operator, defaultMode: 0444}}
    - {name: promoted, configMap: {name: set-by-the-operator, defaultMode: 0444}}
    # The operator asks for a shape through an annotation; the kubelet turns it into this file.
    - name: desired
      downwardAPI:
        defaultMode: 0444
        items:
          - path: desired
            fieldRef: {apiVersion: v1, fieldPath: "metadata.annotations['uwsgi-autopilot.dev/desired']"}
    - {name: static, emptyDir: {sizeLimit: {{ .Values.pod.volumes.staticSize }}}}
    - {name: nginx-tmp, emptyDir: {sizeLimit: {{ .Values.pod.volumes.nginxTmpSize }}}}
    - {name: tmp, emptyDir: {sizeLimit: {{ .Values.pod.volumes.tmpSize }}}}
  # Spread over nodes as far as possible. matchLabelKeys keeps applications and versions apart without naming any.
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector: {matchLabels: {app.kubernetes.io/managed-by: uwsgi-autopilot}}
      matchLabelKeys: [uwsgi-autopilot.dev/app, pod-template-hash]
  {{- with .Values.pod.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with .Values.pod.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.pod.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.pod.affinity }}
  affinity: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
