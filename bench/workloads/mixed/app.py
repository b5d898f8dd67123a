"""20 ms of waiting, then 2 ms of pure Python: too few threads waste the wait, too many fight for the lock."""

import time
from collections.abc import Callable, Iterable

StartResponse = Callable[[str, list[tuple[str, str]]], object]
CPU_S = 0.002


def app(environ: dict[str, object], start_response: StartResponse) -> Iterable[bytes]:
    time.sleep(0.02)
    end = time.thread_time() + CPU_S
    while time.thread_time() < end:
        for _ in range(500):  # about 10 microseconds between two looks at the clock
            pass
    start_response("200 OK", [("Content-Length", "3")])
    return [b"ok\n"]
