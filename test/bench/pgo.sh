#!/usr/bin/env bash
# A profile that go build optimises the sending path by: cmd/traffic_exporter/default.pgo. The tree has
# none (docs/design/0028).
#
#   test/bench/pgo.sh PEERS [SECONDS]      default 5 s for each kind of request
#
# It runs the binary ./traffic_exporter (`make build`) by all protocols, at a rate and flat out, and
# with variables, and merges the profiles. PEERS is the suite's binary (`make bench-peers` builds it).
# Needs Linux, nginx as the target and two processors.
set -euo pipefail
cd "$(dirname "$0")/../.."

peers=$1 seconds=${2:-5}
PIN=0
source test/bench/target.sh

mkdir "$dir/profiles" "$dir/docs"
PATH=$PATH:/usr/sbin "$peers" -traffic_exporter ./traffic_exporter -full -repetitions 1 -window "${seconds}s" \
  -only 'load/(http1/(1k|5k|flat)|(https1|h2c|h2|grpc)/(5k|flat))/traffic_exporter$' -docs "$dir/docs" -profiles "$dir/profiles"

cat >"$dir/varying.yaml" <<'YAML'
scenarios:
  - name: bench
    rate: 50000/s
    variables: {product: {one_of: [0PUK6V6EV0, 1YMWWN1N4O, 2ZYFJ3GM2N]}, quantity: {int: {from: 1, to: 10}}, user: {int: {from: 1, to: 962}}}
    requests: [{name: add, method: POST, url: "http://127.0.0.1:21999/cart/{{ product }}", query: {user: "{{ user }}"}, body: {json: {product: "{{ product }}", quantity: "{{ quantity }}"}}}]
YAML
taskset -c 1 ./traffic_exporter --config.file="$dir/varying.yaml" --log.level=error --web.listen-address=127.0.0.1:22999 &
pids+=($!)
curl -sf --retry 20 --retry-delay 1 --retry-connrefused -o "$dir/profiles/varying.pb.gz" "http://127.0.0.1:22999/debug/pprof/profile?seconds=$seconds"

go tool pprof -proto -output cmd/traffic_exporter/default.pgo "$dir"/profiles/*.pb.gz
