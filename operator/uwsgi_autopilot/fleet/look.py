"""A look at the pods that try a shape: has it arrived, does it do harm, has it served long enough to give it to more?

Whether the shape is better is the tuner's question, about the pod that tries it first.
"""

from dataclasses import dataclass

from uwsgi_autopilot.fleet import shared
from uwsgi_autopilot.fleet.change import Change
from uwsgi_autopilot.fleet.compare import worse_since
from uwsgi_autopilot.fleet.pod import Pod
from uwsgi_autopilot.fleet.shared import Together
from uwsgi_autopilot.fleet.state import FleetState
from uwsgi_autopilot.report.reasons import Reason
from uwsgi_autopilot.tuner import outcome
from uwsgi_autopilot.tuner.memory import Memory

# Of its answers a second before: what a pod must give for others to follow before the tuner has decided.
GAINS = 1.05
# Of a shape's slots, where all pods served more while only some of them had it.
SOME_OF = 0.7
# What the pods that try it must have served with it where all pods' requests wait longer since.
SUSPECT_S = 2 * shared.WINDOW_S
LOST_S = 20.0  # accepted, nothing is changing, and the shape does not serve: it never will


@dataclass(frozen=True, slots=True, kw_only=True)
class Harm:
    reason: Reason
    message: str


def arrived(state: FleetState, change: Change, pod: Pod, now: float) -> bool:
    """It serves in every pod that is to try it, except in those that nobody waits for."""
    if not pod.settled or pod.samples[-1].shape != change.shape:
        return False
    return not any(_coming(state, change, state.pods[uid], now) for uid in change.others if uid in state.pods)


def _coming(state: FleetState, change: Change, pod: Pod, now: float) -> bool:
    """It is changing to the shape, or is about to. Not waited for: who is silent, refused it, or never took it."""
    agent, given = pod.state, state.deliveries.get(pod.uid)
    if agent is None or pod.info.leaving or pod.silent(now):
        return False
    if agent.change is not None:
        return True
    if given is not None and given.refused_at is None:
        return given.since is None or now - given.since < LOST_S
    return agent.target == change.shape != agent.shape and now - change.entered_at < LOST_S


def harm(state: FleetState, change: Change, pod: Pod) -> Harm | None:
    """Of the shape in `pod` compared with the pods that kept the old one, or in all of them together."""
    if (worse := worse_since(change.arrived_at, pod, change.baseline, state.pods, state.shape)) is not None:
        return Harm(reason=Reason.REVERTED, message=worse)
    now = _now(state, change)
    if (failing := shared.failing(change.together, now)) is not None:
        return Harm(reason=Reason.ERRORS_HIGH, message=failing)
    if change.shape.slots <= change.before.slots or not _agreed(state, change):
        return None
    if (burdened := shared.overburdened(change.together, change.peak, now)) is not None:
        return Harm(reason=Reason.BACKEND_LIMITED, message=burdened)
    return None


def learnt(memory: Memory, change: Change, found: Harm, now: float) -> Memory:
    """What the tuner learns of it. A shape that it has kept is not refused for what came later, except where all pods
    together showed that they cannot all have it."""
    assert change.proposal is not None
    assert change.arrived_at is not None
    if found.reason is Reason.BACKEND_LIMITED:
        return outcome.too_much(
            memory, change.proposal, now, arrived_at=change.arrived_at, most=_borne(change), why=found.message
        )
    return outcome.hurt(memory, change.proposal, now) if change.kept is None else memory


def _borne(change: Change) -> int:
    """The slots that what all pods share bears: those of before, or some more if all served more while fewer had it."""
    before, peak = change.together, change.peak
    if before is None or peak is None or not shared.rises(before, peak):
        return change.before.slots
    return max(change.before.slots, int(SOME_OF * change.shape.slots))


def _now(state: FleetState, change: Change) -> Together | None:
    """All pods since the shape has served long enough in those that try it; None while that is too short."""
    since = _since(change)
    newest = max((each.samples[-1].at for each in state.pods.values() if each.samples), default=0.0)
    return shared.together(state.pods, since=since) if newest >= since + shared.LEAST_S - 0.5 else None


def _agreed(state: FleetState, change: Change) -> bool:
    keeping = {uid: pod for uid, pod in state.pods.items() if not change.concerns(uid)}
    if not keeping:
        return True
    found = shared.together(keeping, since=_since(change), fewest=shared.FEWEST_TO_AGREE)
    return shared.agree(change.together, found)


def _since(change: Change) -> float:
    return change.entered_at + shared.settle_s(change.together)


def peak(state: FleetState, change: Change) -> Together | None:
    """What all pods did when they served the most, before still more of them are given the shape."""
    known = [each for each in (change.peak, _now(state, change)) if each is not None]
    return max(known, key=lambda each: each.rps, default=None)


def enough(state: FleetState, change: Change, now: float) -> bool:
    """Harm would have shown by now. Where requests wait longer with more slots, a few seconds may hide it: on a busy
    machine all pods together served 3 % more in three seconds, and no more in the next."""
    longer = change.shape.slots > change.before.slots and shared.longer(change.together, _now(state, change))
    seconds = SUSPECT_S if longer else shared.LEAST_S
    return now - change.entered_at >= shared.settle_s(change.together) + seconds


def gains(change: Change, pod: Pod) -> bool:
    tried = pod.figures(shared.LEAST_S)
    return tried is not None and change.proposal is not None and tried.rps > GAINS * change.proposal.before.throughput


# --- in words; a single pod is not counted


def having(state: FleetState, change: Change) -> str:
    """How many pods have it."""
    return f"{_count(state, change)} of {len(state.pods)} pods"


def of_them(state: FleetState, change: Change) -> str:
    """The beginning of the tuner's sentence."""
    return f"{having(state, change)}: " if len(state.pods) > 1 else ""


def widening(state: FleetState, change: Change, wider: Change) -> str:
    more = f"{_count(state, wider)} of {len(state.pods)} are given it"
    return f"{having(state, change)} serve {change.shape} without harm, {more}"


def all_together(state: FleetState, change: Change) -> str:
    """What all pods serve with it: the end of a sentence."""
    before, now, number = change.together, _now(state, change), len(state.pods)
    if number == 1 or before is None or now is None:
        return ""
    return f"; all {number} pods {before.rps * number:.0f} → {now.rps * number:.0f} requests/s"


def _count(state: FleetState, change: Change) -> int:
    return sum(change.concerns(uid) for uid in state.pods)
