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
logs=$(mktemp -d)
E2E_PART=apart E2E_PORT=$((${E2E_PORT:-18080} + 1)) play >"$logs/apart" 2>&1 &
apart=$!
{ E2E_PART=rest play 2>&1 && touch "$logs/rest.passed"; } | tee "$logs/rest"
wait $apart
failed=$?
cat "$logs/apart"
if [ ! -e "$logs/rest.passed" ]; then
	failed=1
	# What failed in the half that was printed first comes last, where people look.
	sed -n '/^  1) /,$p' "$logs/rest"
fi
rm -r "$logs"
exit $failed
