#!/bin/sh
# Entry point of the image, and what `make run` calls: wxsteward, with an optional business process (BUSINESS_CMD)
# beside it. When either ends, the other is ended too, and the exit code is that of the one that ended first.
set -eu

dir=$(dirname "$0")
bin=${WXSTEWARD_BIN:-$dir/wxsteward}
[ -x "$bin" ] || bin=$dir/bin/wxsteward
[ -x "$bin" ] || { echo "start.sh: no wxsteward program beside this script; run make build" >&2; exit 1; }

if [ -z "${BUSINESS_CMD:-}" ]; then
	exec "$bin" "${@:-serve}"
fi

"$bin" "${@:-serve}" &
steward=$!
sh -c "exec $BUSINESS_CMD" &
business=$!

end() {
	kill -TERM "$steward" "$business" 2>/dev/null || true
}
trap end TERM INT

# POSIX sh cannot wait for whichever ends first, so it looks once a second.
while kill -0 "$steward" 2>/dev/null && kill -0 "$business" 2>/dev/null; do
	sleep 1 &
	wait $! || true
done

first=$steward
kill -0 "$steward" 2>/dev/null && first=$business
code=0
wait "$first" || code=$?
end
wait "$steward" 2>/dev/null || true
wait "$business" 2>/dev/null || true
exit "$code"
