"""`uwsgi-autopilot dev`: one process for development, loaded again when a file is saved, until it is stopped.

        saved ──► end, start ──► serves
                        └──────► ended by itself ──► we answer each request with 500 and what it printed ──► saved

uWSGI's own py-autoreload is not used: it looks at modules that were imported, so it never sees that one with a mistake
is mended, and the prebuilt pyuwsgi does not find itself when it re-executes.
"""

import select
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from uwsgi_autopilot.api.uwsgiapp import UwsgiApp
from uwsgi_autopilot.errors import AutopilotError
from uwsgi_autopilot.local.devserver import DevServer, listen
from uwsgi_autopilot.local.programs import ignored_environment
from uwsgi_autopilot.local.run import Stopped, stoppable
from uwsgi_autopilot.local.touched import sources, time_of

LOOK_SECONDS = 0.4
# Python, and templates that only a debug mode would read again.
ENDINGS = (".py", ".html", ".jinja", ".jinja2", ".j2")
_READY = "spawned uWSGI worker 1 "


class Output(Protocol):
    def line(self, text: str) -> None:
        """Something that the application or uWSGI printed."""

    def say(self, text: str) -> None:
        """A sentence of ours."""


def run_dev(
    load: Callable[[], UwsgiApp], manifest: Path, folder: Path, *, host: str, port: int, uwsgi: str, view: Output
) -> int:
    """load: reads the manifest. Returns the exit status. Raises AutopilotError: what no save can mend."""
    app = load()
    if note := ignored_environment(uwsgi, app.option_pairs, str(folder)):
        view.say(note)
    with listen(host, port) as listener, stoppable():
        dev = Dev(app, listener, folder, uwsgi, view)
        try:
            seen = look(manifest, folder)
            dev.begin(f"{app.name} is served at http://{host}:{port} by 1 process of {dev.server.threads} threads; "
                      "saving a file loads it again, Ctrl-C ends it")  # fmt: skip
            while True:
                dev.wait()
                if not (saved := changed(seen, now := look(manifest, folder))):
                    continue
                seen = now
                dev.again(load, f"{_names(saved, folder)} was saved")
        except Stopped:
            view.say("stopped")
        finally:
            dev.server.end()
    return 0


class Dev:
    """problem: why nothing is served; None: something is, or will be in a moment."""

    def __init__(self, app: UwsgiApp, listener: socket.socket, folder: Path, uwsgi: str, view: Output) -> None:
        self.problem: str | None = None
        self._listener, self._folder, self._uwsgi, self._view = listener, folder, uwsgi, view
        self.server = DevServer(app, folder, uwsgi, listener)

    def begin(self, once_ready: str) -> None:
        """once_ready: said when it serves."""
        self.problem = None

        def sink(line: str) -> None:
            self._view.line(line)
            if line.startswith(_READY):
                self._view.say(once_ready)

        self.server.start(sink)

    def again(self, load: Callable[[], UwsgiApp], why: str) -> None:
        """End it and start what is there now."""
        self._view.say(f"{why}: loading again")
        self.server.end()
        try:
            self.server = DevServer(load(), self._folder, self._uwsgi, self._listener)
            self.begin("loaded again")
        except AutopilotError as error:
            self._fail(str(error))

    def wait(self) -> None:
        """A moment, in which requests are answered if nothing else does."""
        status = self.server.ended() if self.problem is None else None
        if status is not None:
            self._fail(f"uWSGI ended with status {status}, and said why above")
        until = time.monotonic() + LOOK_SECONDS
        while (left := until - time.monotonic()) > 0:
            if self.problem is None:
                time.sleep(left)
            elif select.select([self._listener], [], [], left)[0]:
                _answer(self._listener, "\n".join([self.problem, "", *self.server.last_lines]))

    def _fail(self, problem: str) -> None:
        self.problem = problem
        self._view.say(f"{problem}. The next save is tried; until then every request is answered with 500")


def look(manifest: Path, folder: Path) -> dict[str, int | None]:
    """When each file that matters was last saved."""
    return {path: time_of(path) for path in (str(manifest), *sources(str(folder), ENDINGS))}


def changed(before: dict[str, int | None], now: dict[str, int | None]) -> list[str]:
    """Files that were saved, added or removed."""
    return sorted(path for path in before.keys() | now.keys() if before.get(path) != now.get(path))


def _names(paths: Sequence[str], folder: Path) -> str:
    first = paths[0].removeprefix(f"{folder}/")
    return first if len(paths) == 1 else f"{first} and {len(paths) - 1} more"


def _answer(listener: socket.socket, text: str) -> None:
    """One request with 500 and `text`."""
    with suppress(OSError):
        listener.setblocking(False)  # uWSGI does so too; whoever had connected may have gone
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(1.0)
            head = b""
            while b"\r\n\r\n" not in head and len(head) < 65536:
                if not (piece := connection.recv(65536)):
                    return
                head += piece
            body = text.encode(errors="replace") + b"\n"
            connection.sendall(
                b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/plain; charset=utf-8\r\n"
                b"Cache-Control: no-store\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            )
            connection.shutdown(socket.SHUT_WR)
            connection.recv(65536)  # closing with unread bytes would reset what we have just sent
