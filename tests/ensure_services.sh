#!/bin/sh
# Installs the system packages that some tests drive, where that is possible: as root, with apt-get.
# Elsewhere those tests skip with a message; where CI is set they fail instead.
set -eu

command -v nginx >/dev/null 2>&1 && exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "nginx is missing and cannot be installed here (needs root and apt-get): its tests will be skipped." >&2
    exit 0
fi

install_nginx() {
    # RUNLEVEL=1: Debian then installs without starting the service.
    RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends nginx-light
}

echo "Installing nginx-light for the tests"
if ! install_nginx >/dev/null 2>&1; then
    apt-get update --quiet >/dev/null 2>&1 || true
    install_nginx >/dev/null || echo "nginx-light could not be installed: its tests will be skipped." >&2
fi
