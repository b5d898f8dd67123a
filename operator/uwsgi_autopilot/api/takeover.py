"""What the autopilot takes over from a resolved uWSGI configuration, and what it leaves to uWSGI: pure.

Names and defaults are uWSGI 2.0's. Relative paths are uWSGI's too: sockets, stats and pidfile2 lie below `chdir`, what
is opened before it (pidfile, logs, touch-*) below the directory that uWSGI was started in.
"""

import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass

from uwsgi_autopilot.api.address import MAX_PORT, tcp_address
from uwsgi_autopilot.api.fates import Fate, row_of
from uwsgi_autopilot.api.overlap import why_no_swap
from uwsgi_autopilot.api.shape import Shape

# uWSGI's own number for a socket-timeout is 4 s without traffic; its HTTP router and nginx wait 60 s for an answer.
ANSWER_SECONDS = 60.0
_WHOLE = re.compile(r"\s*(\d+)")
_FALSE = frozenset({"false", "0", "no", "off", "n"})
# Options that make uWSGI listen, and that a build without TLS does not know.
_TLS = frozenset({"https", "https2", "https-socket", "http-to-https", "suwsgi-socket"})


class ConfigurationError(ValueError):
    """One sentence: what in the configuration cannot be served."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Takeover:
    """options: what each generation is started with, in uWSGI's order. shape: processes x threads as configured.

    most, least: bounds of the processes that `cheaper` names; None: no cheaper. http: addresses of the router, as
    "host:port", ":port" or a path. router_options: http-* for uWSGI's router. sockets: of the uwsgi protocol, absolute
    paths or "host:port". mode: of the unix sockets; None: the umask's. owner: (user, group) of sockets that
    `chown-socket` names; user, group: whom uWSGI becomes. stats: addresses. pidfiles: absolute. touched: files whose
    touching means a new generation. autoreload: seconds between looks at the Python files; None: none.
    vacuum: remove sockets and pid files at the end. no_swap: why there may be no second generation; None: there may.
    plain: why it is not tuned at all; None: it is. notes: what to say at the start, one sentence each.
    """

    options: tuple[tuple[str, str], ...]
    shape: Shape
    most: int | None
    least: int | None
    http: tuple[str, ...]
    router_options: tuple[tuple[str, str], ...]
    sockets: tuple[str, ...]
    backlog: int | None
    mode: int | None
    owner: tuple[str, str | None] | None
    user: str | None
    group: str | None
    stats: tuple[str, ...]
    stats_http: bool
    pidfiles: tuple[str, ...]
    vacuum: bool
    touched: tuple[str, ...]
    autoreload: float | None
    folder: str
    answer_seconds: float
    request_seconds: float
    no_swap: str | None
    plain: str | None
    notes: tuple[str, ...]


def take_over(options: Iterable[tuple[str, str]], *, known: frozenset[str], cwd: str) -> Takeover:
    """`known`: the options of this uWSGI; other names are placeholders. `cwd`: where uWSGI would be started.

    Raises ConfigurationError.
    """
    given = _Given(tuple(options), known)
    kept: list[tuple[str, str]] = []
    notes: list[str] = []
    plain: str | None = None
    for name, value in given.options:
        row = row_of(name)
        if row.fate is Fate.REFUSED:
            raise ConfigurationError(f"{name}: {row.meaning}")
        if row.fate is Fate.PLAIN and not _off(value):
            plain = plain or f"{name} = {value}: {row.meaning}"
        if row.fate in (Fate.KEPT, Fate.IN_PLACE):
            kept.append((name, value))
    for name in given.placeholders:
        if name in _TLS:
            raise ConfigurationError(
                f"{name}: this build of uWSGI has no TLS (pyuwsgi never has), so nothing would listen there: "
                "build uWSGI where OpenSSL's headers are installed, or let nginx do TLS"
            )
    folder = posixpath.normpath(posixpath.join(cwd, given.last("chdir", "chdir2") or ""))
    processes, threads = given.number("processes", "workers", "p") or 1, given.number("threads") or 1
    # 0: no cheaper at all, as for uWSGI.
    least = given.number("cheaper") or None
    if least is not None and least >= processes:
        raise ConfigurationError(
            f"cheaper = {least}: expected fewer than the {processes} of processes, which is the most that may run"
        )
    initial = processes if least is None else min(max(given.number("cheaper-initial") or 0, least), processes)
    shape = Shape(initial, threads)
    if log := given.last("daemonize", "d", "daemonize2"):
        kept.append(("logto", log))
        notes.append(f"daemonize: this command stays in the foreground; uWSGI's log is {log}")
    if least is not None:
        notes.append(f"cheaper: the autopilot itself runs {least} to {processes} processes, as the load needs them")
    no_swap = why_no_swap(kept)
    if no_swap:
        notes.append(f"{no_swap}: only the number of processes is tuned, and a reload ends the old generation first")
    mercy = given.number("worker-reload-mercy", "reload-mercy") or 0
    answer = float(given.number("http-timeout") or ANSWER_SECONDS)
    http = given.every("http", "httprouter", "http-socket", "http11-socket")
    sockets = tuple(_socket(value, folder) for value in given.every("socket", "s", "uwsgi-socket"))
    stats = tuple(_socket(value, folder) for value in given.every("stats", "stats-server"))
    _check_ports("http", http)
    _check_ports("socket", sockets)
    _check_ports("stats", stats)
    if not http and not sockets and plain is None:
        raise ConfigurationError("it names no http, http-socket or socket, so nobody could reach the application")
    return Takeover(
        options=tuple(kept),
        shape=shape,
        most=processes if least is not None else None,
        least=least,
        http=tuple(value if not value.startswith(("/", ".")) else _below(folder, value) for value in http),
        router_options=tuple(
            (name, value)
            for name, value in given.options
            if name.startswith("http-")
            and name not in ("http-socket", "http-to")
            and not name.startswith("http-socket-")
        ),
        sockets=sockets,
        backlog=given.number("listen", "l"),
        mode=_mode(given.last("chmod-socket", "chmod", "C")),
        owner=_owner(given.last("chown-socket")),
        user=given.last("uid", "immediate-uid"),
        group=given.last("gid", "immediate-gid"),
        stats=stats,
        stats_http=given.flag("stats-http"),
        pidfiles=(
            *(_below(cwd, value) for value in given.every("pidfile", "safe-pidfile")),
            *(_below(folder, value) for value in given.every("pidfile2", "safe-pidfile2")),
        ),
        vacuum=given.flag("vacuum"),
        touched=tuple(
            _below(folder, value.split(" ")[0])
            for value in given.every("touch-reload", "touch-workers-reload", "touch-chain-reload", "fs-reload")
        ),
        autoreload=_autoreload(given),
        folder=folder,
        answer_seconds=answer,
        request_seconds=max(answer, float(mercy), float(given.number("harakiri") or 0)),
        no_swap=no_swap,
        plain=plain,
        notes=tuple(notes),
    )


class _Given:
    """options: those that uWSGI knows. placeholders: the other names."""

    def __init__(self, options: tuple[tuple[str, str], ...], known: frozenset[str]) -> None:
        # Long options have aliases of one letter only on the command line, and uWSGI shows them by their long name.
        self.options = tuple(each for each in options if each[0] in known or row_of(each[0]).fate is Fate.RESOLVED)
        self.placeholders = tuple(dict.fromkeys(name for name, _ in options if name not in known))

    def every(self, *names: str) -> list[str]:
        return [value for name, value in self.options if name in names]

    def last(self, *names: str) -> str | None:
        found = self.every(*names)
        return found[-1] if found else None

    def flag(self, *names: str) -> bool:
        found = self.last(*names)
        return found is not None and not _off(found)

    def number(self, *names: str) -> int | None:
        """As uWSGI reads it: leading digits; "true" is 1."""
        found = self.last(*names)
        if found is None:
            return None
        if found == "true":
            return 1
        digits = _WHOLE.match(found)
        if digits is None:
            raise ConfigurationError(f"{names[0]}: expected a number, found {found!r}")
        return int(digits[1])


def _off(value: str) -> bool:
    """uWSGI's flags take no value; a few read these words as off, and who writes them means it."""
    return value.strip().lower() in _FALSE


def _below(folder: str, path: str) -> str:
    return posixpath.normpath(posixpath.join(folder, path))


def _socket(value: str, folder: str) -> str:
    """An absolute path or "host:port"; modifiers after a comma are for clients."""
    value = value.strip()
    if value.startswith(("fd://", "=", "@", "\\0")):
        raise ConfigurationError(
            f"socket = {value}: expected a path or an address such as 127.0.0.1:3031; an inherited, shared or abstract "
            "socket cannot be taken over"
        )
    return value if tcp_address(value) else _below(folder, value)


def _check_ports(option: str, addresses: Iterable[str]) -> None:
    for address in addresses:
        tcp = tcp_address(address)
        if tcp and not 1 <= tcp[1] <= MAX_PORT:
            raise ConfigurationError(f"{option} = {address}: expected a port from 1 to {MAX_PORT}, found {tcp[1]}")


def _mode(value: str | None) -> int | None:
    if value is None:
        return None
    if value == "true":  # uWSGI's meaning of the option without a value
        return 0o666
    try:
        return int(value, 8) & 0o777
    except ValueError:
        raise ConfigurationError(f"chmod-socket: expected an octal mode such as 660, found {value!r}") from None


def _owner(value: str | None) -> tuple[str, str | None] | None:
    if value is None:
        return None
    user, _, group = value.partition(":")
    return user, group or None


def _autoreload(given: _Given) -> float | None:
    seconds = given.number("py-auto-reload", "py-autoreload", "python-auto-reload", "python-autoreload")
    return float(seconds) if seconds else None
