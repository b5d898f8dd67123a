"""Send the requests: one thread, one epoll, non-blocking sockets.

Time is what `time.monotonic` says. A closed-loop client is a connection that sends its next request when it has read
an answer. An open-loop arrival has an instant of its own: from there its latency and its timeout run, also while it
waits for a free connection.
"""

import errno
import random
import select
import socket
from collections import deque
from collections.abc import Callable
from time import monotonic

from uwsgi_autopilot.local.loadcount import Tally
from uwsgi_autopilot.local.loadhttp import AnswerReader, Malformed, request_bytes
from uwsgi_autopilot.local.loadplan import Arrival, LoadPhase

RECEIVE_BYTES = 65536
# Deadlines are looked at ten times a second: a timeout may be noticed so much late.
SWEEP_S = 0.1
# A refused connection costs nothing: without a rest a closed loop would count 20,000 failures a second.
REST_S = 0.1
_GONE = (errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED)


class _Connection:
    __slots__ = ("connected", "deadline", "error", "fd", "phase", "reader", "reused", "since", "sock", "unsent")

    def __init__(self, phase: "_Phase", sock: socket.socket) -> None:
        self.phase = phase
        self.sock = sock
        self.fd = sock.fileno()
        self.reader = AnswerReader()
        self.connected = False
        self.error = 0  # what connect() said at once
        self.reused = False  # an answer has come on it before
        self.since: float | None = None  # where the latency of the request on it begins; None: idle
        self.deadline = 0.0
        self.unsent = b""


class _Phase:
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
        self.connections: set[_Connection] = set()
        self.idle: list[_Connection] = []  # open loop: the last one used is the first one taken
        self.waiting: deque[float] = deque()  # open loop: instants of arrivals without a connection
        self.resting: deque[float] = deque()  # closed loop: when clients whose connection failed try again
        self.next_arrival = self.begin


class Engine:
    """Runs the phases; `tick` is called about every SWEEP_S and may call `stop`."""

    def __init__(
        self,
        address: tuple[int, tuple[str, int]],
        host: str,
        phases: list[LoadPhase],
        *,
        seed: int | None = None,
        tick: Callable[[float], None] = lambda now: None,
    ) -> None:
        """`address` is (family, socket address), resolved already; `host` the Host header."""
        self.zero = monotonic()
        self._family, self._address = address
        self._phases = [
            _Phase(plan, request_bytes(path=plan.path, host=host, close=plan.close), self.zero) for plan in phases
        ]
        self._random = random.Random(seed)  # noqa: S311  # spaces requests, keeps no secret
        self._tick = tick
        # select() below cannot wait for descriptors from 1024 on: this one is made before any connection.
        self._epoll = select.epoll()
        self._of: dict[int, _Connection] = {}
        self._stopping = False
        self._output = -1
        self._timed = any(plan.rate is not None for plan in phases)

    @property
    def tallies(self) -> list[Tally]:
        """One for each phase, in the order in which they were given."""
        return [phase.tally for phase in self._phases]

    def watch_reader(self, fd: int) -> None:
        """Let `run` raise BrokenPipeError as soon as nobody reads from `fd`; a file, which has no reader, is left."""
        try:
            self._epoll.register(fd, 0)  # EPOLLERR is always told
        except PermissionError:
            return
        self._output = fd

    def stop(self) -> None:
        """Begin no further request; `run` returns when those in flight are finished."""
        self._stopping = True

    def run(self) -> None:
        """Return when every phase is over and nothing is in flight. Raises BrokenPipeError: see watch_reader."""
        sweep_at = self.zero
        try:
            while True:
                now = monotonic()
                if now >= sweep_at:
                    self._sweep(now)
                    self._tick(now)
                    if all(phase.over and not phase.tally.in_flight for phase in self._phases):
                        return
                    sweep_at = self._next_sweep(now)
                if self._timed:
                    wake = min(sweep_at, self._arrivals(now))
                    # epoll counts in milliseconds, select in microseconds.
                    select.select([self._epoll], (), (), max(0.0, wake - monotonic()))
                    events = self._epoll.poll(0)
                else:
                    events = self._epoll.poll(max(0.0, sweep_at - now))
                for fd, event in events:
                    if fd == self._output:
                        raise BrokenPipeError(errno.EPIPE, "nobody reads the output")
                    if connection := self._of.get(fd):
                        self._ready(connection, event)
        finally:
            for connection in list(self._of.values()):
                self._drop(connection)
            self._epoll.close()

    # Beginning and ending

    def _next_sweep(self, now: float) -> float:
        """On a grid from `zero`, so that lines come at whole seconds, and when a phase begins or ends."""
        grid = self.zero + (int((now - self.zero) / SWEEP_S) + 1) * SWEEP_S
        return min([grid, *(at for phase in self._phases for at in (phase.begin, phase.end) if at > now)])

    def _sweep(self, now: float) -> None:
        """What happens by the clock: phases begin and end, rests end, deadlines pass."""
        for phase in self._phases:
            if not phase.started and now >= phase.begin and not self._stopping:
                phase.started = True
                phase.resting.extend([now] * (phase.plan.clients or 0))
            if not phase.over and (self._stopping or now >= phase.end):
                self._end(phase)
            while phase.resting and phase.resting[0] <= now:
                phase.resting.popleft()
                self._begin_request(phase, now)
            for connection in [each for each in phase.connections if each.since is not None and each.deadline <= now]:
                self._fail(connection, "timeout")
            while phase.waiting and phase.waiting[0] + phase.plan.timeout_s <= now:
                phase.waiting.popleft()
                phase.tally.fail("timeout")

    def _end(self, phase: _Phase) -> None:
        phase.over = True
        phase.resting.clear()
        if self._stopping:
            phase.tally.sent -= len(phase.waiting)
            phase.tally.unsent += len(phase.waiting)
            phase.waiting.clear()
        else:
            self._arrive(phase, phase.last_arrival)
        for connection in list(phase.connections):
            if connection.since is None:
                self._drop(connection)

    # Open loop

    def _arrivals(self, now: float) -> float:
        """Begin what is due; return when the next arrival is."""
        soonest = now + SWEEP_S
        for phase in self._phases:
            if phase.plan.rate is not None and phase.started and not phase.over:
                self._arrive(phase, min(now, phase.last_arrival))
                soonest = min(soonest, phase.next_arrival)
        return soonest

    def _arrive(self, phase: _Phase, until: float) -> None:
        rate = phase.plan.rate
        if rate is None:
            return
        while phase.next_arrival < until:
            at = phase.next_arrival
            constant = phase.plan.arrival is Arrival.CONSTANT
            phase.next_arrival += 1 / rate if constant else self._random.expovariate(rate)
            now = monotonic()
            phase.tally.late(now - at)
            if phase.idle:
                phase.tally.sent += 1
                self._send(phase.idle.pop(), at)
            elif len(phase.connections) < phase.plan.connections:
                self._begin_request(phase, at)
            else:
                phase.tally.sent += 1
                phase.tally.no_connection += 1
                phase.waiting.append(at)

    # One request

    def _begin_request(self, phase: _Phase, since: float) -> None:
        phase.tally.sent += 1
        self._connect(phase, since)

    def _connect(self, phase: _Phase, since: float) -> None:
        try:
            sock = socket.socket(self._family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        except OSError as error:
            phase.tally.fail(f"socket: {error.strerror}")
            self._rest(phase)
            return
        connection = _Connection(phase, sock)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        phase.connections.add(connection)
        self._of[connection.fd] = connection
        connection.since = since
        connection.deadline = since + phase.plan.timeout_s
        self._epoll.register(connection.fd, select.EPOLLOUT)
        result = sock.connect_ex(self._address)
        if result != errno.EINPROGRESS:
            # epoll reports the socket at once. Failing here would begin the next request from within this one.
            connection.error = result

    def _send(self, connection: _Connection, since: float) -> None:
        """Send the phase's request on an idle connection."""
        connection.since = since
        connection.deadline = since + connection.phase.plan.timeout_s
        request = connection.phase.request
        try:
            sent = connection.sock.send(request)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._lost(connection, error.errno or errno.EPIPE)
            return
        if sent < len(request):
            connection.unsent = request[sent:]
            self._epoll.modify(connection.fd, select.EPOLLOUT)

    def _ready(self, connection: _Connection, event: int) -> None:
        if connection.unsent or not connection.connected:
            self._continue_sending(connection)
            return
        try:
            data = connection.sock.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._lost(connection, error.errno or errno.ECONNRESET)
            return
        now = monotonic()
        reader = connection.reader
        try:
            if not data:
                if connection.since is None or not reader.end():
                    self._lost(connection, 0)
                    return
                reader.keep = False
            elif connection.since is None:
                raise Malformed("bytes that nobody asked for")
            elif not reader.feed(data):
                return
        except Malformed:
            self._fail(connection, "malformed")
            return
        self._answered(connection, now)

    def _continue_sending(self, connection: _Connection) -> None:
        if not connection.connected:
            if error := connection.error or connection.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                self._fail(connection, _why(error))
                return
            connection.connected = True
            connection.unsent = connection.phase.request
        try:
            connection.unsent = connection.unsent[connection.sock.send(connection.unsent) :]
        except BlockingIOError:
            return
        except OSError as error:
            self._lost(connection, error.errno or errno.EPIPE)
            return
        if not connection.unsent:
            self._epoll.modify(connection.fd, select.EPOLLIN)

    # How a request ends

    def _answered(self, connection: _Connection, now: float) -> None:
        phase = connection.phase
        status = connection.reader.status
        assert connection.since is not None
        if 200 <= status < 400:
            phase.tally.answer(now - connection.since)
        else:
            phase.tally.fail(f"status {status}")
        connection.since = None
        if not connection.reader.keep or phase.plan.close:
            self._drop(connection)
            self._next(phase, now)
            return
        connection.reused = True
        connection.reader.reset()
        if phase.plan.clients is not None:
            if phase.over:
                self._drop(connection)
            else:
                phase.tally.sent += 1
                self._send(connection, now)
        elif phase.waiting:
            self._send(connection, phase.waiting.popleft())
        elif phase.over:
            self._drop(connection)
        else:
            phase.idle.append(connection)

    def _next(self, phase: _Phase, now: float) -> None:
        """A connection is gone: begin what waits for its place."""
        if phase.plan.clients is not None:
            if not phase.over:
                self._begin_request(phase, now)
        elif phase.waiting:
            self._connect(phase, phase.waiting.popleft())

    def _lost(self, connection: _Connection, error: int) -> None:
        """The server closed (error 0) or reset the connection.

        On a connection that has served before, and before any byte of an answer, that may be the server ending an
        idle connection while our request was on its way: a GET is then sent once more (RFC 9112 section 9.3.1).
        """
        phase, since = connection.phase, connection.since
        if since is None:
            self._drop(connection)
        elif connection.reused and not connection.reader.began and error in (0, *_GONE):
            phase.tally.retried += 1
            self._drop(connection)
            self._connect(phase, since)
        elif error:
            self._fail(connection, _why(error))
        else:
            self._fail(connection, "truncated" if connection.reader.began else "closed without an answer")

    def _fail(self, connection: _Connection, why: str) -> None:
        phase, pending = connection.phase, connection.since is not None
        self._drop(connection)
        if not pending:
            return
        phase.tally.fail(why)
        if phase.plan.clients is None:
            self._next(phase, monotonic())
        else:
            self._rest(phase)

    def _rest(self, phase: _Phase) -> None:
        """A closed-loop client whose connection failed tries again after a rest."""
        if phase.plan.clients is not None and not phase.over:
            phase.resting.append(monotonic() + REST_S)

    def _drop(self, connection: _Connection) -> None:
        if self._of.pop(connection.fd, None) is None:
            return
        connection.phase.connections.discard(connection)
        if connection in connection.phase.idle:
            connection.phase.idle.remove(connection)
        connection.sock.close()  # leaves the epoll too: nobody else holds the descriptor


def _why(error: int) -> str:
    if error == errno.ECONNREFUSED:
        return "refused"
    return "reset" if error in _GONE else (errno.errorcode.get(error, str(error)))
