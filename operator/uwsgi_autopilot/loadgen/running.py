"""A phase that runs, and its connections: values that engine.py and sender.py keep."""

import socket
from collections import deque

from uwsgi_autopilot.loadgen.counts import Tally
from uwsgi_autopilot.loadgen.http import AnswerReader
from uwsgi_autopilot.loadgen.plan import LoadPhase


class Connection:
    """One socket. `unsent`: what is left of the request. `tries`: how often it has been sent again."""

    __slots__ = (
        *("connected", "deadline", "error", "fd", "phase", "reader", "reused", "since", "sock", "tries", "unsent"),
    )

    def __init__(self, phase: "RunningPhase", sock: socket.socket) -> None:
        self.phase = phase
        self.sock = sock
        self.fd = sock.fileno()
        self.reader = AnswerReader()
        self.connected = False
        self.error = 0  # what connect() returned immediately
        self.reused = False  # it has carried an answer before
        self.since: float | None = None  # when the latency of its request starts; None: idle
        self.deadline = 0.0
        self.tries = 0
        self.unsent = b""


class RunningPhase:
    """One running `--load`. Times are on the monotonic clock."""

    def __init__(self, plan: LoadPhase, request: bytes, zero: float) -> None:
        self.plan = plan
        self.request = request
        self.begin = zero + plan.begin_s
        self.end = zero + plan.end_s
        self.last_arrival = self.end - 1e-6  # the instants are a sum of floats: else 100/s for 1 s makes 101
        self.started = False
        self.over = False
        self.tally = Tally()
        self.connections: set[Connection] = set()
        self.idle: list[Connection] = []  # open loop: the last one used is the first one taken
        self.waiting: deque[float] = deque()  # open loop: instants of arrivals without a connection
        self.resting: deque[float] = deque()  # closed loop: when clients whose connection failed try again
        self.next_arrival = self.begin
