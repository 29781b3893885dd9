#!/usr/bin/env bash
# What membership costs a replica: CPU and memory of each of N replicas that gossip on
# loopback and send nothing.
#
#   test/bench/fleet_idle.sh [N] [SECONDS]      default 10 replicas for 60 s
#
# Needs Linux, the binary ./traffic_exporter (`make build`) and N free ports from 21000
# and 22000 on.
set -euo pipefail
cd "$(dirname "$0")/../.."

replicas=${1:-10} seconds=${2:-60}
binary=$PWD/traffic_exporter
dir=$(mktemp -d)
pids=()
stop() {
  kill "${pids[@]}" 2>/dev/null || true
  wait "${pids[@]}" 2>/dev/null || true
  rm -rf "$dir"
}
trap stop EXIT

join=$(for ((i = 0; i < replicas; i++)); do printf '"127.0.0.1:%d", ' $((21000 + i)); done)
cat >"$dir/config.yaml" <<YAML
fleet: {listen: "127.0.0.1:\${PORT}", join: [$join], cluster: bench}
scenarios:
  - {name: idle, rate: 0/s, requests: [{name: none, url: "http://127.0.0.1:1/"}]}
YAML

for ((i = 0; i < replicas; i++)); do
  PORT=$((21000 + i)) "$binary" --config.file="$dir/config.yaml" --log.level=error \
    --web.listen-address="127.0.0.1:$((22000 + i))" 2>>"$dir/log" &
  pids+=($!)
done

metric() { curl -sf "http://127.0.0.1:$1/metrics" | awk -v name="$2" '$1 == name {print $2}'; }
for ((i = 0; i < replicas; i++)); do
  for ((try = 0; ; try++)); do
    [[ $(metric $((22000 + i)) traffic_fleet_members) == "$replicas" ]] && break
    if ((try == 100)); then cat "$dir/log"; echo "the fleet does not form" >&2; exit 1; fi
    sleep 0.2
  done
done

ticks() { awk '{print $14 + $15}' "/proc/$1/stat"; } # user and system, in 1/100 s
sleep 5
declare -a before
for pid in "${pids[@]}"; do before+=("$(ticks "$pid")"); done
sleep "$seconds"
echo "$replicas replicas, $seconds s idle, $(nproc) cores"
for ((i = 0; i < replicas; i++)); do
  pid=${pids[i]}
  cpu=$(($(ticks "$pid") - before[i]))
  rss=$(awk '/VmRSS/ {print $2}' "/proc/$pid/status")
  echo "$i $cpu $rss" | awk -v s="$seconds" '{printf "replica %d: %.2f %% of a core, %.1f MB resident\n", $1, $2 / s, $3 / 1024}'
done | tee "$dir/result"
awk '{cpu += $3; if ($3 > most) most = $3; if ($8 > rss) rss = $8}
  END {printf "mean %.2f %%, most %.2f %% of a core; at most %.1f MB resident\n", cpu / NR, most, rss}' "$dir/result"
