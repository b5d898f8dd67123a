"""Objects as the API server shows them, and what an agent answers."""

from typing import Any

from uwsgi_autopilot.api.agentstate import AgentState
from uwsgi_autopilot.api.desired import UNVERSIONED, DesiredShape, Version
from uwsgi_autopilot.api.sample import Sample
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.controller.workqueue import Key
from uwsgi_autopilot.resources import labels

Body = dict[str, Any]

START = Shape(2, 4)
SHOP = Key("web", "shop")
PROMOTED = DesiredShape(version=Version(1, 5), shape=Shape(4, 16))


def sample(**changes: Any) -> Body:
    data = Sample(seq=1, at=1.0, seconds=1.0, generation=1, shape=START, settled=True, requests=100.0).to_json()
    return {**data, **changes}


def answer(uid: str, *, shape: Shape = START, accepted: Version = UNVERSIONED, **changes: Any) -> Body:
    """`GET /v1/state` of a pod that serves `shape`."""
    state = AgentState(
        agent="0", app="shop", uid=uid, pid=7, now=50.0, serving=True, shape=shape, target=shape, accepted=accepted
    )
    return {**state.to_json(), **changes}


def app_body(name: str = "shop", generation: int = 1, **tuning: Any) -> Body:
    meta = {"name": name, "namespace": "web", "uid": f"app-{name}", "generation": generation}
    spec = {"module": "wsgi:app", "image": "shop:1", "tuning": tuning}
    return {"apiVersion": "uwsgi-autopilot.dev/v1alpha1", "kind": "UwsgiApp", "metadata": meta, "spec": spec}


def pod_body(
    name: str, app: str = "shop", *, revision: str = "a", running: bool = True, ip: str = "10.0.0.9", **meta: Any
) -> Body:
    owner = {"kind": "ReplicaSet", "name": f"{app}-{revision}", "uid": "rs", "controller": True}
    condition = {"type": "Ready", "status": str(running), "lastTransitionTime": "2025-01-01T00:00:00Z"}
    return {
        "kind": "Pod",
        "metadata": {
            "name": name, "namespace": "web", "uid": name, "creationTimestamp": "2025-01-01T00:00:00Z",
            "labels": {labels.APP: app, "pod-template-hash": revision}, "ownerReferences": [owner], **meta,
        },
        "status": {
            "podIP": ip if running else "",
            "conditions": [condition],
            "containerStatuses": [{"state": {"running" if running else "waiting": {}}, "restartCount": 0}],
        },
    }  # fmt: skip


def config_map(name: str, data: dict[str, str], *, app: str = "shop", uid: str | None = None) -> Body:
    """Of the application, unless `uid` is another one's."""
    meta = {**labels.metadata(app, "web", uid or f"app-{app}", name), "uid": f"uid-{name}"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}


def promoted_map(desired: DesiredShape, *, app: str = "shop", uid: str | None = None) -> Body:
    name = labels.promoted_name(app)
    return config_map(name, {labels.PROMOTED_KEY: desired.to_text()}, app=app, uid=uid)
