"""What the manifest asks of the promoted shape: a pin, the bounds, the number of connections, the mode.

And the two cases in which the promoted shape follows the pods: it was lost, or none of them can serve it.
"""

from collections import Counter
from dataclasses import replace

from uwsgi_autopilot.api.agentstate import AgentState
from uwsgi_autopilot.api.desired import UNVERSIONED, DesiredShape
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import Mode
from uwsgi_autopilot.fleet import delivery, pending
from uwsgi_autopilot.fleet.change import Change, Stage
from uwsgi_autopilot.fleet.history import Kind
from uwsgi_autopilot.fleet.state import FleetState
from uwsgi_autopilot.report.reasons import Reason


def follow(state: FleetState, now: float) -> FleetState:
    tuning = state.app.tuning
    if tuning.pin is not None or tuning.mode is not Mode.AUTO:
        state = pending.forbid(state, now, "the manifest no longer allows a trial")
    if state.promoted.version == UNVERSIONED:
        state = _without_promoted(state, now)
    if tuning.pin is not None:
        known = state.promoted.version > UNVERSIONED or not _behind(state)
        if state.shape == tuning.pin and known:
            return state
        return promote(state, now, tuning.pin, Reason.PINNED, f"spec.tuning.pin is {tuning.pin}")
    inside = state.inside(state.shape)
    if inside != state.shape:
        return promote(state, now, inside, Reason.BOUNDS_REACHED, _outside(state))
    if state.change is None and (serving := _given_up_by_all(state)) is not None:
        return promote(state, now, serving, Reason.REFUSED, f"no pod could change to {state.shape}")
    return _with_limits(state)


def _with_limits(state: FleetState) -> FleetState:
    """What was in the way of a better shape may be gone: the search that ended there goes on."""
    limits, memory = state.limits, state.memory
    if state.allowed not in (None, limits) and memory.settled and memory.limit is not None:
        memory = replace(memory, settled=False)
    return replace(state, allowed=limits, memory=memory)


def _outside(state: FleetState) -> str:
    """Why the promoted shape cannot stay."""
    shape, limits = state.shape, state.limits
    if state.app.tuning.inside(shape) != shape:
        return f"{shape} is outside the manifest's bounds"
    return f"{shape} may open {limits.connections(shape)} connections; {limits.shared}"


def promote(state: FleetState, now: float, shape: Shape, reason: Reason, message: str) -> FleetState:
    """Give every pod `shape` without a trial. A pending trial ends."""
    state = pending.forbid(state, now, message)
    state = state.with_next_version()
    # What the pods serve: until something is promoted, that may differ from the manifest's shape.
    targets = Counter(agent.target for agent in _settled_agents(state))
    before = targets.most_common(1)[0][0] if targets else state.shape
    change = Change(
        stage=Stage.PROMOTING, shape=shape, before=before, version=state.last, issued_at=now, entered_at=now
    )
    state = state.recorded(now, Kind.CHANGE, before, shape, reason.value, message)
    return replace(state, promoted=DesiredShape(version=state.last, shape=shape), change=change)


def _without_promoted(state: FleetState, now: float) -> FleetState:
    """Nothing was promoted yet, or the record of it was lost; then the pods still have it."""
    state = replace(state, promoted=DesiredShape(version=UNVERSIONED, shape=state.app.tuning.first))
    tuning = state.app.tuning
    if state.change is not None or tuning.mode is Mode.DISABLED or tuning.pin is not None:
        return state
    found = Counter(agent.target for agent in _settled_agents(state) if agent.accepted > UNVERSIONED)
    if found and (shape := found.most_common(1)[0][0]) != state.shape and shape == state.inside(shape):
        return promote(
            state, now, shape, Reason.SHAPE_CHANGED, f"the promoted shape was lost, and the pods serve {shape}"
        )
    if behind := _behind(state):
        message = f"pods started with {behind[0].target}, from an earlier manifest"
        return promote(state, now, state.shape, Reason.SHAPE_CHANGED, message)
    return state


def _settled_agents(state: FleetState) -> list[AgentState]:
    return [pod.state for pod in state.pods.values() if pod.state is not None and not pod.state.on_trial]


def _behind(state: FleetState) -> list[AgentState]:
    """Those that started with a shape other than the one to be promoted."""
    return [agent for agent in _settled_agents(state) if agent.target != state.shape and agent.refused is None]


def _given_up_by_all(state: FleetState) -> Shape | None:
    """What most pods serve instead, once all of them have given up the promoted shape."""
    given_up = delivery.given_up(state)
    answering = [pod for pod in state.pods.values() if pod.state is not None]
    if not answering or any(pod.uid not in given_up for pod in answering):
        return None
    shapes = Counter(pod.state.target for pod in answering if pod.state is not None and pod.state.target != state.shape)
    serving = shapes.most_common(1)[0][0] if shapes else None
    return serving if serving is not None and serving == state.inside(serving) else None
