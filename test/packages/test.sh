#!/usr/bin/env bash
# Installs packages into copies of this system that are thrown away, each with a systemd of its own as its
# first process, and does there what check.sh says: test.sh FILE.deb FILE.rpm. Needs root, dpkg, rpm and systemd.
set -euo pipefail
here=$(realpath "$(dirname "$0")")

if [ "${1:-}" != boot ]; then
	for package in "$@"; do
		work=$(mktemp -d)
		trap 'rm -rf "$work"' EXIT
		cp "$package" "$here/check.sh" "$work"
		# unshare ignores SIGTERM, and its first process cannot be sent one from within.
		WORK=$work PACKAGE=$(basename "$package") timeout --signal=KILL 180 \
			unshare --mount --net --pid --ipc --uts --cgroup --fork --kill-child --propagation private "$0" boot || failed=$?
		cat "$work/log"
		[ -z "${failed:-}" ] || { echo "FAIL: $(basename "$package"), with $failed" >&2; exit 1; }
		rm -rf "$work"
	done
	exit
fi

# An overlay cannot lie on another, so what changes has a file system of its own.
memory=$(mktemp -d)
mount -t tmpfs tmpfs "$memory"
root=$memory/root
mkdir "$memory"/{upper,scratch,root}
mount -t overlay overlay -o "lowerdir=/,upperdir=$memory/upper,workdir=$memory/scratch" "$root"
mkdir -p "$root"/{proc,sys,dev,run,check,outside}
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs tmpfs "$root/run"
mount --bind "$WORK" "$root/check"

# Devices that reach no terminal of this machine.
mount -t tmpfs tmpfs "$root/dev"
for device in null zero full random urandom tty; do
	touch "$root/dev/$device"
	mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root"/dev/{shm,pts}
ln -s /proc/self/fd "$root/dev/fd"
ln -s pts/ptmx "$root/dev/ptmx"
ip link set lo up

: >"$root/etc/fstab"
cat >"$root/etc/systemd/system/check.service" <<EOF
[Unit]
DefaultDependencies=no
SuccessAction=exit
FailureAction=exit
[Service]
Environment=PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
ExecStart=/check/check.sh /check/$PACKAGE
StandardOutput=append:/check/log
StandardError=append:/check/log
EOF
# Units get file systems of their own, for which the root must be a mount and not only a folder.
cd "$root"
pivot_root . outside
exec chroot . /usr/bin/env --ignore-environment PATH=/usr/sbin:/usr/bin:/sbin:/bin container=other \
	/bin/sh -c 'umount --lazy /outside && exec /lib/systemd/systemd --system --unit=check.service --log-target=null'
