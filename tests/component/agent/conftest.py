"""Real here: nginx, the agent as a process of its own, uWSGI, the load generator. The application is site/app.py.

A `Served` is a Session with a load on it: what these tests change is what a person or the kernel could change.
"""

import contextlib
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.component.agent.pod import PodProcesses, start_pod, stop_pod
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import (
    HealthSpec,
    Mode,
    NginxSpec,
    ResourceLimits,
    StaticFiles,
    TuningSpec,
    UwsgiApp,
    UwsgiOption,
)
from uwsgi_autopilot.local.loadprocess import LoadProcess
from uwsgi_autopilot.local.programs import Programs, find_nginx
from uwsgi_autopilot.local.session import Session

START = Shape(2, 4)
SITE = Path(__file__).parent / "site"


@dataclass
class Served:
    session: Session
    faults: Path
    loads: list[LoadProcess] = field(default_factory=list)
    printed: list[str] = field(default_factory=list)

    def load(self, *loads: str, seconds: float = 170) -> LoadProcess:
        process = LoadProcess.start(self.session.url, loads, seconds)
        self.loads.append(process)
        self.until(lambda: bool(process.lines), "the load has begun")
        return process

    def get(self, path: str, timeout: float = 20) -> tuple[int, str, Any]:
        """(status, text, headers)."""
        try:
            with urllib.request.urlopen(self.session.url + path, timeout=timeout) as answer:
                return answer.status, answer.read().decode(), answer.headers
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode(), error.headers

    def until(self, wanted: Callable[[], Any], what: str, timeout: float = 30) -> Any:
        """Step the session until `wanted` gives something true, and return that."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            self.session.step()
            self.session.poll()
            if found := wanted():
                return found
            time.sleep(0.05)
        pytest.fail(f"not within {timeout} s: {what}; state: {self.session.state}; printed: {self.printed[-30:]}")

    def serves(self, shape: Shape) -> bool:
        state = self.session.state or {}
        return bool(state.get("serving")) and self.session.shape == shape

    def write_wish(self, text: str) -> None:
        fresh = self.session.run / "wanted.test"
        fresh.write_text(text)
        fresh.rename(self.session.run / "wanted")

    @property
    def master(self) -> int:
        """Process id of the serving uWSGI master."""
        return self.stats_pids()[0]

    def stats_pids(self) -> list[int]:
        """The master's and its live workers' process ids, by the stats socket on its stable path."""
        from uwsgi_autopilot.uwsgi.stats import parse_stats, read_stats

        stats = parse_stats(read_stats(str(self.session.run / "private" / "stats.sock")))
        return [stats.pid, *(worker.pid for worker in stats.live_workers)]

    def child(self, name: str) -> int:
        return self.session.children[name].pid


Serve = Callable[..., contextlib.AbstractContextManager[Served]]


@pytest.fixture
def serve(tmp_path: Path, free_port: Callable[[], int], uwsgi_programs: Sequence[Any]) -> Serve:
    """`with serve(start=Shape(2, 4)) as served:` an application behind nginx, ready."""

    @contextlib.contextmanager
    def start(
        *,
        start: Shape = START,
        options: Sequence[tuple[str, str | None]] = (),
        program: Any = None,
        memory: int | None = None,
        read_timeout_s: int = 30,
        static: Sequence[StaticFiles] = (),
        health_path: str = "/",
        ready: bool = True,
    ) -> Iterator[Served]:
        app = UwsgiApp(
            name="test",
            module="app:app",
            env=(("FAULTS", str(tmp_path)),),
            limits=ResourceLimits(memory=memory),
            options=tuple(UwsgiOption(name=name, value=value) for name, value in options),
            nginx=NginxSpec(read_timeout_s=read_timeout_s, static=tuple(static)),
            health=HealthSpec(path=health_path),
            tuning=TuningSpec(mode=Mode.DISABLED),
        )
        uwsgi = str((program or uwsgi_programs[0]).path)
        printed: list[str] = []
        session = Session(
            app,
            folder=SITE,
            port=free_port(),
            programs=Programs(uwsgi=uwsgi, nginx=find_nginx()),
            start=start,
            sink=printed.append,
        )
        with session:
            served = Served(session, tmp_path, printed=printed)
            try:
                if ready:
                    session.wait_ready(60)
                yield served
            finally:
                for load in served.loads:
                    load.stop(40)

    return start


@pytest.fixture
def pod(
    short_directory: Path, free_port: Callable[[], int], uwsgi_programs: Sequence[Any], nginx_program: str
) -> Iterator[Callable[..., PodProcesses]]:
    """`pod(hang_seconds=3, ...)` starts agent and nginx as in a pod; both are gone after the test."""
    started: list[PodProcesses] = []

    def start(**wanted: Any) -> PodProcesses:
        ports = (free_port(), free_port(), free_port())
        uwsgi = str(uwsgi_programs[0].path)
        started.append(start_pod(short_directory, ports, uwsgi=uwsgi, nginx=nginx_program, **wanted))
        return started[-1]

    yield start
    for each in started:
        stop_pod(each)
