"""Real here: nginx, the agent as a process of its own, uWSGI, the load generator. The application is site/app.py.

A `Served` is a Session with a load on it: what these tests change is what a person or the kernel could change.
"""

import contextlib
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.component.agent.pod import PodProcesses, start_pod, stop_pod
from uwsgi_autopilot.api.agentstate import AgentState
from uwsgi_autopilot.api.desired import UNVERSIONED, DesiredShape, Version
from uwsgi_autopilot.api.nginxspec import NginxSpec, StaticFiles
from uwsgi_autopilot.api.sample import Sample
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import (
    HealthSpec,
    Mode,
    ResourceLimits,
    TuningSpec,
    UwsgiApp,
    UwsgiOption,
)
from uwsgi_autopilot.loadgen.process import LoadProcess
from uwsgi_autopilot.local.programs import Programs, find_nginx
from uwsgi_autopilot.local.ready import wait_ready
from uwsgi_autopilot.local.session import Session
from uwsgi_autopilot.uwsgi.stats import Stats, StatsError, parse_stats, read_stats

START = Shape(2, 4)
SITE = Path(__file__).parent / "site"
# Only a failing test waits so long.
PATIENCE = 60.0


class Held:
    """Requests that wait for `release`; `answers` has (status, text, headers) of each."""

    def __init__(self, served: "Served", count: int, path: str, headers: Mapping[str, str]) -> None:
        self.answers: list[tuple[int, str, Any]] = []
        self._released = served.faults / "released"

        def ask() -> None:
            self.answers.append(served.get(path, timeout=PATIENCE, headers=headers))

        self._threads = [threading.Thread(target=ask, daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def release(self) -> list[tuple[int, str, Any]]:
        """Let them finish, and wait for their answers."""
        self._released.touch()
        for thread in self._threads:
            thread.join(PATIENCE)
        return self.answers


@dataclass
class Served:
    session: Session
    faults: Path
    loads: list[LoadProcess] = field(default_factory=list)
    printed: list[str] = field(default_factory=list)
    asked: Version = UNVERSIONED

    def load(self, *loads: str, seconds: float = 170) -> LoadProcess:
        process = LoadProcess.start(self.session.url, loads, seconds)
        self.loads.append(process)
        self.until(lambda: bool(process.lines), "the load has begun")
        return process

    def get(self, path: str, timeout: float = 20, headers: Mapping[str, str] | None = None) -> tuple[int, str, Any]:
        """(status, text, headers)."""
        request = urllib.request.Request(self.session.url + path, headers=dict(headers or {}))
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return answer.status, answer.read().decode(), answer.headers
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode(), error.headers

    def hold(self, count: int = 1, *, path: str = "/?held=yes", headers: Mapping[str, str] | None = None) -> "Held":
        """Send requests that stay in service, or in the queue, until they are released; returns when all are there."""
        (self.faults / "released").unlink(missing_ok=True)
        seen = self.samples[-1].seq if self.samples else 0
        held = Held(self, count, path, headers or {})

        def arrived() -> bool:
            fresh = (each for each in self.samples if each.seq > seen)
            return any(each.busy + (each.queue_max or 0) >= count for each in fresh)

        self.until(arrived, f"{count} requests are there")
        return held

    def until(self, wanted: Callable[[], Any], what: str, timeout: float = PATIENCE) -> Any:
        """Step the session until `wanted` gives something true, and return that."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            self.session.step()
            self.session.poll()
            if found := wanted():
                return found
            time.sleep(0.05)
        pytest.fail(
            f"not within {timeout} s: {what}; state: {self.state}; printed: {self.printed[-30:]}; "
            f"samples: {list(self.samples)[-3:]}"
        )

    @property
    def state(self) -> AgentState | None:
        return self.session.state

    @property
    def samples(self) -> Sequence[Sample]:
        return self.session.pod.samples

    def serves(self, shape: Shape) -> bool:
        return self.state is not None and self.state.serving and self.state.shape == shape

    def ask(self, shape: Shape, trial_seconds: float | None = None, *, in_place: bool = False) -> Version:
        """Write a desired shape that is newer than all before."""
        self.asked = Version(max(self.asked.epoch, self.session.pod.accepted.epoch) + 1, 0)
        self.session.write_desired(
            DesiredShape(version=self.asked, shape=shape, trial_seconds=trial_seconds, in_place=in_place)
        )
        return self.asked

    def write(self, text: str) -> None:
        """The file as it must not be."""
        fresh = self.session.run / "desired.test"
        fresh.write_text(text)
        fresh.rename(self.session.run / "desired")

    @property
    def master(self) -> int:
        """Process id of the serving uWSGI master."""
        return self.stats_pids()[0]

    def stats_pids(self) -> list[int]:
        """The master's and its live workers' process ids, by the stats socket on its stable path."""
        stats = self.until(self._read_stats, "the stats socket answers")
        return [stats.pid, *(worker.pid for worker in stats.live_workers)]

    def _read_stats(self) -> Stats | None:
        try:
            return parse_stats(read_stats(str(self.session.run / "private" / "stats.sock")))
        except (OSError, StatsError):
            return None

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
        read_timeout_s: int = 120,
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
                    wait_ready(session, 60)
                yield served
            finally:
                (tmp_path / "released").touch()
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
