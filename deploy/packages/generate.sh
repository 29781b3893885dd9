#!/usr/bin/env bash
# Makes what packages need beside the binary, in dist-packages: the manual page.
set -euo pipefail
cd "$(dirname "$0")/../.."

mkdir -p dist-packages
go build -o dist-packages/traffic_exporter ./cmd/traffic_exporter
deploy/packages/man.sh dist-packages/traffic_exporter "$1" > dist-packages/traffic_exporter.1
gzip --best --no-name --keep --force dist-packages/traffic_exporter.1
rm dist-packages/traffic_exporter
