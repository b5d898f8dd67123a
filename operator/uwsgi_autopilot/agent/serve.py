"""Let others look: /healthz, /ready, /metrics and /v1/state. Read-only; never the stats socket or the FIFO."""

import json
import os
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from urllib.parse import parse_qs, urlsplit

# An idle kept connection is closed by us after so long; the operator polls every 1 to 4 s.
IDLE_TIMEOUT = 30.0
Page = Callable[[dict[str, list[str]]], tuple[int, str, bytes]]


class _Server(ThreadingMixIn, HTTPServer):
    daemon_threads = True
    pages: dict[str, Page]

    def server_bind(self) -> None:
        """Without HTTPServer's own reverse look-up of the host name, which can take seconds in a pod.

        SO_REUSEADDR: a container that starts again finds the connections of its predecessor, in TIME_WAIT, on the port.
        """
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = "agent", 0

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no news."""


class _UnixServer(_Server):
    address_family = socket.AF_UNIX


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "uwsgi-autopilot-agent"
    sys_version = ""
    timeout = IDLE_TIMEOUT
    server: _Server

    def do_GET(self) -> None:
        where = urlsplit(self.path)
        page = self.server.pages.get(where.path)
        if page is None:
            self._answer(404, "text/plain", f"expected one of {', '.join(self.server.pages)}\n".encode())
            return
        self._answer(*page(parse_qs(where.query)))

    do_HEAD = do_GET

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def address_string(self) -> str:
        return "client"

    def log_message(self, format: str, *args: Any) -> None:
        """Polled once a second: a log line each would drown the application's."""


def start(listen: str, pages: dict[str, Page]) -> None:
    """Serve `pages` (path → function of the query) at `unix:/path` or `host:port` until the process ends.

    Raises OSError when the address cannot be bound.
    """
    server: _Server
    if listen.startswith("unix:"):
        path = listen.removeprefix("unix:")
        Path(path).unlink(missing_ok=True)
        server = _UnixServer(path, _Handler)  # type: ignore[arg-type]  # a path, as AF_UNIX takes it
        os.chmod(path, 0o660)
    else:
        host, _, port = listen.rpartition(":")
        server = _Server((host, int(port)), _Handler)
    server.pages = pages
    threading.Thread(target=server.serve_forever, daemon=True).start()


def text_page(write: Callable[[], tuple[int, str]], kind: str = "text/plain; charset=utf-8") -> Page:
    def page(query: dict[str, list[str]]) -> tuple[int, str, bytes]:
        status, text = write()
        return status, kind, text.encode()

    return page


def state_page(state: Callable[[int], dict[str, Any]]) -> Page:
    """`?since=N`: only samples with a greater seq."""

    def page(query: dict[str, list[str]]) -> tuple[int, str, bytes]:
        text = query.get("since", ["-1"])[0]
        try:
            since = int(text)
        except ValueError:
            return 400, "text/plain", f"since: expected a whole number, found {text!r}\n".encode()
        return 200, "application/json", json.dumps(state(since)).encode()

    return page
