"""An application whose answers nginx treats in its own ways: events, private files, texts, the client's address."""

import os
import time
from pathlib import Path

RELEASED = Path(os.environ["FAULTS"], "released")


def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path.startswith("/events"):
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        return events()
    if path.startswith("/download/"):
        headers = [
            ("Content-Type", "text/x-private"),
            ("X-Accel-Redirect", f"/private/{path.removeprefix('/download/')}"),
        ]
        start_response("200 OK", headers)
        return []
    if path == "/address":
        text = environ["REMOTE_ADDR"]
    elif path == "/user":
        text = environ.get("REMOTE_USER", "nobody")
    else:
        text = "word " * 1000
    status = {"/missing": "404 Not Found", "/broken": "500 Broken"}.get(path, "200 OK")
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))])
    return [text.encode()]


def events():
    """The second one comes when a test has seen the first; without a buffer that is possible."""
    yield b"data: first\n\n"
    for _ in range(3000):  # a minute, longer than the test waits for the first
        if RELEASED.exists():
            break
        time.sleep(0.02)
    yield b"data: second\n\n"
