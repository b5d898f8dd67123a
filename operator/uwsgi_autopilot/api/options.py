"""The uWSGI options that a person may not set, because the autopilot owns them or they would break it, and why."""

import re

_SHAPE = "the autopilot decides how many processes and threads run; set spec.tuning (start, pin, processes, threads)"
_PARK = "the autopilot itself starts and parks workers with the load; set spec.tuning.processes"
_SOCKET = "nginx reaches the application through the autopilot's own socket; set spec.nginx and spec.service"
_STATS = "the autopilot reads this itself and serves it as metrics; uWSGI's own answer would show cookies and passwords"
_FILES = "it brings in options that the autopilot cannot check; write them into spec.uwsgi.options one by one"
_LOGIC = "it is logic of a configuration file, not an option; write the options that result from it"
_RELOAD = "it would restart uWSGI behind the autopilot's back; roll the application out instead"
_MASTER = "the autopilot starts uWSGI as its own child, with a master process, and watches it; leave it out"
_USER = "the process already runs as the right user; set the image's user or a securityContext in spec.template"
_ELSEWHERE = "it makes uWSGI another kind of server than the one the autopilot runs; leave it out"
_APP = "the autopilot loads the application; set spec.module and spec.chdir"
_STRICT = "uWSGI always starts strictly here, so that a mistyped option or a failing import never replaces what serves"
_ASYNC = "it replaces threads by another way of serving requests, which the autopilot cannot measure; leave it out"
_KILL = "it kills workers in the middle of requests; use reload-on-rss or max-requests, which let them finish"
_ADDRESS = (
    "it binds an address of its own, which the old and the new uWSGI cannot both have during a change; leave it out"
)
_ONCE = "it prints something or runs a tool and then ends, so that nothing would serve; leave it out"

_OWNED: dict[str, tuple[str, ...]] = {
    _SHAPE: ("processes", "workers", "p", "threads"),
    _PARK: ("cheap", "idle", "die-on-idle"),
    _SOCKET: (
        "socket", "s", "uwsgi-socket", "suwsgi-socket", "http", "httprouter", "http-socket", "https", "https2",
        "fastcgi-socket", "fastcgi-nph-socket", "scgi-socket", "scgi-nph-socket", "raw-socket", "puwsgi-socket",
        "shared-socket", "undeferred-shared-socket", "protocol", "socket-protocol", "map-socket", "listen", "l",
        "abstract-socket", "a", "chmod-socket", "chmod", "C", "chown-socket", "freebind", "reuse-port",
        "zerg", "zerg-server", "zerg-fallback", "shutdown-sockets", "no-fd-passing", "enable-proxy-protocol",
        "http11-socket", "https-socket",
    ),
    _STATS: (
        "stats", "stats-server", "stats-http", "stats-minified", "stats-min", "stats-no-cores", "master-fifo",
        "stats-push", "stats-pusher-default-freq", "stats-pushers-default-freq",
    ),
    _FILES: (
        "ini", "include", "inherit", "config", "fallback-config", "json", "js", "j", "yaml", "yml", "y", "xml",
        "xmlconfig", "x", "inject-before", "inject-after", "ini-paste", "ini-paste-logged", "vassals-include",
        "ldap", "ldap-schema", "ldap-schema-ldif", "sqlite3", "set", "S",
    ),
    _LOGIC: (
        "for", "for-glob", "for-times", "for-readline", "endfor", "end-for", "endif", "end-if", "ifenv", "ifexists",
        "ifplugin", "ifdir", "blacklist", "end-blacklist", "whitelist", "end-whitelist", "declare-option",
        "declare-option2", "resolve", "get",
    ),
    _RELOAD: (
        "fs-reload", "fs-brutal-reload", "py-auto-reload", "py-autoreload", "python-auto-reload",
        "python-autoreload", "reload-mercy", "exit-on-reload", "reload", "stop", "pause", "suspend", "resume",
        "signal", "touch-reload", "touch-workers-reload", "touch-chain-reload", "check-mountpoint",
        "mountpoint-check", "check-mount", "mount-check", "reload-on-fd",
    ),
    _MASTER: (
        "master", "M", "daemonize", "d", "daemonize2", "no-orphans", "die-on-term", "pidfile", "pidfile2",
        "safe-pidfile", "safe-pidfile2", "procname-master", "notify-socket", "binary-path", "master-as-root",
        "honour-stdin", "flock", "flock-wait", "flock2", "flock-wait2", "heartbeat", "vassal-sos",
        "vassal-sos-backlog", "refork", "re-fork", "refork-as-root", "re-fork-as-root", "refork-post-jail",
        "re-fork-post-jail", "privileged-binary-patch", "unprivileged-binary-patch", "privileged-binary-patch-arg",
        "unprivileged-binary-patch-arg", "hook-master-start", "check-interval", "early-emperor",
    ),
    _USER: (
        "uid", "gid", "immediate-uid", "immediate-gid", "add-gid", "no-initgroups", "chroot", "pivot-root",
        "pivot_root", "unshare", "unshare2", "namespace", "ns", "namespace-net", "ns-net", "namespace-keep-mount",
        "setns", "setns-socket", "setns-preopen", "jailed", "cgroup", "cgroup-opt", "cgroup-dir-mode", "cap",
        "drop-after-init", "drop-after-apps", "tuntap-router", "tuntap-device",
    ),
    _APP: (
        "module", "wsgi", "w", "wsgi-file", "file", "callable", "chdir", "chdir2",
        "eval", "force-cwd", "paste", "pecan", "pump", "web3", "wsgi-lite", "python-worker-override", "worker-exec",
        "worker-exec2", "vhost", "vhost-host", "no-default-app", "python-raw",
    ),
    _STRICT: ("strict", "need-app"),
    _ASYNC: (
        "async", "gevent", "loop", "ugreen", "ugreen-stacksize", "asyncio", "greenlet", "tornado", "coroae",
        "fiber", "gevent-monkey-patch", "gevent-early-monkey-patch", "gevent-wait-for-hub",
    ),
    _KILL: ("evil-reload-on-rss", "evil-reload-on-as", "brutal-reload-on-fd", "no-threads-wait"),
    _ADDRESS: ("udp", "snmp", "cache-udp-server"),
    _ONCE: (
        "help", "h", "usage", "version", "print", "iprint", "exit", "show-config", "dump-options", "cflags",
        "dot-h", "config-py", "build-plugin", "print-sym", "print-symbol", "no-server", "command-mode", "extract",
        "connect-and-read", "binary-append-data", "pyshell", "pyshell-oneshot", "pyrun", "py", "python", "test", "J",
        "ping", "ping-timeout", "nagios", "python-version", "cheaper-algo-list", "cheaper-algos-list",
        "cheaper-list",
    ),
}  # fmt: skip

_FAMILIES: tuple[tuple[str, str], ...] = (
    (r"cheaper(-.*)?", _PARK),
    (r"(http|https)-.*", _SOCKET),
    (r"(fast|raw|ssl|forkpty|corerouter|tuntap)-?router.*|fastrouter.*|rawrouter.*|sslrouter.*|zerg-?pool", _ELSEWHERE),
    (r"(emperor|imperial|vassal)s?-.*|emperor|subscribe.*|st|subscription.*|multicast.*", _ELSEWHERE),
    (r"(touch|fs)-.*reload.*", _RELOAD),
    (r"if-.*", _LOGIC),
    (r"py(thon)?-?auto-?reload.*", _RELOAD),
)

_REASONS = {name: reason for reason, names in _OWNED.items() for name in names}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def refusal_of(name: str) -> str | None:
    """One sentence that says why the option is refused and what to do instead; None when it is allowed.

    Aliases and one-letter forms are included. Options that can harm only the person's own application are allowed,
    such as harakiri, max-requests, lazy-apps, hook-*, exec-*, env, logto. So are those of api/overlap.py, such as mule,
    cron and spooler, with which threads stay as they are.
    """
    if not _NAME.fullmatch(name):
        return (
            f"{name!r} is not the name of a uWSGI option: expected letters, digits and dashes, without leading dashes"
        )
    reason = _REASONS.get(name)
    if reason is None and len(name) == 1:  # measured: strict mode then ends with "unknown config directive: b"
        return f"{name} cannot be set: configuration files know long names only; write the option's long name"
    reason = reason or next((why for family, why in _FAMILIES if re.fullmatch(family, name)), None)
    return f"{name} cannot be set: {reason}" if reason else None
