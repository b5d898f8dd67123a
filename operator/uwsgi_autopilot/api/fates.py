"""What becomes of each option of a configuration that `uwsgi-autopilot serve` runs: one table for code and docs.

An option that no row names is kept: it reaches every generation as it stands. docs/serve.md repeats the rows, and a
test compares them.
"""

import re
from dataclasses import dataclass
from enum import Enum

from uwsgi_autopilot.api.overlap import why_not_twice


class Fate(str, Enum):
    KEPT = "kept"
    TAKEN_OVER = "taken over"
    """The autopilot does it in uWSGI's place, with the meaning that the option has for whoever wrote it."""
    RESOLVED = "resolved"
    """Logic of the file, done once uWSGI has resolved it."""
    IN_PLACE = "kept, no second generation"
    """Threads stay as they are, processes are changed by the master FIFO."""
    PLAIN = "served, not tuned"
    """uWSGI runs as it would without the autopilot."""
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Row:
    """names: as written in a configuration, aliases included; patterns are regular expressions. meaning: what happens,
    for the docs and, where the fate is PLAIN or REFUSED, for the person."""

    fate: Fate
    names: tuple[str, ...]
    meaning: str


TABLE: tuple[Row, ...] = (
    # Before `http-.*`: how a build without TLS says it, uWSGI's own words do not name the remedy.
    Row(Fate.PLAIN, (r"https2?|https-.*|http2-.*|ssl-.*|sni.*|suwsgi-socket",),
        "TLS ends in uWSGI's own HTTP router; to be tuned, put nginx in front and listen on a socket"),
    Row(Fate.TAKEN_OVER, ("http", "httprouter", "http-socket", "http11-socket"),
        "served on the same address by one long-lived router in front of all generations"),
    Row(Fate.TAKEN_OVER, ("http-timeout", "socket-timeout"), "the router waits as long for an answer"),
    Row(Fate.TAKEN_OVER, (r"http-.*",), "given to uWSGI's own router; where nginx is the router, left out"),
    Row(Fate.TAKEN_OVER, ("socket", "s", "uwsgi-socket"),
        "bound by the autopilot, once, so that the queue outlives each generation"),
    Row(Fate.TAKEN_OVER, ("listen", "l"), "length of that queue, at most net.core.somaxconn"),
    Row(Fate.TAKEN_OVER, ("chmod-socket", "chmod", "C", "chown-socket"), "set on the sockets that the autopilot binds"),
    Row(Fate.TAKEN_OVER, ("processes", "workers", "p", "threads"), "the first shape"),
    Row(Fate.TAKEN_OVER, ("cheaper", "cheaper-initial", "cheaper-algo", r"cheaper-.*"),
        "processes is the most and cheaper the least that the autopilot may choose; it replaces the algorithm"),
    Row(Fate.TAKEN_OVER, ("master", "M", "no-orphans", "need-app"), "always on"),
    Row(Fate.TAKEN_OVER, ("stats", "stats-server", "stats-http"),
        "the same address through every change, answered by the generation that serves"),
    Row(Fate.TAKEN_OVER, ("master-fifo",), "each generation has one of its own; signals to the autopilot replace it"),
    Row(Fate.TAKEN_OVER, ("die-on-term", "exit-on-reload", "honour-stdin"),
        "SIGTERM and SIGINT end the autopilot after the requests in service, SIGHUP reloads the code"),
    Row(Fate.TAKEN_OVER, ("vacuum",), "sockets and pid files are removed at the end"),
    Row(Fate.TAKEN_OVER, ("pidfile", "pidfile2", "safe-pidfile", "safe-pidfile2"),
        "holds the autopilot's own process id"),
    Row(Fate.TAKEN_OVER, ("daemonize", "d", "daemonize2"),
        "the autopilot stays in the foreground, for the service manager; uWSGI's log goes to the same file"),
    Row(Fate.TAKEN_OVER, ("touch-reload", "touch-workers-reload", "touch-chain-reload", "fs-reload"),
        "a new generation when the file is touched"),
    Row(Fate.TAKEN_OVER, (r"py(thon)?-auto-?reload",),
        "a new generation when a Python file below the application's folder changes"),
    Row(Fate.TAKEN_OVER, ("reload-mercy", "worker-reload-mercy"),
        "how long requests may still take when their generation ends"),
    Row(Fate.RESOLVED, ("ini", "json", "js", "j", "yaml", "yml", "y", "xml", "xmlconfig", "x", "include", "inherit",
                        "config", "fallback-config", "inject-before", "inject-after", r"ini-paste.*",
                        "set", "S", "set-placeholder", "set-ph", "for", r"for-.*", "endfor", "end-for",
                        r"if-.*", "ifenv", "ifexists", "ifplugin", "ifdir", "endif", "end-if", "print", "iprint",
                        "resolve", r"declare-option2?", "blacklist", "end-blacklist", "whitelist", "end-whitelist"),
        "done by uWSGI before the autopilot reads the configuration"),
    Row(Fate.PLAIN, (r"gevent.*", "async", "loop", "ugreen", r"ugreen-.*", "asyncio", "greenlet", "tornado", "coroae",
                     "fiber"),
        "requests are not served by threads, so there is no number of threads to find"),
    Row(Fate.PLAIN, ("emperor", r"(emperor|vassal)s?-.*", "early-emperor", "zerg", "zerg-server", "zerg-pool",
                     "zergpool"),
        "several servers share what the autopilot would own; run it for each vassal instead"),
    Row(Fate.PLAIN, (r"(fast|raw|ssl|forkpty|core|tuntap)-?router.*", r"subscri.*", "st", "start-unsubscribed"),
        "it makes uWSGI a router or a member of a cluster of its own"),
    Row(Fate.PLAIN, ("fastcgi-socket", "fastcgi-nph-socket", "scgi-socket", "scgi-nph-socket", "raw-socket",
                     "puwsgi-socket", "shared-socket", "undeferred-shared-socket", "map-socket", "protocol",
                     "socket-protocol",
                     "enable-proxy-protocol", "reuse-port"),
        "the autopilot binds sockets of the uwsgi protocol only"),
    Row(Fate.PLAIN, (r"unshare2?|namespace.*|ns|ns-net|setns.*|chroot|pivot[-_]root|jailed", "refork", r"re?-?fork.*"),
        "uWSGI would leave the place where the autopilot can see and reach it"),
    Row(Fate.PLAIN, ("vhost", "vhost-host", "cheap", "idle", "die-on-idle", "lazy"),
        "which workers run, and which application, is decided by requests"),
    Row(Fate.PLAIN, (r"evil-reload-on-.*", "no-threads-wait"), "workers are killed in the middle of requests"),
    Row(Fate.REFUSED, ("reload", "stop", "pause", "suspend", "resume", "signal", "help", "h", "usage", "version",
                       "show-config", "dump-options", "cflags", "dot-h", "config-py", "build-plugin", "no-server",
                       "command-mode", "extract", "connect-and-read",
                       r"pyshell.*", "pyrun", "ping", "nagios", "python-version", "get", "exit"),
        "it prints something or runs a tool and ends, so that nothing would serve; leave it out"),
)  # fmt: skip

_COMPILED = tuple((re.compile("|".join(f"(?:{name})" for name in row.names)), row) for row in TABLE)
IN_PLACE = Row(Fate.IN_PLACE, (), "")
KEPT = Row(Fate.KEPT, (), "")


def row_of(name: str) -> Row:
    for pattern, row in _COMPILED:
        if pattern.fullmatch(name):
            return row
    return IN_PLACE if why_not_twice(name) else KEPT
