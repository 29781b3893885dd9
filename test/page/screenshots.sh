#!/usr/bin/env bash
# Draws the pictures of docs/page.md from a live run: three replicas share four scenarios.
# One fails and one is overridden. Everything listens on loopback.
#
#   test/page/screenshots.sh [MINUTES] [FOLDER]     default 6 minutes, docs/images
#
# Needs ./traffic_exporter (`make build`), and what `make page` does.
set -euo pipefail
cd "$(dirname "$0")/../.."
minutes=${1:-6}
out=$(realpath "${2:-docs/images}")
mkdir -p "$out"
binary=$PWD/traffic_exporter
dir=$(mktemp -d)
pids=()
stop() {
  kill "${pids[@]}" 2>/dev/null || true
  wait "${pids[@]}" 2>/dev/null || true
  rm -rf "$dir"
}
trap stop EXIT
run() {
  "$@" >>"$dir/log" 2>&1 &
  pids+=($!)
}

run "$binary" target --listen-address=127.0.0.1:23300 --latency-p50=18ms --latency-p99=90ms --error-ratio=0.0004
run "$binary" target --listen-address=127.0.0.1:23301 --latency-p50=35ms --latency-p99=220ms --error-ratio=0.04
cat >"$dir/config.yaml" <<'YAML'
fleet: {name: "${REPLICA}", cluster: pictures, listen: "127.0.0.1:${PORT}", join: ["127.0.0.1:23310", "127.0.0.1:23311", "127.0.0.1:23312"]}
scenarios:
  - name: storefront
    time_zone: Europe/Berlin
    rate: {daily: [{at: "03:30", rate: 4/s}, {at: "09:00", rate: 28/s}, {at: "12:30", rate: 42/s}, {at: "15:00", rate: 34/s}, {at: "20:00", rate: 52/s}, {at: "23:00", rate: 16/s}]}
    slo: {objective: 99%, latency: 400ms}
    requests:
      - {name: browse, weight: 8, url: "http://127.0.0.1:23300/products?size=6KiB"}
      - {name: search, weight: 3, url: "http://127.0.0.1:23300/search?size=3KiB"}
      - {name: cart, weight: 1, url: "http://127.0.0.1:23300/cart?latency=70ms"}
  - name: checkout
    rate: {sine: {mean: 12/s, amplitude: 6/s, period: 8h}}
    slo: {objective: 99%, latency: 500ms}
    requests: [{name: pay, method: POST, body: {json: {total: 42, currency: EUR}}, url: "http://127.0.0.1:23300/pay"}]
  - name: partner-api
    rate: 10/s
    slo: {objective: 98%, latency: 400ms}
    requests: [{name: quote, url: "http://127.0.0.1:23301/quote"}]
  - name: reports
    rate: 6/m
    requests: [{name: monthly, url: "http://127.0.0.1:23300/report?latency=400ms&size=60KiB"}]
YAML
for i in 0 1 2; do
  REPLICA=exporter-$i PORT=$((23310 + i)) run "$binary" --config.file="$dir/config.yaml" --web.enable-control --web.listen-address="127.0.0.1:$((23320 + i))"
done
sleep $((minutes * 30))
"$binary" rate set checkout x2 --for=2h --reason="flash sale rehearsal" --by=ada --url=http://127.0.0.1:23320
sleep $((minutes * 30))
cd test/page && node screenshots.mjs http://127.0.0.1:23320/ "$out"
