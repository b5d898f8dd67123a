"""One question to the kernel's socket diagnostics over netlink, and the messages of its answer.

Knows the transport only; what messages and attributes mean is sockdiag.py's.
"""

import socket
import struct
from collections.abc import Iterator

NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
NLM_F_REQUEST = 0x1
NLM_F_DUMP = 0x300
NLMSG_ERROR = 2
NLMSG_DONE = 3

HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
ATTRIBUTE = struct.Struct("=HH")  # nlattr: length with this head, kind
_DONE = struct.Struct("=IHHIIi")  # NLMSG_DONE: the header, and an error
_LENGTH = struct.Struct("=I")
_PATIENCE = struct.pack("ll", 0, 500_000)  # struct timeval
_RECEIVE_BYTES = 65536  # the kernel fills at most 32 KiB of messages at a time


class SocketDiagnosticsLink:
    """Keeps one netlink socket open. Raises OSError at construction where the kernel has no diagnostics (gVisor)."""

    def __init__(self) -> None:
        self._sequence = 0
        self._socket = self._open()

    @staticmethod
    def _open() -> socket.socket:
        opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_SOCK_DIAG)
        # A dump is answered at once; this only keeps a surprise from hanging the agent. With settimeout() instead,
        # Python polls before each call: a tenth of a look.
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _PATIENCE)
        return opened

    def close(self) -> None:
        self._socket.close()

    def dump(self, request: bytes) -> bytes | None:
        """All messages of one dump, back to back; None on any error, with a fresh socket for the next call.

        A dump that the kernel ended early is an error: what is missing in it would read as no load.
        """
        self._sequence = (self._sequence + 1) & 0xFFFFFFFF
        header = HEADER.pack(
            HEADER.size + len(request), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, self._sequence, 0
        )
        parts: list[bytes] = []
        try:
            self._socket.send(header + request)
            while True:
                part = self._socket.recv(_RECEIVE_BYTES)
                _, kind, _, sequence, _ = HEADER.unpack_from(part)
                if sequence != self._sequence:
                    continue  # left over from a dump that was given up
                if kind == NLMSG_ERROR:
                    return None
                if kind == NLMSG_DONE:
                    return None if _error_of(part) else b"".join(parts)
                if _ends_with_done(part, self._sequence):
                    parts.append(part[: -_DONE.size])
                    return None if _error_of(part[-_DONE.size :]) else b"".join(parts)
                parts.append(part)
        except (OSError, struct.error):
            self._reopen()
            return None

    def _reopen(self) -> None:
        try:
            fresh = self._open()
        except OSError:
            return  # the old one stays: the next call fails again, or works again
        self._socket.close()
        self._socket = fresh


def _ends_with_done(part: bytes, sequence: int) -> bool:
    """The kernel may put the end of a dump behind the last messages, where there is room (rtnetlink's dumps, today)."""
    if len(part) < _DONE.size:
        return False
    length, kind, _, of, _, _ = _DONE.unpack_from(part, len(part) - _DONE.size)
    return bool((length, kind, of) == (_DONE.size, NLMSG_DONE, sequence))


def _error_of(done: bytes) -> int:
    """Negative: the dump ended early, with this errno."""
    return int(_DONE.unpack_from(done)[5]) if len(done) >= _DONE.size else 0


def messages(data: bytes) -> Iterator[tuple[int, int]]:
    """(start, end) of each whole netlink message in a dump, headers included."""
    at = 0
    while at + HEADER.size <= len(data):
        (length,) = _LENGTH.unpack_from(data, at)
        if length < HEADER.size or at + length > len(data):
            return
        yield at, at + length
        at += (length + 3) & ~3


def attributes(data: bytes, at: int, end: int) -> dict[int, bytes]:
    """Kind → payload of the attributes of one message, which lie between `at` and `end`."""
    found = {}
    while at + ATTRIBUTE.size <= end:
        size, kind = ATTRIBUTE.unpack_from(data, at)
        if size < ATTRIBUTE.size:
            break
        found[kind] = data[at + ATTRIBUTE.size : at + size]
        at += (size + 3) & ~3
    return found
