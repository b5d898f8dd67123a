"""Serve /healthz, /ready, /metrics and /v1/state. Read-only; never exposes the stats socket or the FIFO.

One loop in one thread per address, however many clients come. The unix socket is nginx's, which passes on the kubelet's
probes; the port is open to every pod in the cluster, and whatever happens there must not affect the probes or the
application. So connections are limited, in total and per address, each request as a whole has a deadline, and a
connection is read as soon as it is accepted: a request that arrives with its connection is answered before anything can
evict it. Measured on two busy cores: with 300 half-open connections /healthz takes 0.15 ms, the same as without them,
even from the same address; while two threads do nothing but connect, 0.4 ms. A thread per connection, as in
http.server, grew to 186 threads and kept probes waiting.
"""

import selectors
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs, urlsplit

from uwsgi_autopilot.agent.httptext import END_OF_HEAD, MOST_HEAD_BYTES, Request, answer_bytes, parse_request
from uwsgi_autopilot.agent.listener import bind
from uwsgi_autopilot.agent.log import log

# The operator, two Prometheus servers, the kubelet and a person or two, with room to spare.
MOST_CONNECTIONS = 64
# Per IP address. On some networks all pods of a node, and its kubelet, share one.
MOST_OF_ONE_ADDRESS = 16
# For a request to arrive, from first byte to last, and for its answer to be read.
REQUEST_SECONDS = 5.0
# We close an idle keep-alive connection after this long; the operator polls every 1 to 4 s.
IDLE_SECONDS = 30.0
# Connections that arrive faster than the loop turns wait here. http.server's 5 filled up at once, and a client that
# finds the backlog full retries only after a second.
BACKLOG = 1024
Page = Callable[[dict[str, list[str]]], tuple[int, str, bytes]]


class _Connection:
    """received, answer: bytes of an unfinished request, and of an answer not yet sent. served: it has sent a complete
    request. since: when it was last active. until: when it will be closed."""

    def __init__(self, client: socket.socket, address: str, now: float) -> None:
        self.socket, self.address = client, address
        self.received = self.answer = b""
        self.served = self.ending = False
        self.since = now
        self.until = now + REQUEST_SECONDS

    @property
    def idle(self) -> bool:
        return self.served and not self.received and not self.answer


class Server:
    """`close` ends it; only tests have a reason to."""

    def __init__(self, listen: str, pages: dict[str, Page]) -> None:
        """Raises OSError when the address cannot be bound."""
        self.pages = pages
        self._of_one_address = MOST_CONNECTIONS if listen.startswith("unix:") else MOST_OF_ONE_ADDRESS
        self._listener = bind(listen.removeprefix("unix:"), BACKLOG)
        self._listener.set_inheritable(False)
        self._listener.setblocking(False)
        self.address: Any = self._listener.getsockname()
        self._connections: set[_Connection] = set()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._closing = False
        self._thread = threading.Thread(target=self._run, daemon=True, name=f"serve {listen}")
        self._thread.start()

    def close(self) -> None:
        self._closing = True
        self._thread.join()

    def _run(self) -> None:
        while not self._closing:
            for key, events in self._selector.select(timeout=0.5):
                if key.data is None:
                    self._accept()
                elif key.data in self._connections:  # not closed by one before it
                    self._turn(key.data, events)
            self._close_late(time.monotonic())
        for connection in tuple(self._connections):
            self._close(connection)
        self._listener.close()
        self._selector.close()

    def _accept(self) -> None:
        """Accept all that wait: a full backlog would keep the next probe out."""
        for _ in range(BACKLOG):
            try:
                client, address = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as error:  # no descriptors, or the client has gone
                log("warning", f"a connection could not be accepted: {error.strerror}")
                time.sleep(0.1)
                return
            client.setblocking(False)
            connection = _Connection(client, address[0] if isinstance(address, tuple) else "", time.monotonic())
            self._make_room(connection.address)
            self._connections.add(connection)
            self._selector.register(client, selectors.EVENT_READ, connection)
            self._turn(connection, selectors.EVENT_READ)

    def _make_room(self, address: str) -> None:
        """Close the connection with the least claim, of this address or of all: one that has never sent a request, else
        the one that has been silent longest."""
        same = [each for each in self._connections if each.address == address]
        if len(same) < self._of_one_address and len(self._connections) < MOST_CONNECTIONS:
            return
        crowd = same if len(same) >= self._of_one_address else self._connections
        self._close(min(crowd, key=lambda each: (each.served, each.since)))

    def _close_late(self, now: float) -> None:
        for connection in [each for each in self._connections if each.until <= now]:
            self._close(connection)

    def _close(self, connection: _Connection) -> None:
        self._connections.discard(connection)
        self._selector.unregister(connection.socket)
        connection.socket.close()

    def _turn(self, connection: _Connection, events: int) -> None:
        """Read what came, answer, send what can be sent. A client that disconnects is not worth a word."""
        try:
            if events & selectors.EVENT_READ and not connection.answer:
                self._read(connection)
            if connection.answer:
                self._send(connection)
        except BlockingIOError:
            pass
        except OSError:
            self._close(connection)

    def _read(self, connection: _Connection) -> None:
        part = connection.socket.recv(MOST_HEAD_BYTES)
        if not part:
            raise ConnectionResetError
        now = time.monotonic()
        if connection.idle:
            connection.until = now + REQUEST_SECONDS
        connection.since = now
        connection.received += part
        self._answer(connection)

    def _answer(self, connection: _Connection) -> None:
        head, found, rest = connection.received.partition(END_OF_HEAD)
        if not found and len(head) <= MOST_HEAD_BYTES:
            return
        request = parse_request(head) if found else None
        connection.received = rest
        connection.served = request is not None
        connection.ending = request is None or not request.keep
        connection.answer = self._page(request)
        connection.until = time.monotonic() + REQUEST_SECONDS

    def _page(self, request: Request | None) -> bytes:
        if request is None:
            return answer_bytes(400, "text/plain", b"expected a request of HTTP/1.1\n", keep=False)
        if request.method not in ("GET", "HEAD"):
            return answer_bytes(405, "text/plain", b"expected GET or HEAD\n", keep=request.keep)
        try:
            where = urlsplit(request.target)
        except ValueError:
            return answer_bytes(400, "text/plain", b"expected a path\n", keep=request.keep)
        page = self.pages.get(where.path)
        if page is None:
            found = 404, "text/plain", f"expected one of {', '.join(self.pages)}\n".encode()
        else:
            try:
                found = page(parse_qs(where.query))
            except Exception as error:  # one page's fault must not take the others down
                log("error", f"{where.path} failed: {error!r}")
                found = 500, "text/plain", b"an internal error of the agent: see its log\n"
        return answer_bytes(*found, keep=request.keep, head_only=request.method == "HEAD")

    def _send(self, connection: _Connection) -> None:
        with suppress(BlockingIOError):
            connection.answer = connection.answer[connection.socket.send(connection.answer) :]
        if connection.answer:
            self._selector.modify(connection.socket, selectors.EVENT_WRITE, connection)
        elif connection.ending:
            self._close(connection)
        else:
            connection.since = time.monotonic()
            connection.until = connection.since + (REQUEST_SECONDS if connection.received else IDLE_SECONDS)
            self._answer(connection)  # a request sent before this answer was read
            events = selectors.EVENT_WRITE if connection.answer else selectors.EVENT_READ
            self._selector.modify(connection.socket, events, connection)


def text_page(write: Callable[[], tuple[int, str]], kind: str = "text/plain; charset=utf-8") -> Page:
    def page(query: dict[str, list[str]]) -> tuple[int, str, bytes]:
        status, text = write()
        return status, kind, text.encode()

    return page


def state_page(state: Callable[[int], str]) -> Page:
    """`?since=N`: only samples with a greater seq."""

    def page(query: dict[str, list[str]]) -> tuple[int, str, bytes]:
        text = query.get("since", ["-1"])[0]
        try:
            since = int(text)
        except ValueError:
            return 400, "text/plain", f"since: expected a whole number, found {text!r}\n".encode()
        return 200, "application/json", state(since).encode()

    return page
