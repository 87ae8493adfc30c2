#!/usr/bin/env bash
# Starts what image-stages.sh has built as WeChat Cloud Run would, beside a PostgreSQL of its own, and asks whether it works. It is
# called by image-stages.sh, inside namespaces of its own: network, mounts and processes are nobody else's.
set -euo pipefail
root=$1 user=$2 envfile=$3 entrypoint=$4
die() { echo "image-run: $*" >&2; [ -z "${log:-}" ] || tail -20 "$log" >&2; exit 1; }
work=$(mktemp -d /tmp/wxrun.XXXXXX)
log=$work/log
trap 'rm -rf "$work"' EXIT
busybox ip link set lo up 2>/dev/null || ip link set lo up

pg=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -1)
[ -n "$pg" ] || pg=$(dirname "$(command -v initdb || die 'PostgreSQL is missing: .ci/need postgres')")
chmod 755 "$work"
install -d -o nobody "$work/pg"
as_nobody() { setpriv --reuid "$(id -u nobody)" --regid "$(id -g nobody)" --clear-groups "$@"; }
as_nobody "$pg/initdb" -D "$work/pg/data" -U wxsteward --auth=trust -E UTF8 --no-sync >/dev/null
as_nobody "$pg/postgres" -D "$work/pg/data" -k "$work/pg" -h 127.0.0.1 -p 5432 -c fsync=off >"$work/pg.log" 2>&1 &
for _ in $(seq 100); do as_nobody "$pg/pg_isready" -q -h 127.0.0.1 && break || sleep 0.1; done
as_nobody "$pg/createdb" -h 127.0.0.1 -U wxsteward wxsteward

# Nothing is writable but /tmp.
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount -t tmpfs tmpfs "$root/tmp"
mount -t proc proc "$root/proc"
mount --bind /dev/null "$root/dev/null"

uid=$(awk -F: -v u="$user" '$1 == u { print $3 }' "$root/etc/passwd")
[ -n "$uid" ] && [ "$uid" != 0 ] || die "the image runs as root"
key=$(chroot "$root" /app/wxsteward genkey)
start() { # start [VARIABLE=VALUE…]
	# The user has no capability but what the file gives, and the kernel keeps ports below 1024.
	mapfile -t env <"$envfile"
	# shellcheck disable=SC2086 # the entry point is words
	chroot --userspec="$uid:$uid" "$root" /bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "${env[@]}" \
		CBR_ENV_ID=wx1234567890abcdef-0g1abcde WX_MODE=cloudrun DATABASE_URL='postgres://wxsteward@127.0.0.1:5432/wxsteward?sslmode=disable' \
		MASTER_KEY="$key" ADMIN_PASSWORD=correct-horse-battery "$@" $entrypoint >>"$log" 2>&1 &
	program=$!
	for _ in $(seq 300); do
		[ "$(ask GET /readyz)" = 200 ] && return
		kill -0 $program 2>/dev/null || die "it ended"
		sleep 0.1
	done
	die "it is not ready"
}
ask() { # ask METHOD PATH [BODY [HEADER]]: the status
	local body=${3:-}
	exec 3<>/dev/tcp/127.0.0.1/80 || { echo 000 && return; }
	printf '%s %s HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n%s' \
		"$1" "$2" "${#body}" "${4:+$4$'\r\n'}" "$body" >&3
	head -1 <&3 | cut -d' ' -f2
	exec 3>&-
} 2>/dev/null
want() { # want STATUS WHAT METHOD PATH [BODY [HEADER]]
	local status=$1 what=$2
	shift 2
	local got
	got=$(ask "$1" "$2" "${3:-}" "${4:-}")
	[ "$got" = "$status" ] || die "$what: $got instead of $status"
	echo "ok: $what ($status)"
}
stop() { # stop CODE: SIGTERM ends it in order within ten seconds
	local code=0 began=$SECONDS
	kill -TERM $program
	wait $program || code=$?
	[ $code = "$1" ] || die "SIGTERM ended it with $code"
	[ $((SECONDS - began)) -le 10 ] || die "SIGTERM took $((SECONDS - began)) s"
	echo "ok: SIGTERM ends it with $code"
}
echo 1024 >/proc/sys/net/ipv4/ip_unprivileged_port_start

mapfile -t env <"$envfile"
chroot --userspec="$uid:$uid" "$root" /bin/env -i "${env[@]}" wxsteward version >/dev/null || die "wxsteward is not on PATH"
echo "ok: wxsteward is on PATH"

began=$(date +%s%N)
start
echo "ok: ready after $((($(date +%s%N) - began) / 1000000)) ms, migrations included"
[ "$(awk '/^Uid:/ { print $2 }' /proc/$program/status)" = "$uid" ] || die "it does not run as $user"
[ "$(cat /proc/$program/comm)" = wxsteward ] || die "start.sh did not become wxsteward"
echo "ok: start.sh has become wxsteward, as user $user ($uid)"
want 302 "GET / goes to the admin UI" GET /
want 200 "the admin UI is in the image" GET /admin/
want 200 "Cloud Run's test of the callback address" POST /wxcallback/component '{"action":"CheckContainerPath"}'
want 200 "a plain push from WeChat's link" POST /wxcallback/component \
	'{"AppId":"wx1234567890abcdef","CreateTime":1700000000,"InfoType":"component_verify_ticket","ComponentVerifyTicket":"ticket@@@image"}' 'x-wx-source: wx_push'
want 401 "a plain push from anybody" POST /wxcallback/component '{"InfoType":"component_verify_ticket","ComponentVerifyTicket":"x"}'
want 404 "inner routes are not public" GET /inner/ticket
stop 0

began=$(date +%s%N)
start
echo "ok: ready again after $((($(date +%s%N) - began) / 1000000)) ms"
stop 0

# A business process beside it.
start BUSINESS_CMD='mkdir -p /tmp/www && echo shop >/tmp/www/shop && exec busybox httpd -f -p 127.0.0.1:8090 -h /tmp/www' BUSINESS_UPSTREAM=http://127.0.0.1:8090
for _ in $(seq 50); do [ "$(ask GET /shop)" = 200 ] && break || sleep 0.1; done
want 200 "the proxy reaches the business process" GET /shop
stop 0
if grep -F -e ticket@@@image -e "$key" -e correct-horse-battery "$log"; then die "a secret is in the log"; fi
echo "ok: no secret in the log"
