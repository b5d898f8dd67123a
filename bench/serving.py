"""An application of the bench, served by the product as it is: session, agent, nginx, and a load in front."""

import shutil
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from bench.alternating import Alternating
from bench.calibration import read_rounds
from bench.databases import database_of
from bench.load import BuiltIn, Load
from bench.parameters import environment
from bench.workload import Workload
from bench.wrk import Wrk
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import Mode, ResourceLimits, TuningSpec, UwsgiApp
from uwsgi_autopilot.local.children import Sink
from uwsgi_autopilot.local.programs import Programs
from uwsgi_autopilot.local.ready import wait_ready
from uwsgi_autopilot.local.session import Session

# Where the calibration of this machine is kept.
CACHE = Path(__file__).resolve().parents[1] / ".cache" / "bench"


@contextmanager
def served(workload: Workload, programs: Programs, *, start: Shape, sink: Sink) -> Iterator[tuple[Session, Load]]:
    """Raises NotServing when it cannot be served."""
    with session_of(workload, programs, TuningSpec(mode=Mode.AUTO, start=start), sink=sink) as session:
        load = load_for(workload, session.url, socket=str(session.run / "app.sock"), record=session.children.lifeline)
        try:
            yield session, load
        finally:
            load.stop()


def step_until(session: Session, wanted: Callable[[], bool], seconds: float, *, every: float = 0.05) -> None:
    """As local mode does meanwhile: what the processes say is read twice a second. After `seconds` whatever is so."""
    deadline = time.monotonic() + seconds
    while not wanted() and time.monotonic() < deadline:
        session.step()
        time.sleep(every)


@contextmanager
def session_of(
    workload: Workload, programs: Programs, tuning: TuningSpec, *, sink: Sink = lambda _: None
) -> Iterator[Session]:
    """It serves, and nobody asks yet. Raises NotServing."""
    with environment_of(workload) as env:
        app = UwsgiApp(
            name=workload.name,
            module=workload.module,
            env=env,
            options=workload.options,
            limits=ResourceLimits(memory=workload.memory),
            tuning=tuning,
        )
        with Session(app, folder=workload.folder, port=free_port(), programs=programs, sink=sink) as session:
            wait_ready(session)
            yield session


def load_for(workload: Workload, url: str, *, socket: str, record: int | None) -> Load:
    """socket: path of the unix socket where the application's queue can be seen. record: see kernel/spawn.py:spawn."""
    if workload.plain and (path := shutil.which("wrk")):
        return Wrk(path, workload, url, socket, record=record)
    if workload.shares:
        return Alternating([loads_of(workload, there=each) for each in workload.shares], url, record=record)
    return BuiltIn(loads_of(workload), url, record=record, expects="500" if workload.fails else None)


def loads_of(workload: Workload, *, there: float = 0.0) -> list[str]:
    """What the built-in generator is asked for. there: the share of the clients that ask for /other."""
    other = round(there * workload.clients)
    retries = f",timeout={workload.timeout_s:g}s,retries={workload.retries}" if workload.retries else ""
    clients = {
        f"path={workload.path}{retries}": workload.clients - other - workload.streams,
        "path=/other": other,
        # A stream that moves is no time-out, but the generator counts from its begin.
        "path=/stream,timeout=300s": workload.streams,
    }
    return [f"clients={count},{rest}" for rest, count in clients.items() if count]


def arrivals(workload: Workload, url: str, rate: float, *, record: int | None) -> BuiltIn:
    """Poisson arrivals, by a generator that runs before all other processes where that is allowed."""
    return BuiltIn([f"rate={rate:g},path={workload.path}"], url, record=record, realtime=True)


def environment_of(workload: Workload) -> AbstractContextManager[tuple[tuple[str, str], ...]]:
    """Its variables, for as long as it is served. Raises NotServing: its database cannot be started."""
    if workload.database is not None:
        return database_of(workload.database)
    if workload.parameters is None:
        return nullcontext(())
    return environment(workload.parameters, read_rounds(CACHE))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
