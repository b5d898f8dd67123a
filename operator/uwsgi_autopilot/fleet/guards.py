"""May the shape of this application change now? Questions asked in order; the first objection wins.

To add one, write a function from the fleet's state to a Word or None and put it into GUARDS. The tuner has its own
list, about the samples of one pod (tuner/guards.py); these are about the pods as a group. No message counts seconds:
its text would change each time, and every new text is a write to the status.

Pods that come and go may hold a decision up for MUTED_S, and no longer: an autoscaler that moves them every minute
would otherwise keep a bad shape in place for ever, which is what makes it move them.
"""

from collections.abc import Callable, Mapping, Sequence

from uwsgi_autopilot.api.uwsgiapp import Mode
from uwsgi_autopilot.fleet import delivery
from uwsgi_autopilot.fleet.pod import PodInfo
from uwsgi_autopilot.fleet.state import FleetState, Stretch, Word
from uwsgi_autopilot.report.reasons import Reason

REPLICAS_CHANGED_S = 60.0  # every pod's share of the load has changed
# How long pods that come and go hold decisions up. Chosen: three moves, of an autoscaler that has found its number.
MUTED_S = 180.0
# Calm for less between two moves, they are one stretch. A trial with several pods takes about as long.
CALM_S = 120.0
# The chart's progressDeadlineSeconds: a version without a ready pod for longer is broken; the old one keeps serving.
STUCK_S = 600.0

Guard = Callable[[FleetState, float], Word | None]


def pinned(state: FleetState, now: float) -> Word | None:
    pin = state.app.tuning.pin
    return None if pin is None else Word(reason=Reason.PINNED, message=f"spec.tuning.pin holds the shape at {pin}")


def disabled(state: FleetState, now: float) -> Word | None:
    if state.app.tuning.mode is not Mode.DISABLED:
        return None
    return Word(reason=Reason.DISABLED, message="spec.tuning.mode is Disabled")


def rollout_in_progress(state: FleetState, now: float) -> Word | None:
    stuck = _stuck(state, now)
    if len({each.revision for each in _there(state) if each.uid not in stuck}) < 2:
        return None
    return Word(reason=Reason.ROLLOUT_IN_PROGRESS, message="pods of two versions are serving: a rollout is in progress")


def pod_not_ready(state: FleetState, now: float) -> Word | None:
    waiting = _not_ready(state, now)
    if not waiting or (_muted_enough(state, Reason.POD_NOT_READY, now) and not _serious(state, waiting)):
        return None
    leaving = [each.name for each in waiting if each.leaving]
    message = f"pod {min(leaving)} is leaving" if leaving else f"pod {min(each.name for each in waiting)} is not ready"
    return Word(reason=Reason.POD_NOT_READY, message=message)


def _not_ready(state: FleetState, now: float) -> list[PodInfo]:
    stuck = _stuck(state, now)
    pods = [pod.info for pod in state.pods.values()]
    return [each for each in pods if each.leaving or (not each.ready and each.uid not in stuck)]


def _serious(state: FleetState, waiting: Sequence[PodInfo]) -> bool:
    """No matter of pods that come and go: most of those that should serve do not, or one that tries a shape."""
    failing = [each for each in waiting if not each.leaving]
    change = state.change
    tries = change is not None and change.on_trial and any(change.concerns(each.uid) for each in failing)
    return tries or 2 * len(failing) > len(_running(state))


def replicas_changed(state: FleetState, now: float) -> Word | None:
    word = _moved(state, now)
    if word is None or _muted_enough(state, Reason.REPLICAS_CHANGED, now):
        return None
    message = f"a pod {word} less than {REPLICAS_CHANGED_S:.0f} s ago: every pod's share of the load has changed"
    return Word(reason=Reason.REPLICAS_CHANGED, message=message)


def _moved(state: FleetState, now: float) -> str | None:
    born = sorted(each.ready_at or 0.0 for each in _running(state) if each.ready)
    # The pods of a first rollout become ready close together; one that joins later takes load from the others.
    if born and born[-1] - born[0] > REPLICAS_CHANGED_S and now - born[-1] < REPLICAS_CHANGED_S:
        return "joined"
    return "left" if now - state.left_at < REPLICAS_CHANGED_S else None


def pods_changing(state: FleetState, now: float) -> Word | None:
    behind = delivery.behind(state, now)
    if not behind:
        return None
    message = f"{len(behind)} of {len(state.pods)} pods are changing to {state.shape}"
    return Word(reason=Reason.PODS_CHANGING, message=message)


# Asked before a change begins.
GUARDS: Sequence[Guard] = (pinned, disabled, rollout_in_progress, pod_not_ready, replicas_changed, pods_changing)
# Asked again during a trial in one pod: its figures could not be compared with those from before.
DURING_TRIAL: Sequence[Guard] = (rollout_in_progress, pod_not_ready, replicas_changed)


def first_objection(state: FleetState, now: float, guards: Sequence[Guard] = GUARDS) -> Word | None:
    return next((word for guard in guards if (word := guard(state, now)) is not None), None)


def stretches(state: FleetState, now: float) -> Mapping[Reason, Stretch]:
    """Since when, almost without a pause, pods come and go; by what is said of it."""
    asks = {Reason.POD_NOT_READY: bool(_not_ready(state, now)), Reason.REPLICAS_CHANGED: bool(_moved(state, now))}
    found = dict(state.stretches)
    for reason, moving in asks.items():
        known = found.get(reason)
        if moving:
            found[reason] = Stretch(began=known.began if known is not None else now, last=now)
        elif known is not None and now - known.last >= CALM_S:
            del found[reason]
    return found


def _muted_enough(state: FleetState, reason: Reason, now: float) -> bool:
    known = state.stretches.get(reason)
    return known is not None and now - known.began >= MUTED_S


def _running(state: FleetState) -> list[PodInfo]:
    return [pod.info for pod in state.pods.values() if not pod.info.leaving]


def _there(state: FleetState) -> list[PodInfo]:
    return [*_running(state), *(each for each in state.coming if not each.leaving)]


def _stuck(state: FleetState, now: float) -> set[str]:
    """Pods of a version that never became ready while another one serves."""
    there = _there(state)
    serving = {each.revision for each in there if each.ready}
    return {
        each.uid
        for each in there
        if serving and not each.ready and each.revision not in serving and now - each.created_at > STUCK_S
    }
