#!/usr/bin/env bash
# PostgreSQL's server and psql for the test of examples/django, where they are missing: as root, on Debian and Ubuntu.
# Programs only: no cluster is made and no server started, and a PostgreSQL that is there already stays as it is.
set -euo pipefail
. "$(dirname "$0")/apt.sh"
found() { command -v initdb || compgen -G '/usr/lib/postgresql/*/bin/initdb' | sort -V | tail -1 | grep .; }

if initdb=$(found) && command -v psql >/dev/null; then
    say "already here: $("$initdb" --version), $initdb"
    exit 0
fi
need_apt "put initdb, pg_ctl, postgres and psql of any PostgreSQL into PATH"

work=$(mktemp -d)
log=$work/log
settings=/etc/postgresql-common/createcluster.conf
trap '[ ! -e "$work/before" ] || cp -p "$work/before" "$settings"; rm -r "$work"' EXIT
say "installing with apt: postgresql-common, postgresql and what they need"
apt_update
apt install --no-install-recommends postgresql-common || fail "apt-get install postgresql-common failed"
# Debian's package of a server makes a cluster, 40 MB, and starts it, unless this says otherwise. Only for this once.
cp -p "$settings" "$work/before"
echo "create_main_cluster = false" >>"$settings"
apt install --no-install-recommends postgresql || fail "apt-get install postgresql failed"
initdb=$(found) || fail "apt installed postgresql, and there is no /usr/lib/postgresql/*/bin/initdb"
say "installed: $("$initdb" --version), $initdb"
