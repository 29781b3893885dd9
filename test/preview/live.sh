#!/usr/bin/env bash
# Draws the dashboards from a live run: three replicas send four scenarios to two demo
# targets, and one target fails and stalls; a rate is overridden, the configuration is
# reloaded, a replica leaves and comes back. Everything listens on loopback.
#
#   test/preview/live.sh [MINUTES] [FOLDER]      default 12 minutes, pictures in the folder .
#
# SVG, and PNG by the browser $CHROMIUM (default chromium, empty for none). With HOLD=1 it
# all goes on running afterwards.
#
# Needs ./traffic_exporter and .tools/preview (`make build previewer`), Prometheus in $PROMETHEUS or in
# .tools (`make e2e` builds it) and free ports from 23000 on.
set -euo pipefail
minutes=${1:-12}
mkdir -p "${2:-.}"
out=$(realpath "${2:-.}")
cd "$(dirname "$0")/../.."

binary=$PWD/traffic_exporter
previewer=$PWD/.tools/preview
prometheus=${PROMETHEUS:-$(ls "$PWD"/.tools/prometheus-* | head -1)}
dir=$(mktemp -d)
declare -A pids
stop() {
  kill "${pids[@]}" 2>/dev/null || true
  wait "${pids[@]}" 2>/dev/null || true
  rm -rf "$dir"
}
trap stop EXIT

run() { # NAME COMMAND...
  local name=$1
  shift
  "$@" >>"$dir/$name.log" 2>&1 &
  pids[$name]=$!
}
replica() { # NUMBER
  REPLICA=exporter-$1 PORT=$((23010 + $1)) run "replica$1" "$binary" --config.file="$dir/config.yaml" --config.watch-interval=1s \
    --web.enable-control --web.listen-address="127.0.0.1:$((23020 + $1))"
}

run target "$binary" target --listen-address=127.0.0.1:23000 --latency-p50=18ms --latency-p99=90ms --error-ratio=0.0004
run flaky "$binary" target --listen-address=127.0.0.1:23001 --latency-p50=35ms --latency-p99=220ms --error-ratio=0.03 --stall-every=3m --stall-for=2s

cat >"$dir/config.yaml" <<YAML
fleet: {name: "\${REPLICA}", cluster: preview, listen: "127.0.0.1:\${PORT}", join: ["127.0.0.1:23010", "127.0.0.1:23011", "127.0.0.1:23012"]}
scenarios:
  - name: storefront
    rate: {sine: {mean: 60/s, amplitude: 30/s, period: 5m}}
    arrivals: poisson
    slo: {objective: 99%, latency: 400ms}
    http_config: {max_conn_age: 20s}
    requests:
      - {name: browse, weight: 8, url: "http://127.0.0.1:23000/products?size=6KiB"}
      - {name: search, weight: 3, url: "http://127.0.0.1:23000/search?size=3KiB"}
      - {name: cart, weight: 1, url: "http://127.0.0.1:23000/cart?latency=70ms"}
  - name: checkout
    rate: 25/s
    slo: {objective: 99%, latency: 300ms}
    http_config: {max_conn_age: 30s}
    requests: [{name: pay, method: POST, body: '{"total": 42}', url: "http://127.0.0.1:23000/pay"}]
  - name: reports
    rate: {steps: [{rate: 4/s, for: 2m}, {rate: 12/s, for: 1m}]}
    http_config: {protocol: h2c}
    requests: [{name: monthly, url: "http://127.0.0.1:23000/report?latency=400ms&size=60KiB"}]
  - name: partner-api
    rate: 15/s
    timeout: 1s
    slo: {objective: 96%, latency: 300ms}
    limits: {max_in_flight: 8}
    http_config: {max_conn_age: 20s}
    requests:
      - {name: quote, weight: 4, url: "http://127.0.0.1:23001/quote"}
      - {name: legacy, weight: 1, url: "http://127.0.0.1:23001/legacy", expect: {status: [200]}}
YAML
cat >"$dir/rules.yml" <<'YAML'
groups:
  - name: preview
    interval: 5s
    rules:
      - alert: TrafficErrorBudgetBurn
        expr: |
          sum by (scenario) (rate(traffic_slo_requests_total{good="false"}[1m])) / sum by (scenario) (rate(traffic_slo_requests_total[1m]))
            > 2 * (1 - max by (scenario) (traffic_slo_objective_ratio))
        labels: {severity: warning}
YAML
cat >"$dir/prometheus.yml" <<YAML
global: {scrape_interval: 5s, scrape_timeout: 2s}
rule_files: ["$dir/rules.yml"]
scrape_configs:
  - job_name: traffic-exporter
    scrape_native_histograms: true
    always_scrape_classic_histograms: true # for the exemplars, see docs/dashboards.md
    static_configs:
      - targets: ["exporter-0", "exporter-1", "exporter-2"]
    relabel_configs:
      - {source_labels: [__address__], target_label: instance}
      - {source_labels: [__address__], regex: "exporter-(.)", replacement: "127.0.0.1:2302\$1", target_label: __address__}
YAML

for i in 0 1 2; do replica $i; done
run prometheus "$prometheus" --config.file="$dir/prometheus.yml" --storage.tsdb.path="$dir/data" \
  --web.listen-address=127.0.0.1:23090 --enable-feature=exemplar-storage
quarter=$((minutes * 60 / 4))
sleep $quarter
"$binary" rate set checkout x2 --for=$((quarter / 2))s --reason="flash sale" --url=http://127.0.0.1:23020 >/dev/null
sleep $quarter
kill "${pids[replica2]}"
wait "${pids[replica2]}"
sleep 20
replica 2
sed -i 's/{rate: 12/{rate: 14/' "$dir/config.yaml"
sleep $((2 * quarter - 20))
draw() {
  "$previewer" --prometheus=http://127.0.0.1:23090 --out="$out" --range="${minutes}m" --scrape-interval=5s --day=40s \
    --chromium="${CHROMIUM-chromium}" "$@"
}
draw dashboards/overview.json dashboards/fleet.json
draw --var=scenario=partner-api dashboards/scenario.json
if [[ -n ${HOLD:-} ]]; then
  echo "http://127.0.0.1:23090 goes on until you press enter"
  read -r
fi
