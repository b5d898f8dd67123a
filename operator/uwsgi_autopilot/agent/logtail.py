"""Pass a generation's output on to our own, and keep its end: it holds the traceback of a module that fails."""

import os
import threading
from collections import deque

KEEP_LINES = 60
CHUNK = 65536


class LogTail:
    """Reads `descriptor` in a thread until every writer is gone. Bytes go unchanged to `target`."""

    def __init__(self, descriptor: int, target: int = 1) -> None:
        self._lines: deque[bytes] = deque(maxlen=KEEP_LINES)
        self._thread = threading.Thread(target=self._copy, args=(descriptor, target), daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        """Every writer is gone, and all that was written was read."""
        return not self._thread.is_alive()

    def text(self) -> str:
        """The last lines so far."""
        return b"\n".join(self._lines).decode("utf-8", errors="replace")

    def _copy(self, descriptor: int, target: int) -> None:
        rest = b""
        while True:
            try:
                chunk = os.read(descriptor, CHUNK)
            except OSError:
                break
            if not chunk:
                break
            *lines, rest = (rest + chunk).split(b"\n")
            self._lines.extend(lines)
            write_all(target, chunk)
        if rest:
            self._lines.append(rest)
        os.close(descriptor)


def write_all(target: int, data: bytes) -> None:
    """A target that is gone (a closed pipe) must not stop the application's output from being read."""
    while data:
        try:
            data = data[os.write(target, data) :]
        except OSError:
            return


def traceback_tail(text: str) -> str:
    """The last Python traceback in uWSGI's output, without uWSGI's own lines; its last lines when there is none."""
    lines = text.splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("Traceback (most recent call last)")]
    if not starts:
        return "\n".join(lines[-8:])
    kept: list[str] = []
    for line in lines[starts[-1] :]:
        kept.append(line)
        # A traceback ends with the one line that is not indented.
        if len(kept) > 1 and line and not line.startswith((" ", "\t")):
            break
    return "\n".join(kept)
