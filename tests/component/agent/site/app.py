"""An application with faults that can be switched on: by a query for one request, by a file for the next import.

What takes long takes as long as the test wants: an import until `held-import` is taken away, a request with `held`
until `released` is there. Seconds would be another test on a busy machine.
"""

import os
import time
from pathlib import Path
from urllib.parse import parse_qs

HERE = Path(os.environ.get("FAULTS", "."))

while (HERE / "held-import").exists():
    time.sleep(0.02)
if (HERE / "bad-import").exists():
    raise RuntimeError("the settings module is missing SECRET_KEY")


def app(environ, start_response):
    query = {name: values[0] for name, values in parse_qs(environ["QUERY_STRING"]).items()}
    time.sleep(float(query.get("ms", 0)) / 1000)
    while "held" in query and not (HERE / "released").exists():
        time.sleep(0.02)
    if "hog" in query:
        KEPT.append(bytearray(int(query["hog"]) * 1024 * 1024))
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
