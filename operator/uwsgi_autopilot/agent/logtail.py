"""Copy a generation's output to our own, and keep its end: that is where the traceback of a failing module is.

The pipe is always drained, because a worker that prints into a full one blocks in the middle of a request. Whatever
comes costs the same work per byte and the same memory, and no reader is waited for (relay.py).
"""

import os
import re
import threading
from collections import deque
from itertools import takewhile

from uwsgi_autopilot.agent.relay import Relay
from uwsgi_autopilot.report.text import readable

# Two tracebacks, of which one goes through a framework's imports (up to 100 lines were seen), and what uWSGI says.
KEEP_LINES = 200
# The beginning of each line: that is where an exception says what it is.
LINE_BYTES = 2000
CHUNK = 65536
CUT = b" ... (cut)"


class Tail:
    """The last lines of what it is fed, each cut to length. NUL bytes, invalid UTF-8 and endless lines are nothing
    special."""

    def __init__(self) -> None:
        self._lines: deque[bytes] = deque(maxlen=KEEP_LINES)
        self._rest = b""

    def feed(self, chunk: bytes) -> None:
        # More lines than we keep need not be told apart: the first piece, many lines in one, then drops out.
        first, *others = chunk.rsplit(b"\n", KEEP_LINES + 1)
        self._rest = _cut(self._rest, first)
        for each in others:
            self._lines.append(self._rest)
            self._rest = _cut(b"", each)

    def lines(self) -> list[bytes]:
        return [*self._lines, *([self._rest] if self._rest else [])][-KEEP_LINES:]


class LogTail:
    """Reads `descriptor`, the end of a pipe, in a thread until every writer is gone. Bytes go unchanged to `relay`."""

    def __init__(self, descriptor: int, relay: Relay) -> None:
        self._tail = Tail()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._copy, args=(descriptor, relay), daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        """All of the output has been read: nobody can write any more."""
        return not self._thread.is_alive()

    def text(self) -> str:
        """The last lines so far, without secrets."""
        with self._lock:
            lines = self._tail.lines()
        return readable(b"\n".join(lines).decode("utf-8", errors="replace"))

    def _copy(self, descriptor: int, relay: Relay) -> None:
        while True:
            try:
                chunk = os.read(descriptor, CHUNK)
            except OSError:
                break
            if not chunk:
                break
            with self._lock:
                self._tail.feed(chunk)
            relay.put(chunk)
        os.close(descriptor)


def _cut(line: bytes, more: bytes) -> bytes:
    """`line` and `more` joined, up to a maximum length. A line that has been cut takes no more."""
    if len(line) > LINE_BYTES:
        return line
    whole = line + more[: LINE_BYTES + 1 - len(line)]
    return whole if len(whole) <= LINE_BYTES else whole[:LINE_BYTES] + CUT


# "ModuleNotFoundError: No module named 'shop'" and the like: what an exception without a frame leaves.
_EXCEPTION = re.compile(r"(?:\w+\.)*\w*(?:Error|Exception|Exit|Interrupt)(?:: .*)?")
_TRACEBACK = "Traceback (most recent call last)"
# Where each worker loads the application itself, the first that cannot ends the others, in the middle of their imports
# or of printing why: then a line of uWSGI's, or the next traceback, stands where the cause should.
_INTERRUPTED = "KeyboardInterrupt"
_FIRST_FAILED = "OOPS ! failed loading app"
_CAUSE = re.compile(r"(?:[\w<>]+\.)*\w+(?:: .*)?")
# uWSGI's lines: its configuration; the last before the application is loaded; and those that follow if it comes back.
_INI = "[uWSGI] getting INI configuration"
_LOADS = "*** Operational MODE"
_CAME_BACK = ("unable to ", "*** no app loaded", "WSGI app ", "spawned uWSGI", "!!! uWSGI")


def not_an_exception(output: str) -> bool:
    """Whether what `traceback_tail` found is just the end of the output."""
    return not any(line.startswith(_TRACEBACK) or _EXCEPTION.fullmatch(line) for line in output.splitlines())


def traceback_tail(text: str) -> str:
    """The last Python traceback in uWSGI's output that tells a cause, without uWSGI's own lines; where there is none,
    the last exception with the source line that it points at, as of a SyntaxError; else the end of the output."""
    # What follows is of workers that are being ended, whatever they make of it: a KeyboardInterrupt can be caught.
    lines = list(takewhile(lambda line: not line.startswith(_FIRST_FAILED), text.splitlines()))
    starts = [number for number, line in enumerate(lines) if line.startswith(_TRACEBACK)]
    if not starts:
        ends = [number for number, line in enumerate(lines) if _EXCEPTION.fullmatch(line)]
        if not ends:
            return "\n".join(line for line in lines[-8:] if not line.startswith(_INI))
        start = ends[-1]
        while start > 0 and lines[start - 1].startswith(" "):
            start -= 1
        return "\n".join(lines[start : ends[-1] + 1])
    tracebacks = [_traceback(lines[start:]) for start in starts]
    told = [each for each in tracebacks if each[-1] != _INTERRUPTED and _CAUSE.fullmatch(each[-1])]
    return "\n".join((told or tracebacks)[-1])


def _traceback(lines: list[str]) -> list[str]:
    """The one that `lines` begin with: it ends with the one line that is not indented."""
    end = next(
        (number for number, line in enumerate(lines) if number and line and not line.startswith((" ", "\t"))), None
    )
    return lines if end is None else lines[: end + 1]


def ended_while_loading(text: str) -> str | None:
    """One sentence, and what was printed last, when the application ended the process while it was loaded: nothing
    else in uWSGI's output says so. `text`: the output of a process that has ended by itself."""
    lines = text.splitlines()
    loads = next((number for number in reversed(range(len(lines))) if lines[number].startswith(_LOADS)), None)
    if loads is None or any(line.startswith(_CAME_BACK) for line in lines[loads:]):
        return None
    sentence = "the application ended the process while it was loaded, as sys.exit() does"
    return "\n".join([f"{sentence}; it printed:", *lines[loads + 1 :][-8:]]) if lines[loads + 1 :] else sentence
