"""May the shape of this application change now? Questions asked in order; the first objection wins.

To add one, write a function from the fleet's state to a Word or None and put it into GUARDS. The tuner has its own
list, about the samples of one pod (tuner/guards.py); these are about the pods as a group. No message counts seconds:
its text would change each time, and every new text is a write to the status.
"""

from collections.abc import Callable, Sequence

from uwsgi_autopilot.api.uwsgiapp import Mode
from uwsgi_autopilot.fleet import delivery
from uwsgi_autopilot.fleet.pod import PodInfo
from uwsgi_autopilot.fleet.state import FleetState, Word
from uwsgi_autopilot.report.reasons import Reason

REPLICAS_CHANGED_S = 60.0  # every pod's share of the load has changed
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
    stuck = _stuck(state, now)
    waiting = [pod.name for pod in state.pods.values() if pod.info.leaving]
    if waiting:
        return Word(reason=Reason.POD_NOT_READY, message=f"pod {min(waiting)} is leaving")
    waiting = [each.name for each in _running(state) if each.uid not in stuck and not each.ready]
    if waiting:
        return Word(reason=Reason.POD_NOT_READY, message=f"pod {min(waiting)} is not ready")
    return None


def replicas_changed(state: FleetState, now: float) -> Word | None:
    born = sorted(each.ready_at or 0.0 for each in _running(state) if each.ready)
    # The pods of a first rollout become ready close together; one that joins later takes load from the others.
    if born and born[-1] - born[0] > REPLICAS_CHANGED_S and now - born[-1] < REPLICAS_CHANGED_S:
        word = "joined"
    elif now - state.left_at < REPLICAS_CHANGED_S:
        word = "left"
    else:
        return None
    message = f"a pod {word} less than {REPLICAS_CHANGED_S:.0f} s ago: every pod's share of the load has changed"
    return Word(reason=Reason.REPLICAS_CHANGED, message=message)


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
