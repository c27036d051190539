#!/bin/sh
# Installs the system packages that some tests drive, where that is possible: as root, with apt-get.
# Elsewhere those tests skip with a message; where CI is set they fail instead.
set -eu

missing=""
command -v nginx >/dev/null 2>&1 || missing="$missing nginx-light"
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null 2>&1 || missing="$missing postgresql"
command -v redis-server >/dev/null 2>&1 || command -v valkey-server >/dev/null 2>&1 || missing="$missing redis-server"
ls /usr/lib/*/faketime/libfaketime.so.1 >/dev/null 2>&1 || missing="$missing faketime"
[ -z "$missing" ] && exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "Missing, and not installed here (needs root and apt-get), so that their tests are skipped:$missing" >&2
    exit 0
fi

install_package() {
    # RUNLEVEL=1: Debian then installs without starting the service.
    RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends "$1"
}

for package in $missing; do
    echo "Installing $package for the tests"
    if ! install_package "$package" >/dev/null 2>&1; then
        apt-get update --quiet >/dev/null 2>&1 || true
        install_package "$package" >/dev/null || echo "$package could not be installed: its tests will be skipped." >&2
    fi
done
