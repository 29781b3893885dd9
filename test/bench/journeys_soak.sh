#!/usr/bin/env bash
# Journeys with data, cookies and captures, until there were so many: the process must not grow.
#
#   test/bench/journeys_soak.sh [JOURNEYS] [JOURNEYS/S]     default 10000000 at 12000/s
#
# Prints the resident memory at ten points, and fails if the last one is more than a tenth above
# the second, or a journey failed. Needs Linux, the binary ./traffic_exporter (`make build`) and
# nginx as the target. Everything is on loopback: port 21999 is the target's, 22999 the exporter's.
set -euo pipefail
cd "$(dirname "$0")/../.."

journeys=${1:-10000000} rate=${2:-12000}
LOCATION='default_type application/json; add_header Set-Cookie "sid=$request_id; Path=/"; return 200 "{\"items\":[{\"id\":1},{\"id\":2}]}";'
source test/bench/target.sh

{
  echo name,town
  for ((i = 0; i < 1000; i++)); do echo "user $i,town $i"; done
} >"$dir/people.csv"
cat >"$dir/config.yaml" <<YAML
data: {people: {file: people.csv}}
scenarios:
  - name: soak
    rate: $rate/s
    base_url: http://127.0.0.1:21999
    variables: {person: {row: people}}
    limits: {max_in_flight: 1000}
    shutdown_grace: 0s
    requests:
      - name: visit
        cookies: true
        steps:
          - {name: list, url: /list, query: {user: "{{ person.name }}"}, capture: {item: {json: items, pick: random}}}
          - {name: item, url: "/item/{{ item.id }}", expect: {json: {"items.#": 2}}}
YAML
./traffic_exporter --config.file="$dir/config.yaml" --log.level=error --web.listen-address=127.0.0.1:22999 &
pid=$!
pids+=($pid)
sleep 2
value() { curl -sf http://127.0.0.1:22999/metrics | awk -v name="$1" 'index($1, name) == 1 {sum += $2} END {printf "%.0f", sum}'; }
for ((point = 1; point <= 10; point++)); do
  while (($(value traffic_slots_finished_total) < journeys * point / 10)); do sleep 1; done
  now=$(rss $pid)
  ((point == 2)) && second=$now
  echo "$point: $(value traffic_slots_finished_total) journeys, $((now / 1024)) MB resident, $(value go_goroutines) goroutines"
done
failed=$(value traffic_request_failures_total)
echo "$failed requests failed, $(value traffic_slots_dropped_total) slots were dropped"
((failed == 0 && now * 10 <= second * 11))
