#!/bin/sh
# Does not start the service: what it sends is for whoever installs it to say.
set -e
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	# An upgrade restarts what is running, so that no old version goes on in the fleet.
	systemctl try-restart traffic_exporter.service
fi
