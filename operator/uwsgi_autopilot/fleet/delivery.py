"""Which pod gets which desired shape, and when. Level-triggered: it compares what a pod follows with what it should.

A failed write, a pod that lost its shape, and a shape that a pod gave up for lack of memory are the same case: the
pod's target is not what it should be, so it is given the shape again, with back-off, under a version that it has not
seen.
"""

from collections.abc import Mapping
from dataclasses import replace

from uwsgi_autopilot.api.agentstate import Refused
from uwsgi_autopilot.api.desired import UNVERSIONED, DesiredShape
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import Mode
from uwsgi_autopilot.fleet.actions import Action, WarnLate, WriteDesired
from uwsgi_autopilot.fleet.pod import Pod
from uwsgi_autopilot.fleet.state import Delivery, FleetState

# The watch shows an annotation long before that; otherwise the write did not get through.
REWRITE_SECONDS = 5.0
LATE_SECONDS = 90.0
RETRY_SECONDS = 30.0
LONGEST_RETRY_SECONDS = 600.0


def desired_for(state: FleetState, pod: Pod) -> DesiredShape:
    change, desired = state.change, state.promoted
    if change is not None and change.on_trial and change.concerns(pod.uid):
        desired = change.trial_of(pod.uid)
    return replace(desired, in_place=_in_place(state, pod, desired.shape))


def _in_place(state: FleetState, pod: Pod, shape: Shape) -> bool:
    """Other threads need a second generation, and were allowed with both counted. The same threads need none, but the
    agent would start one when no worker is idle enough to go: not where the connections of both have no room."""
    here, limits = pod.shape, state.limits
    if limits.max_connections is None or here is None or here.threads != shape.threads:
        return False
    return limits.connections(here) + limits.connections(shape) > limits.max_connections


def delivered(state: FleetState, pod: Pod, desired: DesiredShape) -> bool:
    """Nothing needs writing: the pod follows `desired`, or the same shape under another version."""
    assert pod.state is not None
    if desired.trial_seconds is not None:
        return pod.accepted >= desired.version
    if pod.state.target == desired.shape:
        # A trial would end by itself; a later version confirms it.
        return not pod.state.on_trial
    # In mode Disabled a person may set shapes by hand (docs/kubernetes.md); a pin comes from the manifest.
    by_hand = state.app.tuning.mode is Mode.DISABLED and state.app.tuning.pin is None
    return by_hand and pod.accepted >= desired.version


def update(state: FleetState, now: float) -> FleetState:
    """Update the deliveries to what every pod should have by now."""
    for pod in state.pods.values():
        if pod.state is not None:
            state = _of_pod(state, pod, now)
    gone = set(state.deliveries) - set(state.pods)
    if gone:
        state = replace(state, deliveries={uid: it for uid, it in state.deliveries.items() if uid not in gone})
    return state


def _of_pod(state: FleetState, pod: Pod, now: float) -> FleetState:
    desired, known = desired_for(state, pod), state.deliveries.get(pod.uid)
    if delivered(state, pod, desired):
        return _with(state, pod.uid, None)
    current = known is not None and _for_same(known.desired, desired)
    assert pod.state is not None
    if current and known is not None:
        refused = pod.state.refused_version(known.desired.version)
        if refused is None:
            return state
        if known.refused_at is None:
            return _with(state, pod.uid, replace(known, refused_at=now, refused=refused))
        # A refused trial is not retried here: it ends the change.
        if desired.trial_seconds is not None or now < retry_at(known):
            return state
    retries = known.retries + 1 if current and known is not None else 0
    if desired.version <= pod.known or (current and known is not None):
        state = state.with_next_version()
        desired = replace(desired, version=state.last, uid=pod.uid)
    return _with(state, pod.uid, Delivery(desired=desired, retries=retries))


def _for_same(given: DesiredShape, desired: DesiredShape) -> bool:
    same = given.shape == desired.shape and (given.trial_seconds is None) == (desired.trial_seconds is None)
    return same and given.version >= desired.version


def _with(state: FleetState, uid: str, delivery: Delivery | None) -> FleetState:
    known = state.deliveries.get(uid)
    if known == delivery:
        return state
    kept = {each: it for each, it in state.deliveries.items() if each != uid}
    return replace(state, deliveries=kept if delivery is None else {**kept, uid: delivery})


def due(state: FleetState, now: float) -> list[Action]:
    """The writes whose turn it is, and the pods to warn about.

    A change of threads replaces the generation, which needs CPU and memory for two, so at most half of the pods do that
    at a time. A pod that is late does not block the others, nor does one that is silent those that answer.
    """
    actions: list[Action] = []
    swapping = {uid for uid, pod in state.pods.items() if _swapping(state, pod, now)}
    silent = {uid for uid, pod in state.pods.items() if pod.silent(now)}
    first = state.change.pod if state.change is not None else None
    for uid in sorted(state.deliveries, key=lambda each: (each != first, each in silent)):
        pod, delivery = state.pods[uid], state.deliveries[uid]
        if late(delivery, now) and not delivery.warned:
            actions.append(WarnLate(uid=uid, desired=delivery.desired))
        again = delivery.at is None or now - delivery.at >= REWRITE_SECONDS
        if not again or delivery.refused_at is not None or pod.info.leaving or pod.known >= delivery.desired.version:
            continue
        swap = delivery.at is None and (pod.shape is None or pod.shape.threads != delivery.desired.shape.threads)
        in_the_way = swapping if uid in silent else swapping - silent
        if swap and len(in_the_way) >= max(1, len(state.pods) // 2):
            continue
        if swap:
            swapping.add(uid)
        actions.append(WriteDesired(uid=uid, desired=delivery.desired))
    return actions


def written(state: FleetState, uid: str, desired: DesiredShape, now: float) -> FleetState:
    known = state.deliveries.get(uid)
    if known is None or known.desired != desired:
        return state
    return _with(state, uid, replace(known, since=now if known.since is None else known.since, at=now))


def warned(state: FleetState, uid: str) -> FleetState:
    known = state.deliveries.get(uid)
    return state if known is None else _with(state, uid, replace(known, warned=True))


def retry_at(delivery: Delivery) -> float:
    pause = min(RETRY_SECONDS * 2.0 ** min(delivery.retries, 10), LONGEST_RETRY_SECONDS)
    return (delivery.refused_at or 0.0) + pause


def late(delivery: Delivery, now: float) -> bool:
    return delivery.since is not None and delivery.refused_at is None and now - delivery.since > LATE_SECONDS


def behind(state: FleetState, now: float) -> list[Pod]:
    """Pods still changing to what they should serve, without those that are late or gave up: nobody waits for these."""
    return [
        pod
        for uid, pod in state.pods.items()
        if pod.state is not None and (pod.state.change is not None or _open(state.deliveries.get(uid), now))
    ]


def given_up(state: FleetState) -> Mapping[str, Refused]:
    """Why pods do not serve the promoted shape, by uid."""
    return {
        uid: it.refused
        for uid, it in state.deliveries.items()
        if it.refused is not None and it.desired.shape == state.shape and it.desired.trial_seconds is None
    }


def late_pods(state: FleetState, now: float) -> list[Pod]:
    return [state.pods[uid] for uid, it in state.deliveries.items() if uid in state.pods and late(it, now)]


def _open(delivery: Delivery | None, now: float) -> bool:
    return delivery is not None and delivery.refused_at is None and not late(delivery, now)


def _swapping(state: FleetState, pod: Pod, now: float) -> bool:
    """It was given a shape and has not finished changing to it."""
    if pod.state is None or pod.info.leaving:
        return False
    delivery = state.deliveries.get(pod.uid)
    if delivery is not None and delivery.at is not None and _open(delivery, now):
        return True
    return pod.state.change is not None and pod.accepted != UNVERSIONED
