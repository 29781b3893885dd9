#!/bin/sh
# Does not start the service: a fresh installation sends no traffic by itself.
set -e
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	# An upgrade restarts a running service, so that no old version goes on in the fleet.
	systemctl try-restart traffic_exporter.service
fi
