# Sourced by the scripts that install what a test needs. $log: a file of the caller's for what apt-get says.
say() { echo "$(basename "$0" .sh): $*"; }
fail() { say "$*" >&2; exit 1; }
apt() {  # silent where it works
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=300 "$@" >"$log" 2>&1 && return
    tail -20 "$log" >&2
    return 1
}
apt_update() { apt update || say "apt-get update failed, so what apt knew before is used" >&2; }
need_apt() {  # what to do without apt-get
    command -v apt-get >/dev/null || fail "no apt-get here: $1"
    [ "$(id -u)" = 0 ] || fail "apt-get needs root: sudo $0"
}
