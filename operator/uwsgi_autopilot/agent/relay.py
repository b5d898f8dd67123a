"""Write to our standard output or error without waiting for a reader, for there may be none.

        put ──► buffer, 1 MiB ──► a thread that may be stopped forever by its write ──► standard output
         └────► no room: dropped and counted; the count is written when there is room again

Non-blocking writes would need no thread, but O_NONBLOCK belongs to the open file, which we share with whoever started
us: a terminal, or the agent's own standard error.
"""

import os
import select
import threading
import time
from functools import cache

OUT, ERR = 1, 2
BUFFER_BYTES = 1024 * 1024
PIECE_BYTES = 64 * 1024
# How long one chunk of an application's output, at most 64 KiB, is held for a slow reader: one that takes 640 KiB/s
# loses nothing, and one that has stopped delays the application by this much, once.
PATIENCE_SECONDS = 0.1
# At exit, for what is still in the buffers.
FAREWELL_SECONDS = 1.0


class Relay:
    """Bytes to the descriptor `target`, in the order of `put`. It lives as long as the process: nothing closes it."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._buffer = bytearray()
        self._lost = 0
        self._writing = False
        self._changed = threading.Condition()
        threading.Thread(target=self._write_all, daemon=True).start()

    def put(self, data: bytes, patience: float = PATIENCE_SECONDS) -> None:
        """Wait for room, at most `patience` seconds. Without room `data` is lost, and so is what follows until the
        buffer is empty: one gap, and one line that says how large it was."""
        with self._changed:
            self._changed.wait_for(lambda: self._lost or self._has_room(data), patience)
            if self._lost or not self._has_room(data):
                self._lost += len(data)
            else:
                self._buffer += data
            self._changed.notify_all()

    def flush(self, seconds: float) -> None:
        """Wait until everything is written, at most `seconds`."""
        with self._changed:
            self._changed.wait_for(lambda: not (self._buffer or self._lost or self._writing), seconds)

    def _has_room(self, data: bytes) -> bool:
        return len(self._buffer) + len(data) <= BUFFER_BYTES

    def _write_all(self) -> None:
        line_ended = True
        while True:
            with self._changed:
                self._writing = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._buffer or self._lost)
                piece = bytes(self._buffer[:PIECE_BYTES])
                del self._buffer[:PIECE_BYTES]
                if not piece:
                    piece, self._lost = _gap(self._lost, line_ended), 0
                self._writing = True
            line_ended = piece.endswith(b"\n")
            self._write(piece)

    def _write(self, data: bytes) -> None:
        """A target that is gone, or a full disk, must not hold up what comes after."""
        while data:
            try:
                data = data[os.write(self._target, data) :]
            except BlockingIOError:
                select.select([], [self._target], [])  # made non-blocking by someone who shares it with us
            except OSError:
                return


def _gap(lost: int, line_ended: bool) -> bytes:
    line = f"agent warning: {lost} bytes of output were dropped here, because nobody had read what came before them\n"
    return line.encode() if line_ended else b"\n" + line.encode()


@cache
def relay_to(target: int) -> Relay:
    """The relay for `target`, OUT or ERR. Call from the main thread."""
    return Relay(target)


def flush() -> None:
    """Before the process ends."""
    until = time.monotonic() + FAREWELL_SECONDS
    for target in (OUT, ERR):
        relay_to(target).flush(max(0.0, until - time.monotonic()))
