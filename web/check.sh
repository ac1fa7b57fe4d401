#!/bin/sh
# The built files in git are what the sources give: build them anew and compare.
set -eu
cd "$(dirname "$0")"
if ! command -v npm >/dev/null 2>&1; then
    echo "SKIPPED: no npm, so the built widget and console are not compared with their sources."
    exit 0
fi
built="../bot/gateway/static/widget.js ../bot/gateway/static/console.js"
# shellcheck disable=SC2086
before=$(sha256sum $built)
npm ci --silent --no-audit --no-fund
npm run --silent build >/dev/null
# shellcheck disable=SC2086
if [ "$before" != "$(sha256sum $built)" ]; then
    echo "The built widget or console differs from its sources; the new build is in place: commit it."
    exit 1
fi
