#!/usr/bin/env bash
# What compose.yaml runs, without Docker and without Grafana: three replicas, a target, Prometheus with the rules, and
# Alertmanager, all on loopback, until Ctrl-C. `make run-stack` builds what it needs and calls it.
#
# TRAFFIC_EXPORTER, PROMETHEUS and ALERTMANAGER are the binaries, ADDRESS is where all of them listen.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
address=${ADDRESS:-127.0.0.1}
: "${TRAFFIC_EXPORTER:?run 'make run-stack'}" "${PROMETHEUS:?run 'make run-stack'}" "${ALERTMANAGER:?run 'make run-stack'}"

folder=$(mktemp -d)
pids=()
stop() {
  trap - EXIT INT TERM
  # All are asked to end, and given the time to.
  if ((${#pids[@]})); then
    kill "${pids[@]}" 2>/dev/null || true
    wait "${pids[@]}" 2>/dev/null || true
  fi
  rm -rf "$folder"
}
trap stop EXIT
trap 'exit 0' INT TERM

# run starts a program, whose output goes to a file of its name.
run() {
  local name=$1
  shift
  "$@" >"$folder/$name.log" 2>&1 &
  pids+=($!)
}

run target "$TRAFFIC_EXPORTER" target --listen-address="$address:9871" --latency-p50=20ms --latency-p99=80ms --error-ratio=0.001

targets=()
for i in 0 1 2; do
  export TARGET=$address:9871 JOIN=$address:7946 GOSSIP=$address:$((7946 + i))
  run "exporter-$i" "$TRAFFIC_EXPORTER" --config.file="$here/exporter/config.yaml" --web.listen-address="$address:$((9880 + i))" --web.enable-control
  targets+=("$address:$((9880 + i))")
done

# Prometheus' file, with addresses in the place of names.
list=$(IFS=,; echo "${targets[*]}")
sed -e "s|/etc/prometheus/rules|$here/../../dashboards/rules|" \
  -e "s|alertmanager:9093|$address:9093|" \
  -e "s|dns_sd_configs: .*|static_configs: [{targets: [$list]}]|" \
  "$here/prometheus.yml" >"$folder/prometheus.yml"
run prometheus "$PROMETHEUS" --config.file="$folder/prometheus.yml" --storage.tsdb.path="$folder/prometheus" \
  --web.listen-address="$address:9090" --enable-feature=exemplar-storage
run alertmanager "$ALERTMANAGER" --config.file="$here/alertmanager.yml" --storage.path="$folder/alertmanager" \
  --web.listen-address="$address:9093" --cluster.listen-address=

cat <<TEXT
replicas      http://$address:9880 to :9882    $TRAFFIC_EXPORTER rate list --url=http://$address:9880
Prometheus    http://$address:9090/api/v1/query?query=scenario:traffic_requests:rate5m
Alertmanager  http://$address:9093/api/v2/alerts
Grafana       is not started. Give yours Prometheus as a data source and import deploy/helm/traffic-exporter/files/dashboards/*.json.
Change        $here/exporter/config.yaml while it runs. Logs are in $folder. Ctrl-C ends all of it.
TEXT

# Who ends early says why in its log.
wait -n "${pids[@]}" || true
for log in "$folder"/*.log; do
  echo "==> $(basename "$log" .log)"
  tail -n 5 "$log"
done
echo "run.sh: a program has ended" >&2
exit 1
