"""One request on one connection: connect, send, read the answer, and what its outcome leads to.

What follows at once is done here: the client's next request, an arrival that waits for the connection, one more try.
When requests begin by the clock is engine.py.
"""

import errno
import select
import socket
from collections import deque
from time import monotonic

from uwsgi_autopilot.loadgen.counts import Tally
from uwsgi_autopilot.loadgen.http import AnswerReader, Malformed
from uwsgi_autopilot.loadgen.plan import LoadPhase

RECEIVE_BYTES = 65536
# A refused connection costs nothing: without a rest a closed loop would count 20,000 failures a second.
REST_S = 0.1
REPEATABLE = frozenset({"GET", "PUT", "DELETE"})
_GONE = (errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED)


class Connection:
    """One socket. `unsent`: what is left of the request."""

    __slots__ = ("connected", "deadline", "error", "fd", "phase", "reader", "reused", "since", "sock", "unsent")

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


class Sender:
    """`epoll` reports the sockets of `connections`, by descriptor; hand each that it reports to `ready`."""

    def __init__(self, address: tuple[int, tuple[str, int]]) -> None:
        """`address` is (family, socket address), already resolved."""
        self._family, self._address = address
        # select() cannot wait for descriptors from 1024 on: this one is made before any connection.
        self.epoll = select.epoll()
        self.connections: dict[int, Connection] = {}

    def close(self) -> None:
        for connection in list(self.connections.values()):
            self.drop(connection)
        self.epoll.close()

    def begin(self, phase: RunningPhase, since: float) -> None:
        """Send a request on a connection of its own; `since`: when its latency starts."""
        phase.tally.sent += 1
        self._connect(phase, since)

    def _connect(self, phase: RunningPhase, since: float) -> None:
        try:
            sock = socket.socket(self._family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        except OSError as error:
            phase.tally.fail(f"socket: {error.strerror}")
            self._rest(phase)
            return
        connection = Connection(phase, sock)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        phase.connections.add(connection)
        self.connections[connection.fd] = connection
        connection.since = since
        connection.deadline = since + phase.plan.timeout_s
        self.epoll.register(connection.fd, select.EPOLLOUT)
        result = sock.connect_ex(self._address)
        if result != errno.EINPROGRESS:
            # epoll reports the socket at once. Failing here would start the next request from within this one.
            connection.error = result

    def send(self, connection: Connection, since: float) -> None:
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
            self.epoll.modify(connection.fd, select.EPOLLOUT)

    def ready(self, connection: Connection) -> None:
        """Its socket is writable or readable, or has an error."""
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
            self.fail(connection, "malformed")
            return
        self._answered(connection, now)

    def _continue_sending(self, connection: Connection) -> None:
        if not connection.connected:
            if error := connection.error or connection.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                self.fail(connection, _why(error))
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
            self.epoll.modify(connection.fd, select.EPOLLIN)

    # How a request ends

    def _answered(self, connection: Connection, now: float) -> None:
        phase = connection.phase
        status = connection.reader.status
        assert connection.since is not None
        phase.tally.statuses[status] += 1
        if 200 <= status < 400:
            phase.tally.answer(now - connection.since)
        else:
            phase.tally.fail(f"status {status}")
        connection.since = None
        if not connection.reader.keep or phase.plan.close:
            self.drop(connection)
            self._next(phase, now)
            return
        connection.reused = True
        connection.reader.reset()
        if phase.plan.clients is not None:
            if phase.over:
                self.drop(connection)
            else:
                phase.tally.sent += 1
                self.send(connection, now)
        elif phase.waiting:
            self.send(connection, phase.waiting.popleft())
        elif phase.over:
            self.drop(connection)
        else:
            phase.idle.append(connection)

    def _next(self, phase: RunningPhase, now: float) -> None:
        """A connection is gone: start what is waiting for its slot."""
        if phase.plan.clients is not None:
            if not phase.over:
                self.begin(phase, now)
        elif phase.waiting:
            self._connect(phase, phase.waiting.popleft())

    def _lost(self, connection: Connection, error: int) -> None:
        """The server closed (error 0) or reset the connection.

        On a connection that has served before, and before any byte of an answer, that may be the server ending an
        idle connection while our request was on its way: it is then sent once more if its method may be repeated
        (RFC 9112 section 9.3.1, RFC 9110 section 9.2.2); another one has failed, for it may have been carried out.
        """
        phase, since = connection.phase, connection.since
        if since is None:
            self.drop(connection)
        elif (
            phase.plan.method in REPEATABLE
            and connection.reused
            and not connection.reader.began
            and error in (0, *_GONE)
        ):
            phase.tally.retried += 1
            self.drop(connection)
            self._connect(phase, since)
        elif error:
            self.fail(connection, _why(error))
        else:
            self.fail(connection, "truncated" if connection.reader.began else "closed without an answer")

    def fail(self, connection: Connection, why: str) -> None:
        """Close it; the request on it, if any, has failed."""
        phase, pending = connection.phase, connection.since is not None
        self.drop(connection)
        if not pending:
            return
        phase.tally.fail(why)
        if phase.plan.clients is None:
            self._next(phase, monotonic())
        else:
            self._rest(phase)

    def _rest(self, phase: RunningPhase) -> None:
        """A closed-loop client whose connection failed tries again after a rest."""
        if phase.plan.clients is not None and not phase.over:
            phase.resting.append(monotonic() + REST_S)

    def drop(self, connection: Connection) -> None:
        if self.connections.pop(connection.fd, None) is None:
            return
        connection.phase.connections.discard(connection)
        if connection in connection.phase.idle:
            connection.phase.idle.remove(connection)
        connection.sock.close()  # leaves the epoll set too: no one else holds the descriptor


def _why(error: int) -> str:
    if error == errno.ECONNREFUSED:
        return "refused"
    return "reset" if error in _GONE else (errno.errorcode.get(error, str(error)))
