#!/usr/bin/env bash
# Prints the manual page of a traffic_exporter binary: man.sh BINARY VERSION
set -euo pipefail

cat <<EOF
.TH TRAFFIC_EXPORTER 1 "" "traffic_exporter $2" "User Commands"
.SH NAME
traffic_exporter \- always-on synthetic load, native to Prometheus
EOF
"$1" --help-man | sed '1,/^\.SH "SYNOPSIS"/{/^\.SH "SYNOPSIS"/!d}'
cat <<'EOF'
.SH FILES
.TP
.I /etc/traffic_exporter/config.yaml
The configuration of the service.
.TP
.I /etc/default/traffic_exporter
Flags of the service.
.SH "SEE ALSO"
https://github.com/traffic-exporter/traffic_exporter
EOF
