#!/bin/sh
# What the tests need beyond Python: a browser and a PostgreSQL server. Installed by apt when
# that is possible; otherwise the tests that need them skip and say so.
set -eu
missing=""
command -v chromium >/dev/null 2>&1 || missing="$missing chromium fonts-noto-core fonts-thai-tlwg"
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$missing postgresql"
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing for the tests:$missing"
    export DEBIAN_FRONTEND=noninteractive
    log=$(mktemp)
    # shellcheck disable=SC2086
    if ! { apt-get update -q && apt-get install -q -y --no-install-recommends $missing; } >"$log" 2>&1; then
        tail -n 20 "$log"
        echo "WARNING: could not install$missing; the tests that need them will be skipped."
    fi
    rm -f "$log"
else
    echo "WARNING: not installed:$missing; the tests that need them will be skipped."
fi
