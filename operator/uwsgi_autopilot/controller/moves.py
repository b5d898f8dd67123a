"""What follows from the tuner's answer: a trial begins, goes on, is promoted, taken back or given up. Pure.

Each function returns a Move; pilot.py carries it out. Whether a trial is over is trial.py.
"""

from dataclasses import dataclass, replace

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.controller.compare import Baseline
from uwsgi_autopilot.controller.podview import Pods
from uwsgi_autopilot.controller.trial import Next, Seen, Trial, Verdict, next_of
from uwsgi_autopilot.report.reasons import Reason
from uwsgi_autopilot.tuner.decision import Decision, Entry, Kind
from uwsgi_autopilot.tuner.memory import Memory
from uwsgi_autopilot.tuner.phases import Event, Phase


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """memory, trial: from now on; the trial gets the number of the wish, and its time, when that is made.

    wish: for the pod `to`, where that is None for every pod; None: nobody is to change. A pod's wish ends by itself
    unless no trial runs. anew: another pod may be judged from now on.
    """

    memory: Memory
    trial: Trial | None = None
    wish: Shape | None = None
    to: str | None = None
    entry: Entry | None = None
    anew: bool = False


def begin(
    now: float, pod: str, memory: Memory, decision: Decision, promoted: Shape, baseline: Baseline | None,
    everywhere: bool,
) -> Move:  # fmt: skip
    """No trial runs, and `decision` is no hold. everywhere: every pod gets the shape at once."""
    if decision.kind is not Kind.CHANGE:
        return Move(memory=memory, entry=Entry.of(decision, at=now, kind=decision.kind.value))
    shape = decision.to_shape
    if memory.phase is Phase.BACK:
        # The second half of a trial that is over: nothing left to try.
        return Move(memory=memory, wish=shape, to=pod, entry=Entry.of(decision, at=now, kind="back"))
    trial = Trial(
        pod=pod, shape=shape, before=promoted, seq=0, began_at=now, wished_at=now,
        everywhere=everywhere, baseline=baseline,
    )  # fmt: skip
    entry = Entry.of(decision, at=now, kind="everywhere" if everywhere else "try")
    return Move(memory=memory, trial=trial, wish=shape, to=_whom(trial), entry=entry)


def follow(trial: Trial, seen: Seen, memory: Memory, decision: Decision | None, promoted: Shape, pods: Pods) -> Move:
    """`trial` runs. decision: the tuner's answer, after which it remembers `memory`; None: it was not asked."""
    if decision is not None and decision.kind is Kind.CHANGE and memory.phase is Phase.VERIFY:
        # What it has shown points to yet another shape: the same trial goes on with that one.
        shape = decision.to_shape
        entry = Entry.of(decision, at=seen.now, kind="try")
        return Move(memory=memory, trial=replace(trial, shape=shape), wish=shape, to=_whom(trial), entry=entry)
    what, why = next_of(trial, seen)
    if what is Next.RENEW:
        return Move(memory=memory, trial=trial, wish=trial.shape, to=trial.pod)
    if what is Next.PROMOTE:
        assert decision is not None
        entry = _promoted(trial, seen.now, decision.reason, decision.message)
        return Move(memory=memory, wish=None if trial.everywhere else trial.shape, entry=entry)
    if what is Next.BACK:
        return _back(trial, memory, seen.now, decision, why)
    if what is Next.UNDECIDED:
        alone = len(pods) == 1 and memory.phase is Phase.OBSERVE and pods[trial.pod].shape == trial.shape
        if alone and seen.verdict is Verdict.DROPPED:
            # Another workload came in the middle: the shape from before is no better known for it.
            message = f"{trial.shape} stays, no longer compared with {trial.before}"
            if decision is not None:
                message = f"{message}: {decision.message}"
            entry = _promoted(trial, seen.now, Reason.WORKLOAD_CHANGED, message)
            return Move(memory=memory, wish=trial.shape, entry=entry)
        return undecided(seen.now, trial, memory, why or (decision.message if decision else "dropped"), promoted, pods)
    return Move(memory=memory, trial=trial)


def undecided(now: float, trial: Trial | None, memory: Memory, why: str, promoted: Shape, pods: Pods) -> Move:
    """Forget what was asked, as if it had not been; the pod returns, if it is still there."""
    if trial is None:
        return Move(memory=_without_asked(memory, promoted, now), anew=True)
    if trial.everywhere:
        # What no agent would take must not be what new pods start with.
        nobody = not any(view.state and view.state.target == trial.shape for view in pods.values())
        wish, now_has = (trial.before, trial.before) if nobody else (None, promoted)
    else:
        wish, now_has = (trial.before if trial.pod in pods else None), trial.before
    return Move(
        memory=_without_asked(memory, now_has, now),
        wish=wish,
        to=_whom(trial),
        entry=_ended(trial, now, "undecided", "TrialUndecided", why),
        anew=True,
    )


def _back(trial: Trial, memory: Memory, now: float, decision: Decision | None, why: str) -> Move:
    if decision is not None and decision.kind is Kind.CHANGE:
        entry = Entry.of(decision, at=now, kind="back")
    else:
        # We saw it before the tuner did: what it asked for was worse, and it is not to ask again at this load.
        entry = _ended(trial, now, "back", Reason.REVERTED.value, f"{why}: back to {trial.before}")
        demand = max(memory.asked.before.demand, 1.0) if memory.asked else 1.0
        up = trial.shape.slots > trial.before.slots
        memory = memory.with_rejected(trial.shape, up=up, demand=demand, change=-0.5)
        memory = _without_asked(memory, trial.before, now)
    return Move(memory=memory, wish=trial.before, to=_whom(trial), entry=entry)


def _whom(trial: Trial) -> str | None:
    return None if trial.everywhere else trial.pod


def _promoted(trial: Trial, now: float, reason: Reason, message: str) -> Entry:
    return Entry(
        at=now, kind="promote", from_shape=trial.before, to_shape=trial.shape, reason=reason.value, message=message
    )


def _ended(trial: Trial, now: float, kind: str, reason: str, message: str) -> Entry:
    return Entry(at=now, kind=kind, from_shape=trial.shape, to_shape=trial.before, reason=reason, message=message)


def _without_asked(memory: Memory, shape: Shape, now: float) -> Memory:
    if memory.phase in (Phase.VERIFY, Phase.BACK):
        memory = memory.on(Event.NOT_DONE)
    return replace(memory, asked=None, shape=shape, since=now)
