# Sourced by the other scripts: a target on loopback, and what they read of processes. It makes
# $dir, which is removed at the end with all processes in pids, and starts nginx on port 21999.
# PIN, if set, is the processor that it runs on, and LOCATION what it does with a request.
dir=$(mktemp -d)
pids=()
stop() {
  kill "${pids[@]}" 2>/dev/null || true
  wait "${pids[@]}" 2>/dev/null || true
  rm -rf "$dir"
}
trap stop EXIT

cat >"$dir/nginx.conf" <<CONF
daemon off;
master_process off;
pid $dir/nginx.pid;
error_log stderr crit;
worker_rlimit_nofile 8192;
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path $dir;
  keepalive_requests 1000000000;
  server { listen 127.0.0.1:21999 backlog=4096; location / { ${LOCATION:-return 200 "ok";} } }
}
CONF
PATH=$PATH:/usr/sbin ${PIN:+taskset -c $PIN} nginx -p "$dir" -e stderr -c "$dir/nginx.conf" &
pids+=($!)

ticks() { awk '{print $14 + $15}' "/proc/$1/stat"; } # user and system, in 1/100 s
rss() { awk '/VmRSS/ {print $2}' "/proc/$1/status"; } # in kB
