"""One application, its runner and an API server in a dict, second by second: with simulated pods, or without a load.

The kubelet and the watches are instant. The poller is not there: each pod's answer is handed over.
"""

import asyncio
from typing import Any

from tests.simulator.agent import SimAgent
from tests.simulator.pod import Pod as Machine
from tests.simulator.workload import Workload
from tests.unit.controller.fakes import FakeKube, Killed
from tests.unit.controller.making import SHOP, answer, app_body, pod_body
from uwsgi_autopilot.api.desired import DesiredShape, parse_desired
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.controller.cache import Cache
from uwsgi_autopilot.controller.counters import Counters
from uwsgi_autopilot.controller.events import Events
from uwsgi_autopilot.controller.runner import Runner
from uwsgi_autopilot.controller.store import Store
from uwsgi_autopilot.controller.workqueue import Key
from uwsgi_autopilot.fleet.pod import Pod, PodInfo
from uwsgi_autopilot.fleet.state import FleetState
from uwsgi_autopilot.resources.app import App
from uwsgi_autopilot.resources.labels import DESIRED, PROMOTED_KEY

EPOCH = 1_800_000_000.0
START = Shape(2, 4)


class NoPoller:
    """hot: whom somebody attends to."""

    def __init__(self) -> None:
        self.hot: dict[str, bool] = {}

    def follow(self, pod: Pod, told: object) -> None:
        self.hot[pod.uid] = False

    def forget(self, uids: Any) -> None:
        for uid in list(uids):
            self.hot.pop(uid, None)

    def attend(self, uid: str, hot: bool) -> None:
        self.hot[uid] = hot

    def changed(self, uid: str, before: PodInfo, after: PodInfo) -> None:
        pass


def runner_of(cache: Cache, kube: FakeKube, key: Key = SHOP, clock: Any = None) -> Runner:
    seen = cache.apps[key]
    assert seen.spec is not None
    events, more = Events(kube, "operator-1"), {} if clock is None else {"clock": clock}
    return Runner(
        key=key, uid=seen.uid, app=seen.spec, kube=kube, cache=cache, poller=NoPoller(), events=events,
        counters=Counters(), **more,
    )  # fmt: skip


class World:
    """`pods` pods with so many pinned `clients` each. told: kinds of entries, over all runners. away: no operator."""

    def __init__(self, load: Workload, *, pods: int = 2, clients: int = 32, **tuning: Any) -> None:
        self.now = 1000.0
        self.kube, self.cache = FakeKube(), Cache()
        self.agents: dict[str, SimAgent] = {}
        self.told: list[str] = []
        self.away = False
        for number in range(pods):
            uid = f"shop-{number}"
            machine = Machine(load, START, clients=clients, seed=number + 1)
            self.agents[uid] = SimAgent(machine, uid=uid)
            self.kube.put(pod_body(uid))
        self.tune(1, **tuning)
        asyncio.run(Store(self.kube).ensure_promoted(App.from_body(app_body(**self.tuning)), None))
        self.begin()

    def tune(self, generation: int, **tuning: Any) -> None:
        """Edit the manifest."""
        self.tuning = {"start": START.to_json(), **tuning}
        self.cache.app(app_body(generation=generation, **self.tuning))

    def begin(self) -> None:
        """A new operator, which knows what is stored."""
        self.cache = Cache(apps=self.cache.apps, listed=True)
        self.runner = runner_of(self.cache, self.kube, clock=lambda: EPOCH + self.now)

    @property
    def state(self) -> FleetState:
        assert self.runner.state is not None
        return self.runner.state

    @property
    def stored(self) -> DesiredShape:
        found = self.kube.objects["ConfigMap", "web", "shop-promoted"]
        return parse_desired(found["data"][PROMOTED_KEY])

    @property
    def shapes(self) -> list[str]:
        return [str(agent.machine.shape) for agent in self.agents.values()]

    def run(self, seconds: int) -> None:
        for _ in range(seconds):
            self.now += 1.0
            for uid, agent in self.agents.items():
                agent.annotation = self.kube.objects["Pod", "web", uid]["metadata"].get("annotations", {}).get(DESIRED)
                agent.second(self.now)
            if not self.away:
                self._operator()

    def until(self, kind: str, seconds: int = 90) -> None:
        for _ in range(seconds):
            if kind in self.told:
                return
            self.run(1)
        raise AssertionError(f"no {kind} within {seconds} s: {self.told}")

    def _operator(self) -> None:
        runner, app = self.runner, self.cache.apps[SHOP].spec
        assert app is not None
        runner.app = app
        for body in list(self.kube.objects.values()):
            if body["kind"] == "Pod":
                self.cache.pod(body)
            elif body["kind"] == "ConfigMap":
                self.cache.child(body)
        before = runner.counters.decisions.copy()
        for pod in runner.state.pods.values() if runner.state else ():
            if not self.agents[pod.uid].silent:
                pod.take(self.agents[pod.uid].answer(self.now, pod.cursor), EPOCH + self.now)
        try:
            asyncio.run(runner.step())
        except Killed:
            self.begin()
        for what, count in runner.counters.decisions.items():
            self.told += [what[1]] * (count - before.get(what, 0))


class Quiet:
    """An application with pods that serve what they are told, a moment later. `kube` may refuse."""

    def __init__(self, *bodies: dict, pods: int = 1, **tuning: object) -> None:
        self.kube, self.cache = FakeKube(), Cache(listed=True)
        self.cache.app(app_body(**tuning))
        for body in bodies:
            self.kube.put(body)
        for number in range(pods):
            self.kube.put(pod_body(f"shop-{number}"))
        self.answers: dict[str, dict] = {}
        self.now = 1e9
        self.runner: Runner = runner_of(self.cache, self.kube, clock=lambda: self.now)

    def step(self, times: int = 1) -> None:
        for _ in range(times):
            self.now += 1.0
            self.watch()
            for uid, pod in (self.runner.state.pods if self.runner.state else {}).items():
                pod.take(self.answers.get(uid, answer(uid)) | {"now": self.now - 1e9}, self.now)
            asyncio.run(self.runner.step())

    def watch(self) -> None:
        for body in self.kube.objects.values():
            if body["kind"] == "Pod":
                self.cache.pod(body)
            else:
                self.cache.child(body)

    def desired(self, pod: str) -> DesiredShape | None:
        text = self.kube.objects["Pod", "web", pod]["metadata"].get("annotations", {}).get(DESIRED)
        return parse_desired(text) if text else None
