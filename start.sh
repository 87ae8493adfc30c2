#!/bin/sh
# Entry point of the image, and what `make run` calls: wxsteward, with an optional business process (BUSINESS_CMD)
# beside it. When either ends, the other is ended too. The exit code is that of the one that ended first; after SIGTERM
# or SIGINT it is that of wxsteward.
set -eu

dir=$(dirname "$0")
for bin in "$dir/bin/wxsteward" "$dir/wxsteward" ""; do
	[ -f "$bin" ] && [ -x "$bin" ] && break
done
[ -n "$bin" ] || { echo "start.sh: no wxsteward program beside this script; run make build" >&2; exit 1; }

[ $# -gt 0 ] || set -- serve
case $1 in
serve | simulate) ;;
*) exec "$bin" "$@" ;; # migrate, passwd and the like need no company
esac
[ -n "${BUSINESS_CMD:-}" ] || exec "$bin" "$@"

# Each gets a session of its own where the system can do that: Ctrl-C is then this script's alone to pass on (wxsteward
# takes a second signal for "at once"), and all that BUSINESS_CMD starts can be ended with it.
if command -v setsid >/dev/null 2>&1; then
	own=setsid group=-
else
	own='' group=''
fi
$own "$bin" "$@" &
steward=$!
$own sh -c "$BUSINESS_CMD" &
business=$!

ending='' interrupted=''
end() { # end WHY: asks both to end, once
	interrupted=yes
	[ -z "$ending" ] || return 0
	ending=$1
	kill -TERM "$steward" 2>/dev/null || true
	kill -TERM "$group$business" 2>/dev/null || true
}
trap 'end signal' TERM INT

alive() { kill -0 "$1" 2>/dev/null; }

pause() {
	sleep 1 &
	wait $! || true # a signal ends it early
}

code=0
collect() { # collect PID: waits for its end, also when signals interrupt the waiting, and sets code
	interrupted=yes
	while [ -n "$interrupted" ]; do
		interrupted=
		code=0
		wait "$1" || code=$?
	done
}

# POSIX sh cannot wait for whichever ends first, so it looks once a second.
while [ -z "$ending" ] && alive "$steward" && alive "$business"; do
	pause
done

first=''
if [ -z "$ending" ]; then
	if alive "$steward"; then
		collect "$business"
		echo "start.sh: the business process ended with $code, ending wxsteward" >&2
	else
		collect "$steward"
		echo "start.sh: wxsteward ended with $code, ending the business process" >&2
	fi
	first=$code
	end other
fi

# wxsteward ends within SHUTDOWN_TIMEOUT by itself; the business process and all it started have ten seconds.
left=10
while [ "$left" -gt 0 ] && alive "$group$business"; do
	pause
	left=$((left - 1))
done
kill -KILL "$group$business" 2>/dev/null || true
collect "$steward"
exit "${first:-$code}"
