#!/usr/bin/env bash
# Installs a package into a copy of this system that is thrown away, runs what its unit runs, and removes it:
# test.sh FILE.deb. Needs root, for an overlay file system and namespaces of its own; nothing of it is left over.
set -euo pipefail

package=$(realpath "$1")
if [ "${2:-}" != inside ]; then
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	export WORK=$work
	unshare --mount --net --pid --fork --propagation private "$0" "$package" inside
	exit
fi

fail() {
	echo "FAIL: $*" >&2
	exit 1
}

# A file system of its own for what changes, as an overlay cannot lie on one.
mount -t tmpfs tmpfs "$WORK"
mkdir "$WORK"/{upper,scratch,root}
mount -t overlay overlay -o "lowerdir=/,upperdir=$WORK/upper,workdir=$WORK/scratch" "$WORK/root"
root=$WORK/root
mkdir -p "$root"/{proc,dev,tmp}
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
cp "$package" "$root/tmp/package.deb"
ip link set lo up
in_root() { chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"; }

in_root dpkg --install /tmp/package.deb
for file in $(in_root dpkg --listfiles traffic-exporter); do
	[ -e "$root$file" ] || fail "$file is not there"
done

# What the unit starts, with its environment.
unit=$root/usr/lib/systemd/system/traffic_exporter.service
if command -v systemd-analyze >/dev/null; then
	in_root systemd-analyze verify --man=no /usr/lib/systemd/system/traffic_exporter.service
	in_root systemd-analyze security --offline=true --threshold=20 /usr/lib/systemd/system/traffic_exporter.service >/dev/null
fi
# Without in_root, whose process would be a shell of its own.
chroot "$root" /usr/bin/env -i PATH=/usr/bin:/bin sh -c '. /etc/default/traffic_exporter; exec '"$(sed -n 's/^ExecStart=//p' "$unit")" &
exporter=$!
sends() { curl -sf http://127.0.0.1:9870/metrics | grep -q '^traffic_requests_total{code="200",request="healthy",scenario="itself"} [1-9]'; }
deadline=$((SECONDS + 30))
until sends; do
	kill -0 "$exporter" || fail "the service has ended"
	[ "$SECONDS" -lt "$deadline" ] || fail "there are no metrics of a request after 30 s"
	sleep 0.2
done
kill -HUP "$exporter" # What ExecReload sends.
kill "$exporter"
wait "$exporter" || fail "the service ended with $?"

# The manual page and completions.
in_root man --warnings=all traffic_exporter >"$WORK/man" 2>"$WORK/warnings" || fail "man: $(cat "$WORK/warnings")"
grep -q 'always-on synthetic load' "$WORK/man" || fail "the manual page has no description"
[ ! -s "$WORK/warnings" ] || fail "the manual page has mistakes: $(head -3 "$WORK/warnings")"
completed=$(in_root bash -c '
	. /usr/share/bash-completion/completions/traffic_exporter
	COMP_WORDS=(traffic_exporter prev) COMP_CWORD=1
	_traffic_exporter
	echo "${COMPREPLY[*]}"')
[ "$completed" = preview ] || fail "bash completes \"prev\" to \"$completed\""
if command -v fish >/dev/null; then
	completed=$(in_root env HOME=/tmp fish --command 'complete --do-complete "traffic_exporter prev"')
	[ "$completed" = preview ] || fail "fish completes \"prev\" to \"$completed\""
fi

in_root dpkg --purge traffic-exporter
left=$(find "$root"/{etc,usr} -path '*traffic[-_]exporter*' | sed "s|^$root||")
[ -z "$left" ] || fail "left over: $left"
echo "ok: $(basename "$package") installs, runs and leaves nothing"
