#!/usr/bin/env bash
# What a user costs who waits: memory for each, and processor time for each journey, of
# traffic_exporter and of k6. A journey is a request, a pause, and a request.
#
#   test/bench/users.sh [JOURNEYS/S] [PAUSE] [K6_USERS]     default 10000/s, 100 s, 2000
#
# JOURNEYS/S times PAUSE are the users at a time: a million by default. k6 has as many virtual
# users as are asked for, who do the same over and over.
#
# Needs Linux, the binary ./traffic_exporter (`make build`), nginx as the target, and k6 if K6
# names it. Everything is on loopback: port 21999 is the target's, 22999 the exporter's.
set -euo pipefail
cd "$(dirname "$0")/../.."

rate=${1:-10000} pause=${2:-100} users=${3:-2000}
source test/bench/target.sh

cat >"$dir/config.yaml" <<YAML
scenarios:
  - name: users
    rate: $rate/s
    base_url: http://127.0.0.1:21999
    variables: {n: {int: {from: 1, to: 1000000}}}
    limits: {max_journeys: 10000000, max_in_flight: 1000}
    shutdown_grace: 0s
    requests:
      - name: visit
        steps: [{name: first, url: "/first/{{ n }}"}, {pause: ${pause}s}, {name: second, url: "/second/{{ n }}"}]
YAML
./traffic_exporter --config.file="$dir/config.yaml" --log.level=error --web.listen-address=127.0.0.1:22999 &
pid=$!
pids+=($pid)
sleep 2
small=$(rss $pid)
sleep "$((pause + 5))"
before=$(ticks $pid)
sleep 20
cpu=$(($(ticks $pid) - before))
large=$(rss $pid)
curl -sf http://127.0.0.1:22999/metrics >"$dir/metrics"
value() { awk -v name="$1" 'index($1, name) == 1 && $1 !~ /_bucket/ {sum += $2} END {printf "%.0f", sum}' "$dir/metrics"; }
awk -v users="$(value traffic_journeys_in_progress)" -v small="$small" -v large="$large" -v cpu=$cpu -v rate="$rate" 'BEGIN {
  printf "traffic_exporter: %d users at a time, %.0f MB resident, %.2f KB for each user; %.1f us of processor time a journey\n",
    users, large / 1024, (large - small) / users, cpu / 100 / 20 / rate * 1e6}'
echo "  ledger: due $(value traffic_slots_due_total), finished $(value traffic_slots_finished_total)," \
  "in flight $(value traffic_slots_in_flight), dropped $(value traffic_slots_dropped_total); requests failed $(value traffic_request_failures_total)"
awk '/^traffic_send_delay_seconds_bucket/ {split($1, a, "le=\""); split(a[2], b, "\""); le[++n] = b[1]; count[n] = $2}
  END {for (i = 1; i <= n; i++) if (count[i] >= 0.99 * count[n]) {print "  send delay, 99th percentile: at most " le[i] " s"; exit}}' "$dir/metrics"
kill $pid
wait $pid 2>/dev/null || true

if [[ -z ${K6:-} || ! -x ${K6:-} ]]; then
  echo "k6: K6 names no program"
  exit
fi
cat >"$dir/script.js" <<JS
import http from 'k6/http';
import { sleep } from 'k6';
export const options = { discardResponseBodies: true, scenarios: { users: { executor: 'constant-vus', vus: $users, duration: '10m', gracefulStop: '0s' } } };
export default function () {
  const n = Math.floor(Math.random() * 1000000);
  http.get('http://127.0.0.1:21999/first/' + n, { tags: { name: 'first' } });
  sleep(10);
  http.get('http://127.0.0.1:21999/second/' + n, { tags: { name: 'second' } });
}
JS
"$K6" run --quiet --no-usage-report --no-summary "$dir/script.js" >"$dir/k6" 2>&1 &
pid=$!
pids+=($pid)
sleep 1
small=$(rss $pid)
sleep 44
before=$(ticks $pid)
sleep 20
cpu=$(($(ticks $pid) - before))
large=$(rss $pid)
awk -v users="$users" -v small="$small" -v large="$large" -v cpu=$cpu 'BEGIN {
  printf "k6: %d virtual users with pauses of 10 s, %.0f MB resident, %.1f KB for each user; %.1f us of processor time an iteration\n",
    users, large / 1024, large / users, cpu / 100 / 20 / (users / 10) * 1e6}'
