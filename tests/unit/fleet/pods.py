"""An application with several simulated pods, second by second: what the operator would do, without one."""

from dataclasses import replace
from typing import Any

from tests.simulator.agent import SimAgent
from tests.simulator.observe import Observer
from tests.simulator.pod import Backend
from tests.simulator.pod import Pod as Machine
from tests.simulator.workload import Workload
from uwsgi_autopilot.api.desired import DesiredShape, parse_desired
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import TuningSpec, UwsgiApp
from uwsgi_autopilot.fleet import delivery
from uwsgi_autopilot.fleet.actions import Record, StorePromoted, WarnLate, WriteDesired
from uwsgi_autopilot.fleet.change import Change as Pending
from uwsgi_autopilot.fleet.plan import plan
from uwsgi_autopilot.fleet.pod import Pod, PodInfo
from uwsgi_autopilot.fleet.state import Autoscaler, FleetState
from uwsgi_autopilot.tuner.memory import Memory

EPOCH = 1_800_000_000.0
START = Shape(2, 4)


class SimFleet:
    """`clients` pinned connections for each pod. Pods were ready long ago unless they are added later.

    backend: what all pods share; None: each has its own. noise: of each pod's machine (simulator/observe.py).
    """

    def __init__(
        self, load: Workload, *, pods: int = 3, clients: int = 32, start: Shape = START,
        tuning: TuningSpec | None = None, backend: Backend | None = None, seed: int = 0, noise: float = 0.03,
    ) -> None:  # fmt: skip
        self.load, self.start, self.noise = load, start, noise
        self.backend = backend
        self.now = 1000.0
        self.agents: dict[str, SimAgent] = {}
        self.infos: dict[str, PodInfo] = {}
        self.coming: tuple[PodInfo, ...] = ()
        self.autoscaler: Autoscaler | None = None
        self.app = UwsgiApp(name="shop", module="wsgi:app", tuning=tuning or TuningSpec(start=start))
        self.state = FleetState.begin(self.app)
        # Pods that start later begin with it.
        self.stored: DesiredShape | None = None
        for number in range(pods):
            self.add(f"pod-{number}", clients=clients, seed=seed + number + 1, ready_at=EPOCH)
        self.told: list[tuple[int, str, str]] = []
        self.warned: list[str] = []
        self.second_number = 0
        self.down = False
        self.saved: FleetState | None = None
        self.writes = 0
        self.crash_after: int | None = None

    @property
    def change(self) -> Pending | None:
        return self.state.change

    @property
    def promoted(self) -> DesiredShape:
        return self.state.promoted

    def tune(self, **tuning: Any) -> None:
        """Edit the manifest."""
        self.app = replace(self.app, tuning=TuningSpec(**{"start": START, **tuning}))

    def restart_operator(self, *, forgetful: bool = False) -> None:
        """A new one that knows what the last has stored; forgetful: only the promoted shape."""
        old = self.saved or self.state
        self.state = FleetState.begin(self.app, self.stored)
        if forgetful:
            return
        change = Pending.from_json(old.change.to_json()) if old.change else None
        memory = Memory.from_json(old.memory.to_json())
        self.state = replace(
            self.state, change=change, memory=memory, history=old.history, last=max(self.state.last, old.last)
        )

    def add(self, uid: str, *, clients: int, seed: int = 9, ready_at: float | None = None) -> None:
        start = self.stored.shape if self.stored is not None else self.start
        machine = Machine(self.load, start, clients=clients, seed=seed, backend=self.backend)
        self.agents[uid] = SimAgent(machine, uid=uid, observer=Observer(machine, noise=self.noise))
        ready_at = EPOCH + self.now if ready_at is None else ready_at
        self.infos[uid] = PodInfo(uid=uid, name=uid, ip="10.0.0.1", revision="a", ready_at=ready_at)

    def remove(self, uid: str) -> None:
        del self.agents[uid], self.infos[uid]

    def run(self, seconds: int) -> None:
        for _ in range(seconds):
            self.now += 1.0
            self.second_number += 1
            for agent in self.agents.values():
                agent.second(self.now)
            if not self.down:
                self._operator()

    def until(self, kind: str, seconds: int = 90) -> None:
        """Run until an entry of that kind."""
        for _ in range(seconds):
            if kind in self.kinds():
                return
            self.run(1)
        raise AssertionError(f"no {kind} within {seconds} s: {self.told}")

    def _operator(self) -> None:
        now = EPOCH + self.now
        pods: dict[str, Pod] = {}
        for uid, agent in self.agents.items():
            desired = parse_desired(agent.annotation) if agent.annotation else None
            info = replace(self.infos[uid], desired=desired)
            pod = pods[uid] = self.state.pods.get(uid) or Pod(info=info)
            pod.info = info
            if not agent.silent:
                pod.take(agent.answer(self.now, pod.cursor), now)
        self.state = replace(self.state, app=self.app, pods=pods, coming=self.coming, autoscaler=self.autoscaler)
        self.state, actions = plan(self.state, now)
        for action in actions:
            if self.writes == self.crash_after:
                # Before its next write, and before it has stored what it knows.
                self.crash_after = None
                self.restart_operator()
                return
            self.writes += not isinstance(action, Record)
            if isinstance(action, Record):
                entry = action.entry
                self.told.append((self.second_number, entry.kind.value, f"{entry.from_shape}->{entry.to_shape}"))
            elif isinstance(action, StorePromoted):
                self.stored = action.desired
                self.state = self.state.with_stored(action.desired.version)
            elif isinstance(action, WriteDesired):
                self.agents[action.uid].annotation = action.desired.to_text()
                self.state = delivery.written(self.state, action.uid, action.desired, now)
            elif isinstance(action, WarnLate):
                self.warned.append(action.uid)
                self.state = delivery.warned(self.state, action.uid)
        self.saved = self.state

    @property
    def shapes(self) -> list[str]:
        return [str(agent.machine.shape) for agent in self.agents.values()]

    def kinds(self) -> list[str]:
        return [kind for _, kind, _ in self.told]
