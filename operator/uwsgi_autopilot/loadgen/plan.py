"""What the built-in load can be asked for: `clients=64,path=/io?ms=100` or `rate=200,path=/,from=20s,for=30s`.

Pure: text in, frozen values out. Files that it names are read in message.py; what the requests look like on the wire is
http.py, sending them engine.py.
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from uwsgi_autopilot.errors import UsageError

MAX_CLIENTS = 10_000
# Measured: one thread of Python gets 80,000 answers a second in a closed loop, and paces fewer in an open one.
MAX_RATE = 50_000.0
# More waiting connections than any listen backlog we create (4096) would only measure refused connections.
MAX_CONNECTIONS = 4096
DEFAULT_CONNECTIONS = 1024
# More would be a client that never gives up.
MAX_RETRIES = 10
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
OUR_HEADERS = frozenset({"content-length", "transfer-encoding", "connection", "expect", "upgrade"})
MAX_SECONDS = 7 * 86400.0
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}


class Arrival(str, Enum):
    """How an open loop spaces its requests; both have the same mean rate."""

    POISSON = "poisson"
    CONSTANT = "constant"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPhase:
    """One `--load`: a closed loop of `clients`, or an open loop of `rate` requests a second; exactly one is set.

    retries: how often a request is sent again, at once, when it is answered 5xx or times out; each try has a
    time-out of its own, the latency runs from the first, and the request has failed when the last one has.
    begin_s: seconds after the start of the generator. length_s: None means until the next phase begins, or the end.
    close: a new connection for each request. connections: bound of an open loop; an arrival that finds none free
    waits for one, and its latency runs. headers: `Name: value`, or `@FILE` with such lines; body: its text, or `@FILE`.
    """

    clients: int | None = None
    rate: float | None = None
    path: str = "/"
    method: str = "GET"
    headers: tuple[str, ...] = ()
    body: str | None = None
    begin_s: float = 0.0
    length_s: float | None = None
    close: bool = False
    timeout_s: float = 30.0
    retries: int = 0
    arrival: Arrival = Arrival.POISSON
    connections: int = DEFAULT_CONNECTIONS

    @property
    def end_s(self) -> float:
        """Seconds after the start of the generator; infinity if nothing ends the phase."""
        return math.inf if self.length_s is None else self.begin_s + self.length_s

    def __str__(self) -> str:
        load = f"clients={self.clients}" if self.clients is not None else f"rate={self.rate:g}"
        return f"{load},path={self.path}"


def parse_load(text: str) -> LoadPhase:
    """Read one `--load`. Raises UsageError with one sentence: what was expected, what was found."""
    fields: dict[str, object] = {}
    headers: list[str] = []
    for item in re.split(r"(?<!\\),", text):
        key, equals, value = item.replace("\\,", ",").partition("=")
        key = key.strip()
        if key not in _FIELDS:
            hint = " (a comma inside a value is written \\,)" if {"path", "headers", "body"} & fields.keys() else ""
            raise UsageError(f"--load {text}: expected one of {', '.join(_FIELDS)}, found {key!r}{hint}")
        name, read = _FIELDS[key]
        if name in fields and key != "header":
            raise UsageError(f"--load {text}: {key} is given twice")
        if bool(equals) == (key == "close"):
            wanted = "no value" if equals else f"{key}=VALUE"
            raise UsageError(f"--load {text}: {key}: expected {wanted}, found {item!r}")
        try:
            found = read(value)
        except ValueError as error:
            raise UsageError(f"--load {text}: {key}: {error}") from None
        if key == "header":
            headers.append(str(found))
            found = tuple(headers)
        fields[name] = found
    if "body" in fields and fields.setdefault("method", "POST") == "GET":
        raise UsageError(f"--load {text}: body: expected only with another method than GET")
    if ("clients" in fields) == ("rate" in fields):
        found = "both" if "clients" in fields else "neither"
        raise UsageError(
            f"--load {text}: expected either clients=N (a closed loop) or rate=R (an open loop), found {found}"
        )
    for key in ("arrival", "connections"):
        if key in fields and "rate" not in fields:
            raise UsageError(f"--load {text}: {key}: expected only together with rate=R, found it with clients=N")
    return LoadPhase(**fields)  # type: ignore[arg-type]  # each value was read by its own row of _FIELDS


def scheduled(phases: Sequence[LoadPhase], *, seconds: float) -> list[LoadPhase]:
    """Give each phase its end: its own `for`, else the next later start, else the end of the run.

    Phases that begin together run together. A phase that would begin after `seconds` is left out.
    """
    done = []
    for phase in phases:
        if phase.begin_s >= seconds:
            continue
        later = [other.begin_s for other in phases if other.begin_s > phase.begin_s]
        end = phase.end_s if phase.length_s is not None else min(later, default=seconds)
        done.append(replace(phase, length_s=min(end, seconds) - phase.begin_s))
    return sorted(done, key=lambda phase: phase.begin_s)


def parse_seconds(text: str) -> float:
    """Read `30`, `30s`, `500ms`, `2m` or `1h` as seconds. Raises ValueError with one sentence."""
    found = re.fullmatch(r"\s*(\d{1,9}(?:\.\d{1,9})?)\s*(ms|s|m|h|)\s*", text)
    if not found:
        raise ValueError(f"expected a time such as 30s, 500ms or 2m, found {text!r}")
    seconds = float(found[1]) * _UNITS[found[2]]
    if seconds > MAX_SECONDS:
        raise ValueError(f"expected at most {MAX_SECONDS:g} seconds, found {text!r}")
    return seconds


def _positive_seconds(text: str) -> float:
    seconds = parse_seconds(text)
    if seconds <= 0:
        raise ValueError(f"expected more than 0 seconds, found {text!r}")
    return seconds


def _whole(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text.strip()) or not least <= int(text) <= most:
            raise ValueError(f"expected a whole number from {least} to {most}, found {text!r}")
        return int(text)

    return read


def _rate(text: str) -> float:
    found = re.fullmatch(r"\s*[0-9]{1,9}(\.[0-9]{1,9})?\s*", text)
    if not found or not 0 < float(text) <= MAX_RATE:
        raise ValueError(f"expected requests a second, more than 0 and at most {MAX_RATE:g}, found {text!r}")
    return float(text)


def _path(text: str) -> str:
    """Only what may appear verbatim in a request line: a space or a line break would turn it into another request."""
    if not text.startswith("/"):
        raise ValueError(f"expected a path that begins with /, found {text!r}")
    if wrong := re.search(r"[^!-~]|#", text):
        raise ValueError(f"expected printable ASCII without spaces and #, found {wrong[0]!r} (write it as %XX)")
    return text


def _method(text: str) -> str:
    if text.strip() not in METHODS:
        raise ValueError(f"expected one of {', '.join(METHODS)}, found {text!r}")
    return text.strip()


def _header(text: str) -> str:
    """Checked here already where it is written out; a file's lines are checked when it is read (message.py)."""
    return text if text.startswith("@") else checked_header(text)


def checked_header(text: str) -> str:
    """`Name: value` as it is sent. Raises ValueError with one sentence."""
    name, colon, value = text.partition(":")
    if not colon or not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
        raise ValueError(f"expected Name: value, found {text!r}")
    if wrong := re.search(r"[^\t -~]", value):
        raise ValueError(f"expected printable ASCII in the value of {name}, found {wrong[0]!r}")
    if name.lower() in OUR_HEADERS:
        raise ValueError(f"{name} follows from the request and cannot be given; for new connections there is close")
    return f"{name}: {value.strip()}"


def _arrival(text: str) -> Arrival:
    try:
        return Arrival(text.strip())
    except ValueError:
        raise ValueError(f"expected {' or '.join(each.value for each in Arrival)}, found {text!r}") from None


_FIELDS: dict[str, tuple[str, Callable[[str], object]]] = {
    "clients": ("clients", _whole(1, MAX_CLIENTS)),
    "rate": ("rate", _rate),
    "path": ("path", _path),
    "method": ("method", _method),
    "header": ("headers", _header),
    "body": ("body", str),
    "from": ("begin_s", parse_seconds),
    "for": ("length_s", _positive_seconds),
    "close": ("close", lambda _: True),
    "timeout": ("timeout_s", _positive_seconds),
    "retries": ("retries", _whole(1, MAX_RETRIES)),
    "arrival": ("arrival", _arrival),
    "connections": ("connections", _whole(1, MAX_CONNECTIONS)),
}
