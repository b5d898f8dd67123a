#!/usr/bin/env bash
# Chromium for the test of Locust's page in a browser, where there is none: as root, on Debian.
# A browser that is there already stays as it is.
set -euo pipefail
. "$(dirname "$0")/apt.sh"
found() { command -v chromium || command -v chromium-browser || command -v google-chrome; }

# Ubuntu's package of that name is a script that asks for a snap, so a browser counts only if it runs.
if browser=$(found) && version=$("$browser" --version 2>/dev/null); then
    say "already here: $version, $browser"
    exit 0
fi
need_apt "put chromium, chromium-browser or google-chrome into PATH"

log=$(mktemp)
trap 'rm "$log"' EXIT
say "installing with apt: chromium and what it needs (at least 100 MB to download, 360 MB on disk)"
apt_update
apt install --no-install-recommends chromium || fail "apt-get install chromium failed"
browser=$(found) || fail "apt installed chromium, and there is no such command"
version=$("$browser" --version 2>/dev/null) || fail "apt installed $browser, and it does not run: on Ubuntu install google-chrome"
say "installed: $version, $browser"
