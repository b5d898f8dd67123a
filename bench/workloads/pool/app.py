"""30 ms with one of the process's 3 connections: only more processes help, and threads beyond 3 do nothing."""

import threading
import time
from collections.abc import Callable, Iterable

StartResponse = Callable[[str, list[tuple[str, str]]], object]
connections = threading.BoundedSemaphore(3)


def app(environ: dict[str, object], start_response: StartResponse) -> Iterable[bytes]:
    with connections:
        time.sleep(0.03)
    start_response("200 OK", [("Content-Length", "3")])
    return [b"ok\n"]
