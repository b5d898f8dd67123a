"""Small fleets for the tables: a row says only what differs."""

from dataclasses import replace
from typing import Any

from uwsgi_autopilot.api.agentstate import AgentState, ChangeProgress, Refused
from uwsgi_autopilot.api.desired import UNVERSIONED, DesiredShape, Version
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import TuningSpec, UwsgiApp
from uwsgi_autopilot.fleet.pod import Pod, PodInfo
from uwsgi_autopilot.fleet.state import FleetState
from uwsgi_autopilot.report.reasons import RefusalReason

NOW = 1_800_000_000.0
START, OTHER = Shape(2, 4), Shape(4, 16)
PROMOTED = DesiredShape(version=Version(1, 5), shape=START)


def an_app(**tuning: Any) -> UwsgiApp:
    return UwsgiApp(name="shop", module="wsgi:app", tuning=TuningSpec(**{"start": START, **tuning}))


def a_pod(uid: str, *, target: Shape = START, accepted: Version = PROMOTED.version, **facts: Any) -> Pod:
    """Serving `target`, settled. `facts`: of its PodInfo; those of its agent are `on_trial`, `refused`, `change`."""
    told = {name: facts.pop(name) for name in ("on_trial", "refused", "change", "shape") if name in facts}
    told = {"shape": target, **told}
    state = AgentState(
        agent="0", app="shop", uid=uid, pid=7, now=1.0, serving=True, target=target, accepted=accepted, **told
    )
    info = PodInfo(uid=uid, name=uid, ip="10.0.0.1", **{"ready_at": NOW - 9999, "created_at": NOW - 9999, **facts})
    return Pod(info=info, state=state, heard_at=NOW)


def a_fleet(*pods: Pod, promoted: DesiredShape = PROMOTED, **fields: Any) -> FleetState:
    app = fields.pop("app", an_app())
    state = FleetState.begin(app, promoted)
    known = {pod.uid: pod for pod in pods}
    ready = sum(pod.info.ready for pod in pods)
    return replace(
        state, **{"pods": known, "last": Version(2, 9), "stored": promoted.version, "ready": ready, **fields}
    )


def refusal(version: Version, reason: RefusalReason = RefusalReason.MEMORY_LIMIT) -> Refused:
    return Refused(reason=reason, message="does not fit", at=1.0, version=version, shape=OTHER)


SWAPPING = ChangeProgress(kind="swap", to=OTHER, seconds=1.0)
NOTHING_PROMOTED = DesiredShape(version=UNVERSIONED, shape=START)
