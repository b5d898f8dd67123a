#!/usr/bin/env bash
# Chromium for the test of Locust's page in a browser, where there is none: as root, on Debian.
# A browser that is there already stays as it is.
set -euo pipefail
say() { echo "install-chromium: $*"; }
fail() { say "$*" >&2; exit 1; }
found() { command -v chromium || command -v chromium-browser || command -v google-chrome; }

# Ubuntu's package of that name is a script that asks for a snap, so a browser counts only if it runs.
if browser=$(found) && version=$("$browser" --version 2>/dev/null); then
    say "already here: $version, $browser"
    exit 0
fi
command -v apt-get >/dev/null || fail "no apt-get here: put chromium, chromium-browser or google-chrome into PATH"
[ "$(id -u)" = 0 ] || fail "apt-get needs root: sudo $0"

log=$(mktemp)
trap 'rm "$log"' EXIT
apt() {  # silent where it works
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=300 "$@" >"$log" 2>&1 && return
    tail -20 "$log" >&2
    return 1
}
say "installing with apt: chromium and what it needs (at least 100 MB to download, 360 MB on disk)"
apt update || say "apt-get update failed, so what apt knew before is used" >&2
apt install --no-install-recommends chromium || fail "apt-get install chromium failed"
browser=$(found) || fail "apt installed chromium, and there is no such command"
version=$("$browser" --version 2>/dev/null) || fail "apt installed $browser, and it does not run: on Ubuntu install google-chrome"
say "installed: $version, $browser"
