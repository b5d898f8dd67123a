"""One request on one connection: connect, send, read the answer, and what its outcome leads to.

What follows at once is done here: the client's next request, an arrival that waits for the connection, one more try.
When requests begin by the clock is engine.py.
"""

import errno
import select
import socket
from time import monotonic

from uwsgi_autopilot.loadgen.http import Malformed
from uwsgi_autopilot.loadgen.running import Connection, RunningPhase

RECEIVE_BYTES = 65536
# A refused connection costs nothing: without a rest a closed loop would count 20,000 failures a second.
REST_S = 0.1
REPEATABLE = frozenset({"GET", "PUT", "DELETE"})
_GONE = (errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED)


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

    def _connect(self, phase: RunningPhase, since: float, *, tries: int = 0) -> None:
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
        connection.since, connection.tries = since, tries
        connection.deadline = (monotonic() if tries else since) + phase.plan.timeout_s
        self.epoll.register(connection.fd, select.EPOLLOUT)
        result = sock.connect_ex(self._address)
        if result != errno.EINPROGRESS:
            # epoll reports the socket at once. Failing here would start the next request from within this one.
            connection.error = result

    def send(self, connection: Connection, since: float, *, tries: int = 0) -> None:
        """Send the phase's request on an idle connection."""
        connection.since, connection.tries = since, tries
        connection.deadline = (monotonic() if tries else since) + connection.phase.plan.timeout_s
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
        if status >= 500 and _may_repeat(connection):
            self._repeat(connection, usable=connection.reader.keep and not phase.plan.close)
            return
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

    def _repeat(self, connection: Connection, *, usable: bool) -> None:
        """Send its request again; usable: on the same connection, which the answer has left open."""
        phase, since, tries = connection.phase, connection.since, connection.tries + 1
        assert since is not None
        phase.tally.repeated += 1
        if usable:
            connection.reused = True
            connection.reader.reset()
            self.send(connection, since, tries=tries)
        else:
            self.drop(connection)
            self._connect(phase, since, tries=tries)

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
        if pending and why == "timeout" and _may_repeat(connection):
            self._repeat(connection, usable=False)
            return
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


def _may_repeat(connection: Connection) -> bool:
    return connection.tries < connection.phase.plan.retries and not connection.phase.over


def _why(error: int) -> str:
    if error == errno.ECONNREFUSED:
        return "refused"
    return "reset" if error in _GONE else (errno.errorcode.get(error, str(error)))
