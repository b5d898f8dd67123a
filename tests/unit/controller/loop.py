"""The tuning loop over applications whose agents answer what a test tells them to."""

import asyncio
import json
import time
from typing import Any

from tests.unit.controller.fakes import FakeKube
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.controller.agents import Agents
from uwsgi_autopilot.controller.events import Events
from uwsgi_autopilot.controller.metrics import Metrics
from uwsgi_autopilot.controller.mirror import Key, Mirror
from uwsgi_autopilot.controller.podview import PodView
from uwsgi_autopilot.controller.tuning import Tuned, Tuning
from uwsgi_autopilot.resources import labels
from uwsgi_autopilot.tuner.sample import Sample

Body = dict[str, Any]
START = Shape(2, 4)


def sample(**changes: Any) -> Body:
    data = Sample(seq=1, at=1.0, seconds=1.0, generation=1, shape=START, settled=True, requests=100.0).to_json()
    return {**data, **changes}


def state(uid: str, *, shape: Shape = START, seq: int = 0, **changes: Any) -> Body:
    has = shape.to_json()
    return {
        "version": 1, "uid": uid, "now": time.monotonic(), "serving": True, "shape": has, "target": has,
        "accepted": {"seq": seq, **has}, "samples": [], **changes,
    }  # fmt: skip


def app_body(name: str, **tuning: Any) -> Body:
    meta = {"name": name, "namespace": "web", "uid": f"app-{name}", "generation": 1}
    spec = {"module": "wsgi:app", "image": "shop:1", "tuning": tuning}
    return {"apiVersion": "uwsgi-autopilot.dev/v1alpha1", "kind": "UwsgiApp", "metadata": meta, "spec": spec}


def controller(kind: str, uid: str) -> Body:
    return {"apiVersion": "apps/v1", "kind": kind, "name": uid, "uid": uid, "controller": True}


def pod_body(
    name: str, app: str, *, revision: str = "a", running: bool = True, created: str = "2025-01-01", replicaset: str = ""
) -> Body:
    condition = {"type": "Ready", "status": str(running), "lastTransitionTime": "2025-01-01T00:00:00Z"}
    return {
        "kind": "Pod",
        "metadata": {
            "name": name, "namespace": "web", "uid": name, "creationTimestamp": f"{created}T00:00:00Z",
            "labels": {labels.APP: app, "pod-template-hash": revision},
            "ownerReferences": [controller("ReplicaSet", replicaset or f"rs-{app}")],
        },
        "status": {
            "podIP": "10.0.0.9" if running else "",
            "conditions": [condition],
            "containerStatuses": [{"state": {"running" if running else "waiting": {}}, "restartCount": 0}],
        },
    }  # fmt: skip


class ToldAgents(Agents):
    """answers: by the pod's uid; a text, an object to be written as JSON, or an exception. asked: the uids."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: dict[str, Any] = {}
        self.asked: list[str] = []

    async def _get(self, pod: PodView) -> bytes:
        self.asked.append(pod.uid)
        answer = self.answers.get(pod.uid, state(pod.uid))
        if isinstance(answer, Exception):
            raise answer
        return answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()


class Loop:
    """`apps` have one pod each, called NAME-1."""

    def __init__(self, *apps: str) -> None:
        self.kube = FakeKube()
        self.mirror = Mirror()
        self.agents = ToldAgents()
        self.metrics = Metrics()
        self.tuning = Tuning(self.mirror, self.kube, self.agents, Events(self.kube, "operator-1"), self.metrics)
        self.now = 100.0
        for name in apps:
            self.mirror.app(app_body(name))
            self.pod(pod_body(f"{name}-1", name))

    def pod(self, body: Body) -> None:
        """The watch shows a pod, and a reconcile has seen that its ReplicaSet is the application's."""
        key = Key("web", body["metadata"]["labels"][labels.APP])
        self.mirror.own(key, {body["metadata"]["ownerReferences"][0]["uid"]})
        self.mirror.pod(body)

    def tuned(self, name: str) -> Tuned:
        return self.tuning.apps[Key("web", name)]

    async def turn(self, seconds: float = 1.0) -> None:
        """One turn of the loop, and what it has begun."""
        self.now += seconds
        await self.tuning.tick(self.now)
        await asyncio.gather(*(each.work for each in self.tuning.apps.values() if each.work is not None))

    async def turns(self, count: int) -> None:
        for _ in range(count):
            await self.turn()
