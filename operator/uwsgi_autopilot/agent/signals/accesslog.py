"""nginx's access log as it arrives: one datagram per request on a unix socket, counted into histograms.

nginx sends `<190>Nov 27 16:24:48 autopilot: STATUS REQUEST_TIME UPSTREAM_TIME` (resources/nginx.py writes the format).
Two traps:

- A unix datagram socket queues net.unix.max_dgram_qlen messages, 10 by default, whatever SO_RCVBUF says; nginx does
  not wait and drops the rest. So a dedicated thread does nothing but read, in batches (kernel/datagrams.py). What the
  lines say is counted once a second: just after a thread was woken each line of Python costs several times as much.
- Reading each of 5,000 datagrams a second would cost a tenth of a core. So the kernel samples: a classic BPF filter
  on our socket lets through the lines of all 5xx answers and a random share of the rest. As far as nginx can tell, what
  a filter drops has been delivered.
"""

import array
import os
import re
import socket
import struct
import threading
from pathlib import Path
from typing import Any

from uwsgi_autopilot.agent.signals.collector import Collector, Window
from uwsgi_autopilot.kernel.datagrams import Datagrams
from uwsgi_autopilot.report.histogram import add, bucket_of

# About this many lines are read a second, at most. 100 give a p99 over ten seconds from 1,000 requests.
TARGET_RATE = 100.0
# Lines kept as they came, at most: before the filter knows the rate of a load that begins, all of them are read.
KEPT_LINES = 1000
SO_ATTACH_FILTER = 26
# Where the status begins: after the priority, the time (15 bytes), a space, and `autopilot: `.
STATUS_AT = 32
ALL = 1.0
# Any process of the pod may write to the socket. So each word is what nginx writes, or the line is nobody's: `nan`,
# `-1` and `1e999` are numbers to Python. After several tries the last one answered; `-`: nobody was asked.
_SECONDS = rb"\d{1,9}\.\d{3}"
_LINE = re.compile(
    rb"autopilot: (?P<status>\d{3}) (?P<request>" + _SECONDS + rb")"
    rb"(?: (?:(?:" + _SECONDS + rb"|-)(?:, | : ))*(?:(?P<upstream>" + _SECONDS + rb")|-))?\Z"
)


class AccessLog(Collector):
    """Must come after Finished, whose requests it needs."""

    def __init__(self, path: str, owner: tuple[int, int] | None = None) -> None:
        """owner: (uid, gid) of the socket; None: ours. Raises OSError when the socket cannot be bound."""
        Path(path).unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(path)
        os.chmod(path, 0o660)
        if owner is not None:
            os.chown(path, *owner)  # nginx writes there, and is that user, too
        self._datagrams = Datagrams(self._socket)
        self._lock = threading.Lock()
        self._share = ALL
        self._fresh = _Counts()
        self._lines: list[bytes] = []
        threading.Thread(target=self._read, daemon=True).start()

    def collect(self, window: Window) -> dict[str, Any]:
        """Compares the lines with the requests that the server finished in the window, and adapts the sampled share to
        them."""
        requests: float = window.fields["requests"]
        with self._lock:
            counts, self._fresh = self._fresh, _Counts()
            lines, self._lines = self._lines, []
            share = self._share
        for line in (*lines, *self._datagrams.take()):
            counts.count(line)
        expected = requests * share
        # Below a hundred expected lines, chance and the edges of the window are larger than any loss.
        lost = max(0.0, 1 - counts.lines / expected) if expected >= 100 else 0.0
        rate = requests / window.seconds
        wanted = min(ALL, TARGET_RATE / rate) if rate > 0 else ALL
        if abs(wanted - share) > 0.2 * share:
            self._let_through(wanted)
        return {
            "latency": tuple(sorted(counts.latency.items())),
            "upstream": tuple(sorted(counts.upstream.items())),
            "errors": counts.errors,
            "latency_lost": lost,
        }

    def _read(self) -> None:
        while True:
            try:
                lines = self._datagrams.receive()
            except OSError:
                return
            with self._lock:
                for line in lines:
                    if len(self._lines) < KEPT_LINES:
                        self._lines.append(line)
                    else:
                        self._fresh.count(line)

    def _let_through(self, share: float) -> None:
        try:
            attach(self._socket, sampling_filter(share))
        except OSError:
            return  # no filter: every line is read, which costs more but counts correctly
        with self._lock:
            self._share = share


class _Counts:
    def __init__(self) -> None:
        self.latency: dict[int, int] = {}
        self.upstream: dict[int, int] = {}
        self.lines = 0
        self.errors = 0

    def count(self, line: bytes) -> None:
        parsed = parse_line(line)
        if parsed is None:
            return
        status, request_s, upstream_s = parsed
        if status.startswith(b"5"):
            self.errors += 1
        else:
            self.lines += 1
        add(self.latency, ((bucket_of(request_s), 1),))
        if upstream_s is not None:
            add(self.upstream, ((bucket_of(upstream_s), 1),))


def parse_line(line: bytes) -> tuple[bytes, float, float | None] | None:
    """(status, request seconds, upstream seconds or None) of one datagram; None when it is not ours.

    With a retry nginx writes `0.001, 0.020` for the upstream: the last one answered.
    """
    found = _LINE.search(line)
    if found is None:
        return None
    upstream = found["upstream"]
    return found["status"], float(found["request"]), None if upstream is None else float(upstream)


def attach(receiver: socket.socket, program: bytes) -> None:
    """Raises OSError."""
    code = array.array("B", program)
    # struct sock_fprog: the number of instructions, then a pointer to them.
    fprog = struct.pack("HL", len(program) // 8, code.buffer_info()[0])
    receiver.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, fprog)


def sampling_filter(share: float) -> bytes:
    """Classic BPF: let the line of every 5xx answer pass, and `share` (0..1) of the others.

    SKF_AD_OFF + SKF_AD_RANDOM (linux/filter.h) loads 32 random bits. A line that is too short to have a status is
    dropped.
    """
    load_byte, load_word, jump_equal, jump_greater, give = 0x30, 0x20, 0x15, 0x25, 0x06
    random_word = (-0x1000 + 56) & 0xFFFFFFFF
    keep = min(0xFFFFFFFF, int(share * 0xFFFFFFFF))
    program = (
        (load_byte, 0, 0, STATUS_AT),
        (jump_equal, 2, 0, ord("5")),
        (load_word, 0, 0, random_word),
        (jump_greater, 1, 0, keep),
        (give, 0, 0, 0xFFFFFFFF),
        (give, 0, 0, 0),
    )
    return b"".join(struct.pack("HBBI", *instruction) for instruction in program)
