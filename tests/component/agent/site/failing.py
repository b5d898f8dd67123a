"""An application whose requests end badly: each says in the file `ran` that it ran, and then does as its path says."""

import os
import time
from pathlib import Path

RAN = Path(os.environ["FAULTS"], "ran")


def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"fine\n"]
    with RAN.open("a") as ran:
        ran.write(f"{environ['REQUEST_METHOD']} {path}\n")
    if path == "/exits":
        os._exit(3)
    if path == "/hangs":
        time.sleep(60)
    raise RuntimeError("outside of any framework")
