"""The real uwsgitop on a terminal of its own, and what it shows there."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LINES, COLUMNS = 50, 250
COMMAND = str(Path(sys.executable).parent / "uwsgitop")


class Top:
    """It draws the whole screen once a second."""

    def __init__(self, process: "subprocess.Popen[bytes]", terminal: int) -> None:
        self.process, self._terminal = process, terminal
        self._text = b""
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        while True:
            try:
                part = os.read(self._terminal, 65536)
            except OSError:
                return
            self._text += part

    def shows(self, text: str) -> bool:
        assert self.process.poll() is None, f"uwsgitop has ended: {self._text[-2000:]!r}"
        return text.encode() in self._text


@contextmanager
def uwsgitop(address: str, folder: Path) -> Iterator[Top]:
    """`uwsgitop ADDRESS` in `folder`."""
    terminal, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    process = subprocess.Popen(
        [sys.executable, COMMAND, address],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=folder,
        # pytest's workers have a COLUMNS of their own, which would cut the lines.
        env={**os.environ, "TERM": "xterm", "COLUMNS": str(COLUMNS), "LINES": str(LINES)},
        start_new_session=True,
    )
    os.close(theirs)
    try:
        yield Top(process, terminal)
    finally:
        process.kill()
        process.wait()
        os.close(terminal)
