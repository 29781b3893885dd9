{{- define "traffic-exporter.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{/* At most 40 characters, so that "-dashboard-NAME" and pods' suffixes fit behind it. */}}
{{- define "traffic-exporter.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- $name := include "traffic-exporter.name" . }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "traffic-exporter.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride }}
{{- end }}

{{/* Labels of an object. Takes (dict "root" $ "component" NAME), and "more" for labels of its own. */}}
{{- define "traffic-exporter.labels" -}}
{{- $labels := dict
  "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-")
  "app.kubernetes.io/version" .root.Chart.AppVersion
  "app.kubernetes.io/managed-by" .root.Release.Service
}}
{{- toYaml (merge (include "traffic-exporter.podLabels" . | fromYaml) $labels) }}
{{- end }}

{{/* Labels of a pod: none that changes with the chart's version alone, which would roll the replicas. */}}
{{- define "traffic-exporter.podLabels" -}}
{{- $own := include "traffic-exporter.selectorLabels" . | fromYaml }}
{{- toYaml (merge $own (deepCopy (default dict .more)) (deepCopy .root.Values.commonLabels)) }}
{{- end }}

{{/* Labels that select pods. They must never change: a Deployment's selector is immutable. */}}
{{- define "traffic-exporter.selectorLabels" -}}
app.kubernetes.io/name: {{ include "traffic-exporter.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "traffic-exporter.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "traffic-exporter.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "traffic-exporter.image" -}}
{{- with .Values.image }}
{{- if .digest }}
{{- printf "%s@%s" .repository .digest }}
{{- else }}
{{- printf "%s:%s" .repository (default $.Chart.AppVersion .tag) }}
{{- end }}
{{- end }}
{{- end }}

{{/* The name of the object that holds the configuration, and of the volume's source. */}}
{{- define "traffic-exporter.configName" -}}
{{- default (include "traffic-exporter.fullname" .) .Values.existingConfig.name }}
{{- end }}

{{- define "traffic-exporter.configFile" -}}
/etc/traffic_exporter/config/{{ if .Values.existingConfig.name }}{{ .Values.existingConfig.key }}{{ else }}config.yaml{{ end }}
{{- end }}

{{- define "traffic-exporter.demo" -}}
{{- if and .Values.demo.enabled (not .Values.existingConfig.name) }}true{{ end }}
{{- end }}

{{/* Whether replicas gossip, rather than meet in etcd or Consul, or not at all. */}}
{{- define "traffic-exporter.gossip" -}}
{{- if and .Values.fleet.enabled (eq (default "memberlist" .Values.fleet.config.store) "memberlist") }}true{{ end }}
{{- end }}

{{/* The Deployment that is installed, or nothing: also where the chart is rendered without a cluster. */}}
{{- define "traffic-exporter.live" -}}
{{- lookup "apps/v1" "Deployment" (include "traffic-exporter.namespace" .) (include "traffic-exporter.fullname" .) | toJson }}
{{- end }}

{{/*
The number of replicas to ask for. Where it is others' to say, it is the one that there is: to leave it out would make it 1 where Helm has
written it before, and to write another would be a conflict with them.
*/}}
{{- define "traffic-exporter.replicas" -}}
{{- if or .Values.autoscaling.enabled (kindIs "invalid" .Values.replicas) }}
{{- dig "spec" "replicas" "" (include "traffic-exporter.live" . | fromJson) }}
{{- else }}
{{- int .Values.replicas }}
{{- end }}
{{- end }}

{{/* A name in a namespace that may be that of several releases. Takes (dict "root" $ "namespace" NAMESPACE). */}}
{{- define "traffic-exporter.nameIn" -}}
{{- $own := include "traffic-exporter.namespace" .root }}
{{- $name := include "traffic-exporter.fullname" .root }}
{{- if eq .namespace $own }}
{{- $name }}
{{- else if le (len (printf "%s-%s" $own $name)) 40 }}
{{- printf "%s-%s" $own $name }}
{{- else }}
{{- printf "%s-%s" (printf "%s-%s" $own $name | trunc 31 | trimSuffix "-") (printf "%s/%s" $own $name | sha256sum | trunc 8) }}
{{- end }}
{{- end }}

{{/* What decides which replicas hear each other. Of those that differ in it, each would take itself for the fleet. */}}
{{- define "traffic-exporter.meets" -}}
{{- if .Values.existingConfig.name }}
{{- printf "existing" }}
{{- else if not .Values.fleet.enabled }}
{{- printf "alone" }}
{{- else }}
{{- $fleet := include "traffic-exporter.fleet" . | fromYaml }}
{{- /* The number is that of what replicas say to each other: another one is for versions that do not understand each other. */}}
{{- $meets := merge (dict "protocol" 2 "etcd" (dig "etcd" "endpoints" "" $fleet) "consul" (dig "consul" "address" "" $fleet)) (pick $fleet "store" "cluster" "tls_config") }}
{{- if hasKey .Values.fleet.config "join" }}
{{- /* The chart's own way to join finds replicas at any port. */}}
{{- $meets = merge $meets (pick $fleet "join" "listen" "advertise") }}
{{- end }}
{{- toJson $meets | sha256sum | trunc 16 }}
{{- end }}
{{- end }}

{{/* How replicas are replaced. A replacement that another upgrade comes into stays what it is. */}}
{{- define "traffic-exporter.strategy" -}}
{{- $live := include "traffic-exporter.live" . | fromJson }}
{{- $meets := dig "metadata" "annotations" "checksum/meets" "" $live }}
{{- $going := and (eq "Recreate" (dig "spec" "strategy" "type" "" $live)) (ne (dig "status" "replicas" 0 $live | int) (dig "status" "updatedReplicas" 0 $live | int)) }}
{{- if ne .Values.strategy "Auto" }}
{{- .Values.strategy }}
{{- else if or $going (and $live (ne $meets (include "traffic-exporter.meets" .))) }}
{{- printf "Recreate" }}
{{- else }}
{{- printf "RollingUpdate" }}
{{- end }}
{{- end }}

{{/*
Where replicas may run: not in a cluster, all of whose nodes have one operating system here, in which others run that they could not hear. So
a rollout that should have stopped those first, as the chart could not see them, waits and sends nothing twice.
*/}}
{{- define "traffic-exporter.affinity" -}}
{{- $affinity := deepCopy .Values.affinity }}
{{- if ne .Values.strategy "RollingUpdate" }}
{{- $others := dict "key" "checksum/meets" "operator" "NotIn" "values" (list (include "traffic-exporter.meets" .)) }}
{{- $selector := dict "matchLabels" (include "traffic-exporter.selectorLabels" (dict "root" . "component" "exporter") | fromYaml) "matchExpressions" (list $others) }}
{{- $anti := dig "podAntiAffinity" dict $affinity | deepCopy }}
{{- $required := dig "requiredDuringSchedulingIgnoredDuringExecution" list $anti }}
{{- $_ := set $anti "requiredDuringSchedulingIgnoredDuringExecution" (append $required (dict "labelSelector" $selector "topologyKey" "kubernetes.io/os")) }}
{{- $_ := set $affinity "podAntiAffinity" $anti }}
{{- end }}
{{- toYaml $affinity }}
{{- end }}

{{/* The section "fleet" of the file. Replicas differ by what they take from the environment. */}}
{{- define "traffic-exporter.fleet" -}}
{{- $fleet := dict
  "name" "${POD_NAME}"
  "cluster" (printf "%s/%s" (include "traffic-exporter.namespace" .) (include "traffic-exporter.fullname" .))
}}
{{- $replicas := int .Values.replicas }}
{{- if .Values.autoscaling.enabled }}
{{- $replicas = int .Values.autoscaling.minReplicas }}
{{- else if and (kindIs "invalid" .Values.replicas) (not .Values.fleet.minReplicas) }}
{{- fail "fleet.minReplicas: set it, as replicas is null and does not say how many there are" }}
{{- end }}
{{- $_ := set $fleet "min_replicas" (int .Values.fleet.minReplicas | default (add 1 (div $replicas 2))) }}
{{- if and .Values.autoscaling.enabled (gt $replicas 1) }}
{{- $_ := set $fleet "min_replicas_alone" (div (add 1 (int .Values.autoscaling.maxReplicas)) 2) }}
{{- end }}
{{- if include "traffic-exporter.gossip" . }}
{{- $_ := set $fleet "start_alone_after" .Values.fleet.startAloneAfter }}
{{- /* In brackets it may be an address of either family. */}}
{{- $_ := set $fleet "listen" (printf "[${POD_IP}]:%d" (int .Values.fleet.port)) }}
{{- /* SRV records hold each pod's own port, so that replicas find each other while it changes. Addresses will do where there are none. */}}
{{- $service := printf "%s-fleet.%s.svc" (include "traffic-exporter.fullname" .) (include "traffic-exporter.namespace" .) }}
{{- $_ := set $fleet "join" (list (printf "dnssrv+_gossip._tcp.%s" $service) (printf "dns+%s:%d" $service (int .Values.fleet.port))) }}
{{- end }}
{{- toYaml (mergeOverwrite $fleet (deepCopy .Values.fleet.config)) }}
{{- end }}

{{/* The scenario that the demo's target gets. */}}
{{- define "traffic-exporter.demoScenario" -}}
name: demo
rate: {{- .Values.demo.rate | default (dict "sine" (dict "mean" "20/s" "amplitude" "10/s" "period" "10m")) | toYaml | nindent 2 }}
arrivals: poisson
slo: {objective: 99%, latency: 300ms}
limits: {max_rate: 1000/s}
requests:
  - name: browse
    weight: 9
    url: http://{{ include "traffic-exporter.fullname" . }}-demo-target.{{ include "traffic-exporter.namespace" . }}.svc:9871/products
  - name: search
    weight: 1
    url: http://{{ include "traffic-exporter.fullname" . }}-demo-target.{{ include "traffic-exporter.namespace" . }}.svc:9871/search?latency=120ms
{{- end }}

{{/* The scenarios of the file, the demo's first. */}}
{{- define "traffic-exporter.scenarios" -}}
{{- $scenarios := .Values.config.scenarios | default list }}
{{- if include "traffic-exporter.demo" . }}
{{- $scenarios = prepend $scenarios (include "traffic-exporter.demoScenario" . | fromYaml) }}
{{- end }}
{{- if not $scenarios }}
{{- fail "there is nothing to send: set config.scenarios, existingConfig.name or demo.enabled" }}
{{- end }}
{{- toYaml $scenarios }}
{{- end }}

{{/* The configuration file. */}}
{{- define "traffic-exporter.config" -}}
{{- $file := dict "scenarios" (include "traffic-exporter.scenarios" . | fromYamlArray) }}
{{- if .Values.fleet.enabled }}
{{- $_ := set $file "fleet" (include "traffic-exporter.fleet" . | fromYaml) }}
{{- end }}
{{- toYaml (mergeOverwrite (deepCopy .Values.config) $file) }}
{{- end }}

{{/* A duration of the file, such as 1h30m, in whole seconds, rounded up. */}}
{{- define "traffic-exporter.seconds" -}}
{{- $ms := 0 }}
{{- $units := dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000 "d" 86400000 "w" 604800000 "y" 31536000000 }}
{{- range regexFindAll "[0-9]+(ms|[smhdwy])" (toString .) -1 }}
{{- $ms = add $ms (mul (regexFind "^[0-9]+" . | int64) (get $units (regexFind "[a-z]+$" .) | int64)) }}
{{- end }}
{{- div (add $ms 999) 1000 }}
{{- end }}

{{/* Longer than handing over takes at worst: docs/fleet.md, "Shutdown in Kubernetes". */}}
{{- define "traffic-exporter.grace" -}}
{{- if .Values.terminationGracePeriodSeconds }}
{{- int .Values.terminationGracePeriodSeconds }}
{{- else if .Values.existingConfig.name }}
{{- 60 }}
{{- else }}
{{- $longest := 10 }}
{{- range include "traffic-exporter.scenarios" . | fromYamlArray }}
{{- $timeout := include "traffic-exporter.seconds" (default "10s" .timeout) | int }}
{{- /* Requests and steps may have timeouts of their own, however deep they stand. */}}
{{- range regexFindAll "\"timeout\":\"[^\"]*\"" (toJson .requests) -1 }}
{{- $timeout = max $timeout (include "traffic-exporter.seconds" . | int) }}
{{- end }}
{{- $journeys := 0 }}
{{- $grace := include "traffic-exporter.seconds" (default "15s" .shutdown_grace) | int }}
{{- range .requests }}
{{- if hasKey . "steps" }}
{{- $journeys = $grace }}
{{- end }}
{{- end }}
{{- $longest = max $longest (add $timeout $journeys) }}
{{- end }}
{{- add $longest 20 (ternary 5 0 (hasKey .Values.config "otlp")) }}
{{- end }}
{{- end }}

{{/* A part of the limit of the memory, in bytes, or nothing. */}}
{{- define "traffic-exporter.goMemLimit" -}}
{{- $limit := dig "limits" "memory" "" .Values.resources }}
{{- if kindIs "float64" $limit }}
{{- $limit = printf "%.0f" $limit }}
{{- end }}
{{- $percent := int .Values.goMemLimitPercent }}
{{- if and $limit $percent }}
{{- $units := dict "" 1.0 "m" 0.001 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "Ki" 1024.0 "Mi" 1048576.0 "Gi" 1073741824.0 "Ti" 1099511627776.0 }}
{{- $unit := regexFind "[A-Za-z]+$" $limit }}
{{- if not (and (regexMatch "^[0-9.]+[A-Za-z]*$" $limit) (hasKey $units $unit)) }}
{{- fail (printf "resources.limits.memory: found %q, expected a quantity such as 256Mi; or set goMemLimitPercent: 0" $limit) }}
{{- end }}
{{- mulf (regexFind "^[0-9.]+" $limit | float64) (get $units $unit) $percent 0.01 | floor | int64 }}
{{- end }}
{{- end }}

{{/* Environment variables that the configuration may name. */}}
{{- define "traffic-exporter.env" -}}
- name: POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: POD_IP
  valueFrom: {fieldRef: {fieldPath: status.podIP}}
- name: POD_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
- name: NODE_NAME
  valueFrom: {fieldRef: {fieldPath: spec.nodeName}}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Whole folders are mounted and never single files: only then do changes reach the pod. */}}
{{- define "traffic-exporter.volumeMounts" -}}
- {name: config, mountPath: /etc/traffic_exporter/config, readOnly: true}
{{- range .Values.secrets }}
- {name: {{ printf "secret-%s" .name | trunc 63 | trimSuffix "-" | quote }}, mountPath: {{ printf "/etc/traffic_exporter/secrets/%s" .name | quote }}, readOnly: true}
{{- end }}
{{- if .Values.web.existingSecret }}
- {name: web-config, mountPath: /etc/traffic_exporter/web, readOnly: true}
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "traffic-exporter.volumes" -}}
- name: config
  {{- if and .Values.existingConfig.name (eq .Values.existingConfig.kind "Secret") }}
  secret: {secretName: {{ include "traffic-exporter.configName" . | quote }}}
  {{- else }}
  configMap: {name: {{ include "traffic-exporter.configName" . | quote }}}
  {{- end }}
{{- range .Values.secrets }}
- name: {{ printf "secret-%s" .name | trunc 63 | trimSuffix "-" | quote }}
  secret: {secretName: {{ .name | quote }}}
{{- end }}
{{- with .Values.web.existingSecret }}
- name: web-config
  secret: {secretName: {{ . | quote }}}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The path that everything is served under, without a slash at its end. */}}
{{- define "traffic-exporter.prefix" -}}
{{- with trimAll "/" (default (get (urlParse (default "" .Values.web.externalUrl)) "path") .Values.web.routePrefix) }}/{{ . }}{{ end }}
{{- end }}

{{/* What a probe asks. Takes (dict "root" $ "path" PATH). */}}
{{- define "traffic-exporter.probe" -}}
{{- if eq .root.Values.probes.handler "tcp" -}}
tcpSocket: {port: http}
{{- else -}}
httpGet:
  path: {{ include "traffic-exporter.prefix" .root }}{{ .path }}
  port: http
  scheme: {{ .root.Values.web.scheme }}
  {{- with .root.Values.probes.httpHeaders }}
  httpHeaders: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end }}
