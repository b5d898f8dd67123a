"""Three pods and the database that all of them wait for.

Real here: uWSGI, nginx and the agent of each pod, the load, the plan, and a database that serves so many at once. What
a cluster would do is not: this test reads the agents and writes their files.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any

import pytest

from uwsgi_autopilot.api.desired import ALL_PODS
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import HealthSpec, TuningSpec, UwsgiApp
from uwsgi_autopilot.fleet import delivery
from uwsgi_autopilot.fleet.actions import StorePromoted, WriteDesired
from uwsgi_autopilot.fleet.history import Entry
from uwsgi_autopilot.fleet.plan import plan
from uwsgi_autopilot.fleet.pod import Pod, PodInfo
from uwsgi_autopilot.fleet.state import FleetState
from uwsgi_autopilot.local.agentclient import AgentClient
from uwsgi_autopilot.local.programs import Programs
from uwsgi_autopilot.local.ready import wait_ready
from uwsgi_autopilot.local.session import Session
from uwsgi_autopilot.report.reasons import Reason

START = Shape(2, 2)
CLIENTS = 16  # of each pod
LONGEST_S = 150.0
APPLICATION = """\
import os, socket
def app(environ, start):
    if environ["PATH_INFO"] != "/healthz":
        with socket.create_connection(("127.0.0.1", int(os.environ["DATABASE"]))) as database:
            database.recv(1)
    start("200 OK", [("Content-Type", "text/plain")])
    return [b"ok"]
"""


class Database(ThreadingTCPServer):
    """It serves `at_once` requests at once, each in 0.1 s; the others wait."""

    daemon_threads = allow_reuse_address = True
    request_queue_size = 256

    def __init__(self, at_once: int) -> None:
        self.gate = threading.Semaphore(at_once)
        super().__init__(("127.0.0.1", 0), Query)


class Query(BaseRequestHandler):
    server: Database

    def handle(self) -> None:
        with self.server.gate:
            time.sleep(0.1)
        with contextlib.suppress(OSError):
            self.request.sendall(b"x")


@dataclass
class Fleet:
    """`run` makes a plan a second. tried: the most pods that had another shape at once, until the first decision."""

    sessions: list[Session]
    clients: list[AgentClient]
    state: FleetState
    tried: int = 0
    pods: list[Pod] = field(default_factory=list)

    def until(self, kind: str) -> Entry:
        """The first entry of that kind."""
        deadline = time.monotonic() + LONGEST_S
        while True:
            self._second()
            shapes = [pod.shape for pod in self.pods]
            self.tried = max(self.tried, sum(shape != START for shape in shapes))
            found = next((entry for entry in self.state.history if entry.kind.value == kind), None)
            if found is not None:
                return found
            assert time.monotonic() < deadline, (kind, self.state.history, self.state.hold or self.state.word)
            time.sleep(1.0)

    def until_shapes(self, shape: Shape) -> None:
        deadline = time.monotonic() + 30
        while any(pod.shape != shape for pod in self.pods):
            assert time.monotonic() < deadline, [str(pod.shape) for pod in self.pods]
            time.sleep(1.0)
            self._second()

    def _second(self) -> None:
        now = time.monotonic()
        for session, client, pod in zip(self.sessions, self.clients, self.pods, strict=True):
            session.children.revive()
            data: Any = client.state(pod.cursor)
            if data is not None:
                pod.take({**data, "uid": pod.uid}, now)
        self.state = replace(self.state, pods={pod.uid: pod for pod in self.pods})
        self.state, actions = plan(self.state, now)
        for action in actions:
            if isinstance(action, StorePromoted):
                self.state = self.state.with_stored(action.desired.version)
            elif isinstance(action, WriteDesired):
                number = [pod.uid for pod in self.pods].index(action.uid)
                self.sessions[number].write_desired(replace(action.desired, uid=ALL_PODS))
                self.state = delivery.written(self.state, action.uid, action.desired, now)


Serve = Callable[[int], contextlib.AbstractContextManager[Fleet]]


@pytest.fixture
def serve(tmp_path: Path, free_port: Callable[[], int], uwsgi_programs: list[Any], nginx_program: str) -> Serve:
    """`with serve(6) as fleet:` three pods under load, before a database that serves six requests at once."""
    (tmp_path / "shop.py").write_text(APPLICATION)

    @contextlib.contextmanager
    def start(at_once: int) -> Iterator[Fleet]:
        with contextlib.ExitStack() as stack:
            database = stack.enter_context(Database(at_once))
            threading.Thread(target=database.serve_forever, daemon=True).start()
            stack.callback(database.shutdown)
            app = UwsgiApp(
                name="shop", module="shop:app", env=(("DATABASE", str(database.server_address[1])),),
                health=HealthSpec(path="/healthz"), tuning=TuningSpec(start=START),
            )  # fmt: skip
            programs = Programs(uwsgi=str(uwsgi_programs[0].path), nginx=nginx_program)
            fleet = Fleet([], [], FleetState.begin(app))
            for number in range(3):
                session = Session(app, folder=tmp_path, port=free_port(), programs=programs, sink=lambda line: None)
                stack.enter_context(session)
                wait_ready(session, 60)
                fleet.sessions.append(session)
                fleet.clients.append(AgentClient(str(session.run / "agent.sock")))
                stack.callback(fleet.clients[-1].close)
                fleet.pods.append(Pod(info=PodInfo(uid=f"pod-{number}", name=f"pod-{number}")))
            loads = [session.start_load([f"clients={CLIENTS},path=/"], 2 * LONGEST_S) for session in fleet.sessions]
            try:
                yield fleet
            finally:
                failed = [summary["failed"] for load in loads if (summary := load.stop(40))]
            assert failed == [0, 0, 0]

    return start


def test_a_shape_that_is_too_much_for_the_database_is_only_seen_by_one_pod(serve: Serve) -> None:
    with serve(6) as fleet:
        back = fleet.until("back")
        assert back.reason == Reason.BACKEND_LIMITED.value, back
        assert back.message.endswith(f"what all pods share is the limit: back to {START}")
        assert fleet.tried == 1
        fleet.until_shapes(START)


def test_where_the_database_has_room_all_pods_get_the_shape(serve: Serve) -> None:
    with serve(500) as fleet:
        kept = fleet.until("promote")
        assert kept.to_shape.slots > START.slots
        assert fleet.tried == 3, "all of them have served with it before it is promoted"
        fleet.until_shapes(kept.to_shape)
