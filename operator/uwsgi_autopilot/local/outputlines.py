"""Read the lines that a child prints, as they come."""

import os
import select
from collections.abc import Iterator

# A longer line is passed on in pieces: an application may print without ever ending one.
LINE_BYTES = 16 * 1024
QUIET_SECONDS = 1.0


def lines_of(fd: int) -> Iterator[str | None]:
    """Each line without its end, until the end of file; None after each second without output."""
    waiting = select.poll()
    waiting.register(fd, select.POLLIN)
    rest = b""
    while True:
        if not waiting.poll(QUIET_SECONDS * 1000):
            yield None
            continue
        data = os.read(fd, 65536)
        if not data:
            break
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            yield from _pieces(line)
        while len(rest) >= LINE_BYTES:
            yield _text(rest[:LINE_BYTES])
            rest = rest[LINE_BYTES:]
    if rest:
        yield _text(rest)


def _pieces(line: bytes) -> Iterator[str]:
    for begin in range(0, max(1, len(line)), LINE_BYTES):
        yield _text(line[begin : begin + LINE_BYTES])


def _text(line: bytes) -> str:
    return line.decode("utf-8", errors="replace")
