"""An application with faults that can be switched on: by a query for one request, by a file for the next import or
for all requests.

What takes long takes as long as the test wants: an import until `held-import` is taken away, a request with `held`
until `released` is there. Seconds would be another test on a busy machine.
"""

import os
import sys
import threading
import time
from pathlib import Path
from urllib.parse import parse_qs

HERE = Path(os.environ.get("FAULTS", "."))

while (HERE / "held-import").exists():
    time.sleep(0.02)


def connect(message, password):
    raise RuntimeError(message)


if (HERE / "bad-import").exists():
    connect((HERE / "bad-import").read_text() or "the settings module is missing SECRET_KEY", password="hunter2")


def app(environ, start_response):
    query = {name: values[0] for name, values in parse_qs(environ["QUERY_STRING"]).items()}
    time.sleep(float(query.get("ms", 0)) / 1000)
    while "held" in query and not (HERE / "released").exists():
        time.sleep(0.02)
    if "hog" in query:
        KEPT.append(bytearray(int(query["hog"]) * 1024 * 1024))
    if "print" in query:
        sys.stdout.buffer.write(PRINTED[query.get("what", "line")] * int(query["print"]))
        sys.stdout.buffer.flush()
    body = f"{os.getpid()}\n".encode()
    status = f"{query.get('status', '200')} because it was asked for"
    headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))]
    if (HERE / "broken").exists():
        status = "503 the database is away"
    if "cookie" in query:
        for number in range(int(query.get("cookies", 1))):
            name = f"session{number or ''}"
            headers.append(("Set-Cookie", f"{name}=" + "x" * int(query["cookie"])))
    if status.startswith("3"):
        headers.append(("Location", "https://elsewhere.example/"))
    if "big" in query:
        start_response(status, headers[:1])
        return (b"x" * 65536 for _ in range(int(query["big"]) * 16))
    if query.get("stream") == "held":
        start_response(status, headers[:1])
        return lines()
    if "stream" in query:
        start_response(status, headers[:1])
        return drops(float(query["stream"]))
    start_response(status, headers)
    return [body]


def drops(seconds):
    """One byte each quarter of a second."""
    for _ in range(int(seconds * 4)):
        time.sleep(0.25)
        yield b"."


def lines():
    """A line each tenth of a second, until they are released."""
    while not (HERE / "released").exists():
        yield b"a line\n"
        time.sleep(0.1)
    yield b"the end\n"


def create_app():
    return app


def always_500(environ, start_response):
    start_response("500 because it always is", [("Content-Type", "text/plain")])
    return [b"no\n"]


def chatty(environ, start_response):
    """Beside a request that hangs, a thread of the application's logs."""
    if environ["QUERY_STRING"]:
        threading.Thread(target=chat, daemon=True).start()
    return app(environ, start_response)


def chat():
    while True:
        print("still here", file=sys.stderr, flush=True)
        time.sleep(0.2)


KEPT = []
MIB = 1024 * 1024
PRINTED = {"line": b"x" * (MIB - 1) + b"\n", "endless": b"x" * MIB, "bytes": b"\x00\xff" * (MIB // 2)}
