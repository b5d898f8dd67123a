"""Real here: uWSGI of both makes, started from the ini that the autopilot writes; sockets, /proc. No nginx."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from uwsgi_autopilot.api.agentconfig import AgentConfig
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.uwsgi.fifo import MasterFifo
from uwsgi_autopilot.uwsgi.ini import generation_ini
from uwsgi_autopilot.uwsgi.request import request_packet
from uwsgi_autopilot.uwsgi.shim import SHIM, SHIM_NAME
from uwsgi_autopilot.uwsgi.stats import Stats, StatsError, parse_stats, read_stats

# Only a failing test waits so long: the machine may be busy with the rest of the run, and with others.
PATIENCE = 60.0

# Every path but / stays in service until its client has gone. /lock and /timed let one request in at a time.
HOLDING_APP = """
import select, threading, uwsgi

LOCK = threading.Lock()

def gone(timeout):
    return select.select([uwsgi.connection_fd()], [], [], timeout)[0]

def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/hold":
        gone(60)
    elif path == "/lock":
        with LOCK:
            gone(60)
    elif path == "/timed":
        if LOCK.acquire(timeout=60):
            gone(60)
            LOCK.release()
    elif path == "/event":
        while not gone(0):
            threading.Event().wait(1)
    elif path == "/spin":
        while not gone(0):
            sum(range(2_000_000))
    start_response("418 teapot" if path == "/teapot" else "200 OK", [])
    return [b"ok"]
"""


def _eventually(question: Callable[[], object], expected: object = True) -> None:
    """Ask until the answer is the expected one; fails with the last answer after PATIENCE."""
    deadline = time.monotonic() + PATIENCE
    while (answer := question()) != expected:
        assert time.monotonic() < deadline, f"expected {expected!r} within {PATIENCE} s, last found {answer!r}"
        time.sleep(0.02)


@pytest.fixture
def eventually() -> Callable[..., None]:
    return _eventually


@dataclass
class Server:
    """A running uWSGI. `hold` leaves a request in service, or in the queue, until `release`."""

    directory: Path
    listener: socket.socket
    process: subprocess.Popen[bytes]
    held: list[socket.socket] = field(default_factory=list)

    @property
    def address(self) -> str:
        return str(self.directory / "a.sock")

    @property
    def stats_path(self) -> str:
        return str(self.directory / "g.stats")

    @property
    def _fifo(self) -> MasterFifo:
        return MasterFifo(str(self.directory / "g.fifo"))

    def tell(self, command: Callable[[MasterFifo], bool]) -> None:
        """Until the master takes it: between two letters it makes its FIFO again, and for a moment nobody reads. Not
        before it has dealt with the end of the last ones, which the second answer says (agent/uwsgiresize.py)."""
        for _ in range(2):
            self.stats()
        _eventually(lambda: command(self._fifo))

    def quit(self) -> int:
        """Exit status after `q`, said until it has ended: one that was taken can be lost all the same."""

        def ended() -> bool:
            self._fifo.quit_gracefully()
            return self.process.poll() is not None

        _eventually(ended)
        return self.process.returncode

    def reads_commands(self) -> bool:
        return self._fifo.send("x")

    def stats(self) -> Stats:
        return parse_stats(read_stats(self.stats_path, timeout_s=5))

    def workers(self) -> list[int]:
        return [each.pid for each in self.stats().live_workers]

    def log(self) -> str:
        return (self.directory / "log").read_text(errors="replace")

    def hold(self, path: str, times: int = 1, packet: bytes | None = None) -> list[socket.socket]:
        opened = []
        for _ in range(times):
            opened.append(socket.socket(socket.AF_UNIX))
            opened[-1].connect(self.address)
            opened[-1].sendall(packet or request_packet(path, ""))
        self.held += opened
        return opened

    def get(self, path: str) -> bytes:
        """The body of the answer."""
        (connection,) = self.hold(path)
        connection.settimeout(PATIENCE)
        answer = b""
        while part := connection.recv(65536):
            answer += part
        return answer.partition(b"\r\n\r\n")[2]

    def release(self) -> None:
        for each in self.held:
            each.close()
        self.held.clear()

    def stop(self) -> None:
        """Kills: a test that wants a graceful end does it itself."""
        self.release()
        self.listener.close()
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, 9)
        self.process.wait()


@pytest.fixture
def start_uwsgi(uwsgi_program: Any) -> Iterator[Callable[..., Server]]:
    """start_uwsgi("2x4", application=..., ceiling=..., options=..., shim=...) waits until every worker accepts."""
    started: list[Server] = []
    directories: list[Path] = []

    def start(
        shape: str,
        *,
        application: str = HOLDING_APP,
        ceiling: int | None = None,
        options: tuple[tuple[str, str | None], ...] = (),
        shim: bool = False,
        name: str = "a",
    ) -> Server:
        # Short, because a socket's path is; with a percent sign and a space, because people have them.
        directory = Path(tempfile.mkdtemp(prefix="ua %n-"))
        directories.append(directory)
        (directory / "application.py").write_text(application)
        (directory / SHIM_NAME).write_text(SHIM)
        wanted = Shape.parse(shape)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(directory / "a.sock"))
        listener.listen(2048)
        config = AgentConfig(
            name=name,
            uwsgi=(str(uwsgi_program.path),),
            module="application:app",
            chdir=str(directory),
            socket=str(directory / "a.sock"),
            private=str(directory),
            desired="",
            start=wanted,
            listen=(),
            options=options,
        )
        text = generation_ini(
            config,
            shape=wanted,
            ceiling=ceiling or wanted.processes,
            fds=[listener.fileno()],
            fifo=str(directory / "g.fifo"),
            stats=str(directory / "g.stats"),
            shim=str(directory / SHIM_NAME) if shim else None,
        )
        (directory / "g.ini").write_text(text)
        with (directory / "log").open("wb") as log:
            process = subprocess.Popen(
                [str(uwsgi_program.path), "--ini", str(directory / "g.ini")],
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                pass_fds=[listener.fileno()],
                start_new_session=True,
                env=uwsgi_program.env,
            )
        server = Server(directory=directory, listener=listener, process=process)
        started.append(server)

        def accepting() -> int:
            assert process.poll() is None, server.log()
            try:
                return len(server.stats().accepting_workers)
            except (OSError, StatsError):
                return 0

        _eventually(accepting, wanted.processes)
        return server

    yield start
    for server in started:
        server.stop()
    for directory in directories:
        shutil.rmtree(directory, ignore_errors=True)
