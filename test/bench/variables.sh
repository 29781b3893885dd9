#!/usr/bin/env bash
# What variables cost: processor time of a request with three of them, in the path, the query
# and a JSON body, as a multiple of what a fixed one takes.
#
#   test/bench/variables.sh [RATE] [SECONDS] [ROUNDS]      default 20000/s, 6 s, 5 rounds
#
# Needs Linux, the binary ./traffic_exporter (`make build`), nginx as the target and two
# processors. Everything is on loopback: port 21999 is the target's, 22999 the exporter's.
set -euo pipefail
cd "$(dirname "$0")/../.."

rate=${1:-20000} seconds=${2:-6} rounds=${3:-5}
PIN=0
source test/bench/target.sh

config() { # name, path, query, body
  cat >"$dir/$1.yaml" <<YAML
scenarios:
  - name: bench
    rate: $rate/s
    variables: {product: {one_of: [0PUK6V6EV0, 1YMWWN1N4O, 2ZYFJ3GM2N]}, quantity: {int: {from: 1, to: 10}}, user: {int: {from: 1, to: 962}}}
    requests: [{name: add, method: POST, url: "http://127.0.0.1:21999/cart/$2", query: {user: "$3"}, body: {json: {product: "$2", quantity: $4, note: some text that does not vary}}}]
YAML
}
config fixed 0PUK6V6EV0 481 7
config varying '{{ product }}' '{{ user }}' '"{{ quantity }}"'

for ((i = 0; i < rounds; i++)); do
  for kind in fixed varying; do
    taskset -c 1 ./traffic_exporter --config.file="$dir/$kind.yaml" --log.level=error --web.listen-address=127.0.0.1:22999 &
    pid=$!
    sleep 2
    before=$(ticks $pid)
    done=$(curl -sf http://127.0.0.1:22999/metrics | awk '/^traffic_slots_finished_total/ {printf "%.0f", $2}')
    sleep "$seconds"
    cpu=$(($(ticks $pid) - before))
    done=$(($(curl -sf http://127.0.0.1:22999/metrics | awk '/^traffic_slots_finished_total/ {printf "%.0f", $2}') - done))
    kill $pid
    wait $pid 2>/dev/null || true
    echo "$kind $cpu $done" | tee -a "$dir/results" | awk '{printf "%s: %.1f us a request, %d requests\n", $1, $2 * 1e4 / $3, $3}'
  done
done
awk '{t = $2 * 1e4 / $3; if ($1 == "fixed") f = t; else print t / f}' "$dir/results" | sort -n |
  awk '{r[NR] = $1} END {printf "with variables: %.2f times, the median of %d rounds\n", r[int((NR + 1) / 2)], NR}'
