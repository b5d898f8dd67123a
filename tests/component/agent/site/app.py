"""An application with faults that can be switched on: by a query for one request, by a file for the next import."""

import os
import sys
import time
from pathlib import Path
from urllib.parse import parse_qs

HERE = Path(os.environ.get("FAULTS", "."))

if (HERE / "slow-import").exists():
    time.sleep(float((HERE / "slow-import").read_text()))


def connect(message, password):
    raise RuntimeError(message)


if (HERE / "bad-import").exists():
    connect((HERE / "bad-import").read_text() or "the settings module is missing SECRET_KEY", password="hunter2")


def app(environ, start_response):
    query = {name: values[0] for name, values in parse_qs(environ["QUERY_STRING"]).items()}
    time.sleep(float(query.get("ms", 0)) / 1000)
    if "hog" in query:
        KEPT.append(bytearray(int(query["hog"]) * 1024 * 1024))
    if "print" in query:
        sys.stdout.buffer.write(PRINTED[query.get("what", "line")] * int(query["print"]))
        sys.stdout.buffer.flush()
    body = f"{os.getpid()}\n".encode()
    status = f"{query.get('status', '200')} because it was asked for"
    headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))]
    if "cookie" in query:
        headers.append(("Set-Cookie", "session=" + "x" * int(query["cookie"])))
    if status.startswith("3"):
        headers.append(("Location", "https://elsewhere.example/"))
    start_response(status, headers)
    return [body]


KEPT = []
MIB = 1024 * 1024
PRINTED = {"line": b"x" * (MIB - 1) + b"\n", "endless": b"x" * MIB, "bytes": b"\x00\xff" * (MIB // 2)}
