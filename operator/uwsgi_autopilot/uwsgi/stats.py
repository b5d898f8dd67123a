"""Read the stats socket of a uWSGI master and keep of its JSON what can be trusted.

What is left out on purpose, all measured with 2.0.31:
- `listen_queue`, `load`, `sockets[].queue`: always 0 on unix sockets. kernel/sockdiag.py sees the true queue.
- `avg_rt`: computed as (old + latest) / 2, so the last request alone weighs one half. No average.
- `delta_requests`: lost counts with threads. `cores[].requests` has one writer per core and is exact.
- `cores[].vars`: all variables of the request in service, cookies and authorization included. Never kept, never shown.
"""

import json
import re
import socket
import time
from dataclasses import dataclass
from typing import Any

_MAX_BYTES = 64 * 1024 * 1024
# uWSGI's counters have 64 bits.
_MOST = 2**64


class StatsError(ValueError):
    """The text is not a stats JSON: one sentence. It says nothing about the load."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """One of the `processes` slots of a master.

    id: 1..processes; 0 for a slot that never ran. pid: 0 when not running; a parked worker that still finishes its
    requests has status `cheap` *and* a pid.
    accepting: reached its loop. Trap: uWSGI leaves it at 1 after death, so it is False here unless the worker is live.
    status: cheap, pause, idle, busy or sigN; busy means *any* thread is busy, useless as a measure of load.
    requests: finished ones, the sum over the cores, since the master started (a respawn does not reset it).
    running_time_us: microseconds in service of the *finished* requests, from accept to close, without the time in the
    queue. Its slope is the mean number of busy threads, within 1 %; credited when a request ends.
    in_service: threads handling a request, even while it is still being read from nginx. Trap: it stays 1 for
    threads of a killed worker, so it is 0 here where there is no pid.
    oldest_request_start: unix seconds, whole; None when nothing is in service.
    """

    id: int
    pid: int
    accepting: bool
    status: str
    requests: int
    running_time_us: int
    in_service: int
    oldest_request_start: int | None
    threads: int

    @property
    def live(self) -> bool:
        """Runs and is meant to."""
        return self.pid > 0 and self.status != "cheap"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """pid: of the master. Counters start at 0 with each master."""

    pid: int
    version: str
    workers: tuple[Worker, ...]

    @property
    def live_workers(self) -> tuple[Worker, ...]:
        return tuple(each for each in self.workers if each.live)

    @property
    def accepting_workers(self) -> tuple[Worker, ...]:
        return tuple(each for each in self.workers if each.accepting)


def read_stats(path: str, timeout_s: float = 0.5) -> bytes:
    """Everything the stats socket says, read to the end at once.

    The master writes it in its only loop: a reader that does not read blocks respawns and every command, without
    limit. So: read to the end, close whatever happens, and give up after `timeout_s` for the whole.

    Trap: the answer is *empty* (0 bytes) for as long as any client of the application's socket has sent the head of a
    request and not its body: uWSGI fails to parse what is left in that thread's buffer and drops the whole answer.
    nginx sends both in one write; anything else that may connect can blind this reader, not the socket diagnostics.

    Raises:
        TimeoutError: no end within timeout_s. OSError: no socket, nobody listens, or more than 64 MiB.
    """
    deadline = time.monotonic() + timeout_s
    parts: list[bytes] = []
    total = 0
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_s)
        connection.connect(path)
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"{path}: no complete answer within {timeout_s} s")
            connection.settimeout(left)
            part = connection.recv(262144)
            if not part:
                return b"".join(parts)
            parts.append(part)
            total += len(part)
            if total > _MAX_BYTES:
                raise OSError(f"{path}: expected at most {_MAX_BYTES} bytes, found more")


def parse_stats(raw: bytes) -> Stats:
    """Raises StatsError with one sentence.

    The variables of requests in service appear in this JSON as the client sent them: control characters, invalid UTF-8.
    So the text is taken as latin-1 and read non-strictly; if that is not enough the `vars` lists are cut out first.
    """
    text = raw.decode("latin-1")
    if not text.strip():
        raise StatsError("expected the stats JSON of uWSGI, found nothing")
    try:
        data = _loads(text)
    except (ValueError, RecursionError) as error:
        try:
            data = _loads(_without_vars(text))
        except (ValueError, RecursionError):
            # Not the parser's own text around the place: it could hold a cookie.
            reason = error.msg if isinstance(error, json.JSONDecodeError) else type(error).__name__
            raise StatsError(
                f"expected the stats JSON of uWSGI, found {len(raw)} bytes that are not ({reason})"
            ) from None
    if not isinstance(data, dict):
        raise StatsError("expected the stats JSON of uWSGI, found JSON that is no object")
    version = data.get("version", "")
    return Stats(
        pid=_whole(data, "pid"),
        version=version if isinstance(version, str) else "",
        workers=tuple(_worker(each) for each in _objects(data, "workers")),
    )


def _loads(text: str) -> Any:
    return json.loads(text, strict=False)


def _whole(data: dict[str, Any], name: str) -> int:
    """A counter, as uWSGI prints them. Anything else is no answer: taken for 0, it would read as no load."""
    value = data.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < _MOST:
        # The value stays unsaid: in a damaged answer it could be a piece of a request.
        raise StatsError(f"expected the stats JSON of uWSGI, found one whose {name} is no whole number from 0 to 2^64")
    return value


def _objects(data: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """At least one: a master has workers and each of them cores, whether they run or not."""
    value = data.get(name)
    if not isinstance(value, list) or not value or not all(isinstance(each, dict) for each in value):
        raise StatsError(f"expected the stats JSON of uWSGI, found one without a list of {name}")
    return value


def _worker(data: dict[str, Any]) -> Worker:
    cores = _objects(data, "cores")
    pid = _whole(data, "pid")
    status = data.get("status")
    if not isinstance(status, str):
        raise StatsError("expected the stats JSON of uWSGI, found one with a worker whose status is no text")
    starts = []
    in_service = 0
    if pid > 0:
        for core in cores:
            if _whole(core, "in_request"):
                in_service += 1
                info = core.get("req_info")
                # 0 between accept() and the first byte of the request; absent while nothing is known of it.
                if isinstance(info, dict) and "request_start" in info and (start := _whole(info, "request_start")):
                    starts.append(start)
    return Worker(
        id=_whole(data, "id"),
        pid=pid,
        accepting=_whole(data, "accepting") > 0 and pid > 0 and status != "cheap",
        status=status,
        requests=sum(_whole(core, "requests") for core in cores),
        running_time_us=_whole(data, "running_time"),
        in_service=in_service,
        oldest_request_start=min(starts, default=None),
        threads=len(cores),
    )


_VARS_OPEN = re.compile(r'"vars":\s*\[')
# The list, req_info, the end of this core, and then the next core or the end of all: text in a header that imitates
# less than that is not taken for it.
_VARS_END = r"""\]\s*,\s*"req_info"\s*:\s*\{\s*(?:"request_start"\s*:\s*\d+\s*)?\}\s*\}\s*(?:,\s*\{|\])"""
_VARS_CLOSE = re.compile(_VARS_END)
_STRING_LIST = re.compile(r'(?:\s*(?:"[^"\\]*(?:\\.[^"\\]*)*"|,))*\s*(?=' + _VARS_END + ")", re.DOTALL)


def _without_vars(text: str) -> str:
    """The text with every `vars` list emptied, whatever stands inside.

    A list of well-formed strings is skipped string by string, so that text in a header which looks like the end of the
    list is not taken for it; a list that is broken ends at the first thing that looks like its end.
    """
    kept = []
    at = 0
    while opened := _VARS_OPEN.search(text, at):
        kept.append(text[at : opened.end()])
        whole = _STRING_LIST.match(text, opened.end())
        if whole:
            at = whole.end()
            continue
        closed = _VARS_CLOSE.search(text, opened.end())
        if closed is None:
            at = opened.end()
            break
        at = closed.start()
    kept.append(text[at:])
    return "".join(kept)
