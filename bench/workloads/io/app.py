"""100 ms of waiting for each request: bound by the number of slots."""

import time
from collections.abc import Callable, Iterable

StartResponse = Callable[[str, list[tuple[str, str]]], object]


def app(environ: dict[str, object], start_response: StartResponse) -> Iterable[bytes]:
    time.sleep(0.1)
    start_response("200 OK", [("Content-Length", "3")])
    return [b"ok\n"]
