#!/usr/bin/env bash
# Installs a package into this system, starts, upgrades and removes it: check.sh FILE. For test.sh,
# as nothing is put back.
set -euo pipefail
package=$1

fail() {
	echo "FAIL: $*"
	systemctl --no-pager --full status traffic_exporter.service || true
	exit 1
}
# until_true SECONDS COMMAND...
until_true() {
	local deadline=$((SECONDS + $1))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$deadline" ] || fail "not within time: $*"
		sleep 0.1
	done
}

case $package in
*.deb)
	install() { dpkg --install "$package" >/dev/null; }
	files() { dpkg --listfiles traffic-exporter; }
	remove() { dpkg --purge traffic-exporter >/dev/null; }
	zsh_functions=/usr/share/zsh/vendor-completions
	;;
*.rpm)
	# The database of rpm knows nothing of what dpkg has installed.
	install() { rpm --force-debian --upgrade --replacepkgs --nodeps "$package"; }
	files() { rpm --query --list traffic-exporter; }
	remove() { rpm --force-debian --erase traffic-exporter; }
	zsh_functions=/usr/share/zsh/site-functions
	;;
esac
unit=traffic_exporter.service
property() { systemctl show --value --property="$1" "$unit"; }
metric() { curl -sf http://127.0.0.1:9870/metrics | grep -q "^$1$"; }

install
for file in $(files); do
	[ -e "$file" ] || fail "$file is not there"
done
! systemctl --quiet is-active "$unit" || fail "the service starts by itself"
systemd-analyze verify --man=yes "/usr/lib/systemd/system/$unit"
systemd-analyze security --offline=true --threshold=20 "/usr/lib/systemd/system/$unit" >/dev/null || fail "the unit is exposed"

# It sends, reads its configuration again, and is nobody.
systemctl start "$unit"
until_true 20 metric 'traffic_requests_total{code="200",request="healthy",scenario="itself"} [1-9].*'
[ "$(ps -o user= -p "$(property MainPID)")" != root ] || fail "it runs as root"
cp --preserve /etc/traffic_exporter/config.yaml /tmp
sed -i 's|rate: 1/s|rate: 7/s|' /etc/traffic_exporter/config.yaml
systemctl reload "$unit"
until_true 20 metric 'traffic_target_rate{scenario="itself"} 7'
cp --preserve /tmp/config.yaml /etc/traffic_exporter

# An upgrade restarts it, and a stop is graceful.
before=$(property MainPID)
install
systemctl --quiet is-active "$unit" || fail "the upgrade has stopped it"
[ "$(property MainPID)" != "$before" ] || fail "the upgrade has not restarted it"
until_true 20 metric 'traffic_requests_total{code="200",request="healthy",scenario="itself"} [1-9].*'
systemctl stop "$unit"
[ "$(property Result) $(property ExecMainStatus)" = "success 0" ] || fail "it ended with $(property Result), $(property ExecMainStatus)"
systemctl start "$unit" # The removal has something to stop.

# The manual page, and completions in each shell.
man --warnings=all traffic_exporter >/tmp/man 2>/tmp/warnings || fail "man: $(cat /tmp/warnings)"
grep -q 'always-on synthetic load' /tmp/man || fail "the manual page has no description"
[ ! -s /tmp/warnings ] || fail "the manual page has mistakes: $(head -3 /tmp/warnings)"
completes() { # SHELL WORDS
	[ "$2" = preview ] || fail "$1 completes \"prev\" to \"$2\""
}
completes bash "$(bash -c '
	. /usr/share/bash-completion/completions/traffic_exporter
	COMP_WORDS=(traffic_exporter prev) COMP_CWORD=1
	_traffic_exporter
	echo "${COMPREPLY[*]}"')"
if command -v fish >/dev/null; then
	completes fish "$(fish --command 'complete --do-complete "traffic_exporter prev"')"
fi
if command -v zsh >/dev/null; then
	# compadd is there only while a user completes a word.
	completes zsh "$(zsh -f -c "
		fpath+=($zsh_functions) words=(traffic_exporter prev) CURRENT=2
		compadd() { print -r -- \${(M)candidates:#prev*}; }
		autoload -U _traffic_exporter
		_traffic_exporter")"
fi

remove
! systemctl --quiet is-active "$unit" || fail "it goes on after the removal"
[ "$(property LoadState)" = not-found ] || fail "the unit is $(property LoadState)"
left=$(find /etc /usr /var/lib /var/log /run -path '*traffic[-_]exporter*')
[ -z "$left" ] || fail "left over: $left"
echo "ok: $(basename "$package") installs, runs under systemd, is upgraded, and leaves nothing"
