#!/usr/bin/env bash
# PostgreSQL's server and psql for the test of examples/django, where they are missing: as root, on Debian and Ubuntu.
# Programs only: no cluster is made and no server started, and a PostgreSQL that is there already stays as it is.
set -euo pipefail
say() { echo "install-postgresql: $*"; }
fail() { say "$*" >&2; exit 1; }
found() { command -v initdb || compgen -G '/usr/lib/postgresql/*/bin/initdb' | sort -V | tail -1 | grep .; }

if initdb=$(found) && command -v psql >/dev/null; then
    say "already here: $("$initdb" --version), $initdb"
    exit 0
fi
command -v apt-get >/dev/null || fail "no apt-get here: put initdb, pg_ctl, postgres and psql of any PostgreSQL into PATH"
[ "$(id -u)" = 0 ] || fail "apt-get needs root: sudo $0"

work=$(mktemp -d)
settings=/etc/postgresql-common/createcluster.conf
trap '[ ! -e "$work/before" ] || cp -p "$work/before" "$settings"; rm -r "$work"' EXIT
apt() {  # silent where it works
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=300 "$@" >"$work/log" 2>&1 && return
    tail -20 "$work/log" >&2
    return 1
}
say "installing with apt: postgresql-common, postgresql and what they need"
apt update || say "apt-get update failed, so what apt knew before is used" >&2
apt install --no-install-recommends postgresql-common || fail "apt-get install postgresql-common failed"
# Debian's package of a server makes a cluster, 40 MB, and starts it, unless this says otherwise. Only for this once.
cp -p "$settings" "$work/before"
echo "create_main_cluster = false" >>"$settings"
apt install --no-install-recommends postgresql || fail "apt-get install postgresql failed"
initdb=$(found) || fail "apt installed postgresql, and there is no /usr/lib/postgresql/*/bin/initdb"
say "installed: $("$initdb" --version), $initdb"
