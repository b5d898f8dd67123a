"""What the rules may know: the options as uWSGI resolved them, and what was seen around them. Frozen, and no I/O."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

# uWSGI shows an option by the name it was written with.
_ALIASES = {
    "workers": "processes", "p": "processes", "s": "socket", "uwsgi-socket": "socket", "l": "listen", "M": "master",
    "chmod": "chmod-socket", "C": "chmod-socket", "stats-server": "stats", "d": "daemonize", "t": "harakiri",
    "R": "max-requests", "b": "buffer-size", "i": "single-interpreter", "T": "enable-threads", "w": "module",
    "wsgi": "module", "file": "wsgi-file", "pp": "pythonpath", "python-path": "pythonpath",
    "httprouter": "http", "py-auto-reload": "py-autoreload", "python-auto-reload": "py-autoreload",
    "python-autoreload": "py-autoreload", "immediate-uid": "uid", "http11-socket": "http-socket",
}  # fmt: skip
# uWSGI's flag UWSGI_OPT_MASTER: whoever sets one of these has a master.
_WITH_MASTER = re.compile(
    r"master|cheap|cheaper|cheaper-(algo|initial|overload|step|rss-limit-(soft|hard))|idle|stats|stats-.*|master-fifo"
    r"|py-autoreload|evil-reload-on-(as|rss)|(brutal-)?reload-on-fd|touch-(exec|logreopen|logrotate|signal)"
    r"|touch-((chain|mules|spoolers|workers)-)?reload|fs-(brutal-)?reload|fs-signal|(threaded-)?logger"
    r"|log-(alarm|drain|encoder|filter|master|maxsize|req-encoder|route|socket|syslog|zeromq)|mules?|farm|spooler"
    r"|spooler-external|(smart-)?attach-(control-)?daemon2?|(unique-)?cron2?|legion.*|alarm.*|check-interval|timer"
    r"|rbtimer|forkbomb-delay|metrics?|enable-metrics|subscribe.*|notify-socket|zerg-server"
)
_WHOLE = re.compile(r"\s*(\d+)")
# What uWSGI reads as off where a flag is given a value.
_FALSE = frozenset({"false", "0", "no", "off"})
_LOOPBACK = re.compile(r"(127\.[\d.]+|localhost|\[?::1\]?)$")
_SOCKETS = ("socket", "http-socket", "https-socket", "fastcgi-socket", "scgi-socket", "raw-socket", "puwsgi-socket")


class Configuration:
    """Options by their usual name; the last one counts, as in uWSGI."""

    def __init__(self, options: Iterable[tuple[str, str]] = ()) -> None:
        self.options = tuple((_ALIASES.get(name, name), value) for name, value in options)

    def every(self, *names: str) -> tuple[str, ...]:
        return tuple(value for name, value in self.options if name in names)

    def last(self, name: str) -> str | None:
        found = self.every(name)
        return found[-1] if found else None

    def has(self, *names: str) -> bool:
        """Given, and not as `false`."""
        return any(value.strip().lower() not in _FALSE for value in self.every(*names))

    def number(self, name: str) -> int | None:
        """As uWSGI reads it: leading digits, and an option without a value is 1. None: not given."""
        found = self.last(name)
        if found is None:
            return None
        digits = _WHOLE.match(found)
        return int(digits[1]) if digits else 1 if found == "true" else 0

    @property
    def processes(self) -> int:
        found = self.number("processes")
        return 1 if found is None else found

    @property
    def threads(self) -> int:
        return self.number("threads") or 1

    @property
    def slots(self) -> int:
        """Requests that can be served at once."""
        return self.processes * self.threads

    @property
    def sockets(self) -> tuple[str, ...]:
        """Addresses that the workers listen on; a modifier after a comma is for clients."""
        return tuple(value.partition(",")[0].strip() for value in self.every(*_SOCKETS))

    @property
    def unix_sockets(self) -> tuple[str, ...]:
        return tuple(each for each in self.sockets if not is_tcp(each) and not each.startswith(("fd://", "=")))

    @property
    def master(self) -> bool:
        """There is a master process: asked for, or implied by another option."""
        return any(_WITH_MASTER.fullmatch(name) and value.strip().lower() not in _FALSE for name, value in self.options)

    @property
    def preforked(self) -> bool:
        """The application is loaded once, before the workers are forked."""
        return (self.master or self.processes > 1) and not self.has("lazy-apps", "lazy")


def is_tcp(address: str) -> bool:
    return not address.startswith(("/", "@", "fd://", "=")) and address.rpartition(":")[2].isdigit() and ":" in address


def is_public(address: str) -> bool:
    """TCP, and not on the loopback address: `:9191` is every address of the machine."""
    return is_tcp(address) and not _LOOPBACK.match(address.rpartition(":")[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """somaxconn: the longest queue the kernel allows. descriptors: the soft RLIMIT_NOFILE. cores: that may be used, by
    quota and affinity. memory: the limit in bytes. root: uWSGI is or would be started by root. None: not seen, or
    without a limit."""

    somaxconn: int | None = None
    descriptors: int | None = None
    cores: float | None = None
    memory: int | None = None
    root: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A call in the application's code. place: "wsgi.py:12". call: "psycopg.connect". at_import: it takes effect while
    the module is loaded."""

    place: str
    call: str
    at_import: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """connections: that are opened when the module is loaded. pools: made then, and open none yet. threads: that the
    application starts itself, then or later. options: that it reads from `uwsgi.opt`."""

    connections: tuple[Use, ...] = ()
    pools: tuple[Use, ...] = ()
    threads: tuple[Use, ...] = ()
    options: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """version: of uWSGI, (2, 0, 31); None: unknown. served: uwsgi-autopilot runs it, from a manifest. module: path of
    pyuwsgi in a virtual environment, a module of Python; None: uWSGI is a program. unknown: names that this uWSGI does
    not know and nothing refers to. endless_logs: log files that nothing rotates. worker: memory of the largest live
    worker, in bytes. database_limit: connections that the database allows. pods: how many of these there are.
    max_connections: of the manifest, for all pods."""

    configuration: Configuration = field(default_factory=Configuration)
    machine: Machine = Machine()
    version: tuple[int, ...] | None = None
    code: Code = Code()
    served: bool = False
    module: str | None = None
    unknown: tuple[str, ...] = ()
    endless_logs: tuple[str, ...] = ()
    worker: int | None = None
    database_limit: int | None = None
    pods: int = 1
    max_connections: int | None = None
