"""One request of our own over the uwsgi protocol, to see whether the application answers."""

import re
import socket
import struct
import time
from enum import Enum

from uwsgi_autopilot.api.address import reached_at

_STATUS = re.compile(rb"HTTP/\d\.\d (\d{3})\b")
_MOST_OF_A_STATUS_LINE = 64
_MOST_OF_A_BODY = 16 * 1024 * 1024


# A page that never ends, such as a stream of events, must not keep its status from us.
_BODY_SECONDS = 10.0


class NoAnswer(str, Enum):
    """HUNG_UP: the connection ended without a status: a callable that is none, a worker that was killed. LATE: no
    status within the time, or nobody to ask."""

    HUNG_UP = "HungUp"
    LATE = "Late"


def ask(address: str, path: str, host: str, timeout_s: float) -> int | NoAnswer:
    """GET `path` from the server at `address`, a path or "host:port", and return the status code of the answer, or why
    there was none within timeout_s seconds.

    Never raises. Waits in the same queue as everyone's requests, and holds a thread of the application while it
    answers. The body is read to its end (up to 16 MiB and 10 s) and thrown away: a reader that hangs up early makes the
    application's write fail, which leaves a traceback in its log every time.
    """
    deadline = time.monotonic() + timeout_s
    head = b""
    seen = 0
    none = NoAnswer.LATE
    try:
        packet = request_packet(path, host)
        with _connected(address, timeout_s) as connection:
            connection.sendall(packet)
            while seen < _MOST_OF_A_BODY and (left := deadline - time.monotonic()) > 0:
                connection.settimeout(left)
                part = connection.recv(65536)
                if not part:
                    none = NoAnswer.HUNG_UP
                    break
                if not seen:
                    deadline = min(deadline, time.monotonic() + _BODY_SECONDS)
                seen += len(part)
                head = (head + part)[:_MOST_OF_A_STATUS_LINE]
    except ConnectionResetError:
        none = NoAnswer.HUNG_UP
    except (OSError, ValueError):
        pass  # what was read of the answer still counts
    found = _STATUS.match(head)
    return int(found[1]) if found else none


def _connected(address: str, timeout_s: float) -> socket.socket:
    if tcp := reached_at(address):
        return socket.create_connection(tcp, timeout_s)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout_s)
        connection.connect(address)
    except OSError:
        connection.close()
        raise
    return connection


def request_packet(path: str, host: str) -> bytes:
    """The variables of a GET as nginx's uwsgi_params would send them. Raises ValueError above the protocol's 64 KiB.

    `path` may hold a query string. An empty host becomes `localhost`: a request without Host is not valid HTTP/1.1.
    """
    location, _, query = path.partition("?")
    variables = {
        "REQUEST_METHOD": "GET",
        "REQUEST_URI": path,
        "PATH_INFO": location,
        "QUERY_STRING": query,
        "CONTENT_TYPE": "",
        "CONTENT_LENGTH": "",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": host or "localhost",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": "0",
        "REQUEST_SCHEME": "http",
        "HTTP_HOST": host or "localhost",
        "HTTP_USER_AGENT": "uwsgi-autopilot",
    }
    body = b"".join(_text(name) + _text(value) for name, value in variables.items())
    if len(body) > 0xFFFF:
        raise ValueError(f"expected at most 65535 bytes of request variables, found {len(body)}")
    # modifier1 0 (WSGI), size, modifier2 0
    return struct.pack("<BHB", 0, len(body), 0) + body


def _text(value: str) -> bytes:
    data = value.encode("utf-8")
    if len(data) > 0xFFFF:
        raise ValueError(f"expected at most 65535 bytes in a request variable, found {len(data)}")
    return struct.pack("<H", len(data)) + data
