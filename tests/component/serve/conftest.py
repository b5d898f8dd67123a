"""Real here: `uwsgi-autopilot serve` and everything it starts, with configurations as people write them."""

import http.client
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from tests.component.local.running import COMMAND, Local, Runs

APP = """\
import os, sys, time
try:
    import uwsgi
except ImportError:
    uwsgi = None
VERSION = "one"
def app(environ, start_response):
    path = environ["PATH_INFO"]
    start_response("200 OK", [("Content-Type", "text/plain")])
    if path == "/who":
        text = f"{os.getuid()}:{os.getgid()}:{os.getpid()}"
    elif path.startswith("/env/"):
        text = os.environ.get(path[5:], "none")
    elif path == "/script":
        text = environ["SCRIPT_NAME"] + "|" + environ["PATH_INFO"]
    elif path == "/wait":
        time.sleep(float(environ.get("QUERY_STRING") or 0.05))
        text = VERSION
    elif path == "/held":
        while not os.path.exists(os.path.join(os.path.dirname(__file__), "released")):
            time.sleep(0.02)
        text = VERSION
    elif path == "/opt":
        text = repr(sorted((k if isinstance(k, str) else k.decode()) for k in uwsgi.opt))
    else:
        text = VERSION
    return [text.encode() + b"\\n"]
"""


@dataclass
class Site:
    """A folder with an application, and the command in it."""

    folder: Path
    temporary: Path
    port: int
    status: int
    run: Local | None = None

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def get(self, path: str = "/", port: int | None = None) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=30)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode().strip()
        finally:
            connection.close()

    def state(self) -> dict[str, Any]:
        status, text = self.get("/v1/state?since=0", self.status)
        assert status == 200
        data: dict[str, Any] = json.loads(text)
        return data

    @property
    def said(self) -> str:
        assert self.run is not None
        return self.run.out.read_text() + self.run.err.read_text()


Serve = Callable[..., Local]


@pytest.fixture
def site(short_directory: Path, free_port: Callable[[], int]) -> Site:
    """`site.folder` is short enough for sockets."""
    folder = short_directory / "site"
    temporary = short_directory / "run"
    folder.mkdir()
    temporary.mkdir()
    os.chmod(short_directory, 0o755)
    os.chmod(temporary, 0o755)
    found = Site(folder, temporary, free_port(), free_port())
    found.write("web.py", APP)
    return found


@pytest.fixture
def serve(site: Site, tmp_path: Path) -> Iterator[Serve]:
    """Start the command in the site's folder; `ready` False: do not wait until it serves. `under`: a command that runs
    it."""
    runs = Runs(tmp_path, site.temporary)

    def start(
        *arguments: str, ready: bool = True, env: dict[str, str] | None = None, under: Sequence[str] = ()
    ) -> Local:
        command = [*under, COMMAND, "serve", "--status-port", str(site.status), *arguments]
        url = f"http://127.0.0.1:{site.port}"
        site.run = runs.start(command, url, env, cwd=site.folder)
        if ready:
            site.run.served()
        return site.run

    yield start
    runs.end()
