#!/bin/sh
# Both halves of the browser tests at once, each on a program of its own. With arguments, which go to Playwright, it is one run:
# npm run e2e -- release
set -u
cd "$(dirname "$0")/.."
play() { playwright test --config e2e/playwright.config.ts "$@"; }
if [ $# -gt 0 ]; then
	play "$@"
	exit
fi
log=$(mktemp)
E2E_PART=apart E2E_PORT=$((${E2E_PORT:-18080} + 1)) play >"$log" 2>&1 &
apart=$!
E2E_PART=rest play
failed=$?
wait $apart || failed=1
cat "$log"
rm "$log"
exit $failed
