"""The address of uWSGI's stats that a person configured, answered by whichever generation serves.

Two generations cannot both bind it, and uwsgitop must not lose its place at each change. So it is ours, and each
client gets what the serving generation answers at that moment.
"""

import os
import socket
import threading
from collections.abc import Callable

from uwsgi_autopilot.agent.listener import bind
from uwsgi_autopilot.agent.log import log

# The stats of 64 workers of 64 threads are about 2 MB.
MOST_BYTES = 64 * 1024 * 1024
ANSWER_SECONDS = 5.0
_HTTP_HEAD = (
    b"HTTP/1.0 200 OK\r\nConnection: close\r\nAccess-Control-Allow-Origin: *\r\nContent-Type: application/json\r\n\r\n"
)


class StatsProxy:
    """One thread, one client at a time, as in uWSGI itself. `path`: the stats socket of who serves; None: nobody."""

    def __init__(
        self, address: str, path: Callable[[], str | None], *, http: bool, owner: tuple[int, int] | None
    ) -> None:
        """Raises OSError when the address cannot be bound."""
        self.path, self.http = path, http
        # Not for everybody: uWSGI shows there each request with its cookies.
        self._listener = bind(address, 64, mode=0o600 if owner is None else 0o660, owner=owner)
        self._listener.set_inheritable(False)
        threading.Thread(target=self._run, daemon=True, name=f"stats {address}").start()

    def _run(self) -> None:
        while True:
            client, _ = self._listener.accept()
            with client:
                try:
                    client.settimeout(ANSWER_SECONDS)
                    self._answer(client)
                except OSError as error:
                    if not isinstance(error, (BrokenPipeError, ConnectionResetError)):
                        log("warning", f"uWSGI's stats could not be passed on: {error}")

    def _answer(self, client: socket.socket) -> None:
        path = self.path()
        if path is None:
            return
        if self.http:
            # Closed with the request unread, the connection would be reset, and the answer perhaps lost with it.
            client.recv(65536)
            client.sendall(_HTTP_HEAD)
        before = None
        while path not in (None, before) and not self._passed_on(path, client):
            # It ended before it answered: then another one serves by now.
            path, before = self.path(), path

    def _passed_on(self, path: str, client: socket.socket) -> bool:
        """False: there was no answer."""
        with socket.socket(socket.AF_UNIX) as server:
            server.settimeout(ANSWER_SECONDS)
            try:
                server.connect(os.fspath(path))
                part = server.recv(65536)
            except (ConnectionError, FileNotFoundError):
                return False
            answered, left = bool(part), MOST_BYTES
            while part:
                client.sendall(part)
                left -= len(part)
                part = server.recv(65536) if left > 0 else b""
            return answered
