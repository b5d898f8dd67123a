"""The decision, once a second: what was measured and what is remembered in, one Decision and the new memory out.

    follow up what was asked for ─► act by phase: observe, verify, back, refine, hold ─► Step

The caller applies a `change` and passes on when the agent refused one. Asked twice about the same newest sample,
the answer is the same.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.report.reasons import Reason
from uwsgi_autopilot.tuner import backend, wording
from uwsgi_autopilot.tuner.decision import Decision, Kind
from uwsgi_autopilot.tuner.drift import drift
from uwsgi_autopilot.tuner.guards import Situation, first_objection
from uwsgi_autopilot.tuner.limits import Limits, Refusal
from uwsgi_autopilot.tuner.load import Load, load_of
from uwsgi_autopilot.tuner.memory import Asked, Memory, Point
from uwsgi_autopilot.tuner.phases import Event, Phase
from uwsgi_autopilot.tuner.sample import Sample
from uwsgi_autopilot.tuner.search import Nothing, Proposal, differs, next_shape
from uwsgi_autopilot.tuner.verify import Judgement, Verdict, judge

LOST_S = 20.0  # a change that has not even begun after so long never will
FOREIGN_SHAPE_S = 5  # samples of a shape that nobody here asked for: then it is somebody's wish, not a dead worker
VERIFY_S = 30.0  # window of a trial
QUIET_S = 60.0  # without enough requests to judge a change by, it is kept for now
RECENT_S = 6.0  # window in which a settled shape is watched
CPU_JUMPED = 1.7  # CPU per request after / before a change of shape: no shape does that, so the workload changed
PROMISING = 1.1  # predicted from what a failed trial showed, over the throughput before it
BACKOFF_S = 30.0
LONGEST_BACKOFF_S = 1800.0
NEVER_ENOUGH = 1e9  # demand: what the agent refused is not asked for again, however much load comes


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    memory: Memory
    decision: Decision


def decide(memory: Memory, samples: Sequence[Sample], limits: Limits, refused: Shape | None = None) -> Step:
    """`samples`: those of the last two minutes, oldest first; may be empty, unsettled, with gaps.

    refused: the shape that was asked for last and that the agent would not take.
    """
    if not samples:
        shape = memory.shape or limits.clamp(Shape(1, 1))
        return Step(memory=memory, decision=_hold(shape, Reason.NO_READINGS, "nothing was measured yet"))
    newest = samples[-1]
    if refused is None and memory.decision is not None and (newest.seq, newest.at) == (memory.seq, memory.at):
        return Step(memory=memory, decision=memory.decision)
    if memory.at is not None and newest.at < memory.at:
        memory = Memory()  # the clock began anew: another boot, another pod
    now = _Now(samples=samples, limits=limits)
    memory, decision = _follow_up(memory, now, refused)
    if decision is None:
        memory, decision = BY_PHASE[memory.phase](memory, now)
    memory = replace(memory, seq=newest.seq, at=newest.at, decision=decision)
    return Step(memory=memory, decision=decision)


def recommend(memory: Memory, samples: Sequence[Sample], limits: Limits) -> Step:
    """Mode Recommend: what `decide` would ask for now, said once (kind `recommend`), then held; never verified.

    A figure that it names is the model's, from the load as it is: nobody tried the shape.
    """
    step = decide(memory, samples, limits)
    would = step.decision
    if would.kind is not Kind.CHANGE:
        return step
    said = memory.recommended is not None and not differs(memory.recommended, would.to_shape)
    decision = replace(
        would,
        kind=Kind.HOLD if said else Kind.RECOMMEND,
        to_shape=would.from_shape if said else would.to_shape,
        reason=Reason.RECOMMENDED if said else would.reason,
        message=would.message if not said else f"{memory.recommended} is recommended: {would.message}",
    )
    known = replace(
        step.memory.on(Event.NOT_TRIED),
        asked=None,
        changes=memory.changes,
        recommended=memory.recommended if said else would.to_shape,
        decision=decision,
    )
    return Step(memory=known, decision=decision)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Now:
    samples: Sequence[Sample]
    limits: Limits

    @property
    def newest(self) -> Sample:
        return self.samples[-1]

    @property
    def shape(self) -> Shape:
        return self.newest.shape

    def load(self, memory: Memory, since: float | None, seconds: float = 8.0) -> Load | None:
        load = load_of(
            self.samples, since=-math.inf if since is None else since, seconds=seconds, cores=self.limits.cores
        )
        if load is None or memory.pool_size is None:
            return load
        return replace(load, pool_size=max(memory.pool_size, load.pool_size or 0))


Result = tuple[Memory, Decision]


def _hold(shape: Shape, reason: Reason, message: str, **numbers: float) -> Decision:
    return Decision(kind=Kind.HOLD, from_shape=shape, to_shape=shape, reason=reason, message=message, numbers=numbers)


# --- what was asked for


def _follow_up(memory: Memory, now: _Now, refused: Shape | None) -> tuple[Memory, Decision | None]:
    """Has the change come? None: nothing is open, go on by phase."""
    asked = memory.asked
    if asked is not None and asked.arrived_at is None:
        if refused == asked.shape:
            return _not_done(memory, now, Reason.REFUSED, f"the agent refused {asked.shape}: {now.shape} stays")
        if now.newest.settled and now.shape == asked.shape:
            arrived = replace(asked, arrived_at=now.newest.at - now.newest.seconds)
            return replace(memory, asked=arrived, shape=asked.shape), None
        recent = now.samples[-FOREIGN_SHAPE_S:]
        idle = all(each.settled and each.shape == now.shape and each.at > asked.at for each in recent)
        if idle and now.newest.at - asked.at >= LOST_S:
            message = f"{asked.shape} was asked for {now.newest.at - asked.at:.0f} s ago and never came"
            return _not_done(memory, now, Reason.CHANGE_LOST, message)
        message = f"{asked.shape} was asked for {now.newest.at - asked.at:.0f} s ago; {now.shape} serves until it comes"
        return memory, _hold(now.shape, Reason.CHANGE_IN_PROGRESS, message)

    if memory.shape is None:
        return replace(memory, shape=now.shape), None
    if memory.shape != now.shape:
        recent = now.samples[-FOREIGN_SHAPE_S:]
        lasting = all(each.settled and each.shape == now.shape for each in recent) and len(recent) == FOREIGN_SHAPE_S
        if lasting:
            message = f"{now.shape} serves instead of {memory.shape}, which was not asked for here"
            since = recent[0].at - recent[0].seconds
            forgot = replace(memory, shape=now.shape).forgetting(since).on(Event.SHAPE_CHANGED)
            return forgot, _hold(now.shape, Reason.SHAPE_CHANGED, message)
        message = f"{now.shape} serves where {memory.shape} should"
        return memory, _hold(now.shape, Reason.WORKERS_MISSING, message)
    return memory, None


def _not_done(memory: Memory, now: _Now, reason: Reason, message: str) -> Result:
    asked = memory.asked
    assert asked is not None
    up = asked.shape.slots > asked.before.shape.slots
    memory = memory.with_rejected(asked.shape, up=up, demand=NEVER_ENOUGH).on(Event.NOT_DONE)
    memory = replace(memory, asked=None, shape=now.shape)
    return memory, _hold(now.shape, reason, message)


# --- one function for each phase


def _observe(memory: Memory, now: _Now) -> Result:
    load = now.load(memory, memory.since)
    hold = first_objection(Situation(memory=memory, samples=now.samples, load=load))
    if hold is not None:
        return memory, _hold(now.shape, hold.reason, hold.message)
    assert load is not None
    return _search(memory, now, load)


def _verify(memory: Memory, now: _Now) -> Result:
    asked = memory.asked
    assert asked is not None
    assert asked.arrived_at is not None
    load = now.load(memory, asked.arrived_at, seconds=VERIFY_S)
    if load is None:
        if now.newest.at - asked.arrived_at < QUIET_S:
            message = f"{asked.before.shape} → {now.shape}: waiting for enough requests to judge by"
            return memory, _hold(now.shape, Reason.VERIFYING, message)
        message = f"{now.shape} stays for now: too few requests in {QUIET_S:.0f} s to judge it by"
        kept = replace(memory.on(Event.KEPT), asked=None, jumped=True)
        return kept, _hold(now.shape, Reason.TOO_FEW_REQUESTS, message)
    if not 1 / CPU_JUMPED <= load.cpu_s / max(asked.before.cpu_s, 1e-6) <= CPU_JUMPED:
        return _workload_changed(memory, now, load.cpu_s, load.wait_s, asked.arrived_at)
    judgement = judge(asked, load)
    if judgement.verdict is Verdict.WAIT:
        return memory, _hold(now.shape, Reason.VERIFYING, judgement.message)
    if judgement.verdict is Verdict.TAKE_BACK:
        return _go_on_or_back(memory, now, asked, load, judgement)
    kept = replace(memory.on(Event.KEPT).with_point(Point.of(load)), asked=None, jumped=True, since=asked.arrived_at)
    if judgement.change > 0.02:
        kept = replace(kept, fruitless=0, not_before=None)
    if asked.reason is Reason.BACKEND_LIMITED:
        # The knee was found: neither the shapes beyond it nor those half way there are worth another swap.
        for point in memory.points:
            if point.in_service >= backend.CLOSE * load.in_service:
                kept = kept.with_rejected(point.shape, up=True, demand=point.demand, change=0.0)
    return kept, _hold(now.shape, asked.reason, f"{asked.before.shape} → {now.shape} stays: {judgement.message}")


def _go_on_or_back(memory: Memory, now: _Now, asked: Asked, load: Load, judgement: Judgement) -> Result:
    """A shape that failed may have shown why, a pool or a slow backend: then go where that points, not back first."""
    up = asked.shape.slots > asked.before.shape.slots
    memory = memory.with_point(Point.of(load)).with_rejected(
        asked.shape, up=up, demand=max(load.demand, 1.0), change=judgement.change
    )
    memory = replace(memory, jumped=True, pool_size=load.pool_size)
    hold = first_objection(Situation(memory=memory, samples=now.samples, load=load))
    if not asked.second and hold is None and judgement.reason is not Reason.ERRORS_HIGH:
        answer = next_shape(memory, load, now.limits)
        promising = isinstance(answer, Proposal) and answer.expected >= PROMISING * asked.before.throughput
        if isinstance(answer, Proposal) and promising and answer.shape != asked.before.shape:
            further = replace(
                asked,
                shape=answer.shape,
                at=load.at,
                reason=answer.reason,
                better=True,
                arrived_at=None,
                second=True,
            )
            memory = replace(memory.on(Event.CHANGE_ASKED), asked=further, changes=memory.changes + 1)
            return memory, _change(load, answer.shape, answer.reason, answer.message, answer.expected)
    return _take_back(memory, asked, load, judgement)


def _take_back(memory: Memory, asked: Asked, load: Load, judgement: Judgement) -> Result:
    message = f"{judgement.message}: back to {asked.before.shape}"
    back = replace(asked, shape=asked.before.shape, reason=judgement.reason, at=load.at, arrived_at=None)
    fruitless = memory.fruitless + 1
    # The first failure may be followed by a second try at once; after that each one doubles the wait.
    pause = 0.0 if fruitless == 1 else min(BACKOFF_S * 2.0**fruitless, LONGEST_BACKOFF_S)
    memory = replace(
        memory.on(Event.WORSE),
        asked=back,
        changes=memory.changes + 1,
        fruitless=fruitless,
        not_before=load.at + pause,
    )
    return memory, _change(load, back.shape, judgement.reason, message, asked.before.throughput)


def _back(memory: Memory, now: _Now) -> Result:
    asked = memory.asked
    assert asked is not None
    assert asked.arrived_at is not None
    load = now.load(memory, asked.arrived_at, seconds=5.0)
    if load is None:
        return memory, _hold(
            now.shape, Reason.SETTLING, f"back at {now.shape}: readings count from 2 s after the change"
        )
    changed = drift(now.samples, asked.before, since=asked.arrived_at)
    if changed is not None:
        return _workload_changed(memory, now, changed.cpu_s, changed.wait_s, asked.arrived_at)
    memory = replace(memory.on(Event.RETURNED), asked=None, since=asked.arrived_at)
    return _refine(memory, now)


def _refine(memory: Memory, now: _Now) -> Result:
    load = now.load(memory, memory.since)
    hold = first_objection(Situation(memory=memory, samples=now.samples, load=load))
    if hold is not None and hold.reason is not Reason.ATTEMPTS_USED:
        return memory, _hold(now.shape, hold.reason, hold.message)
    if hold is not None:
        return memory.on(Event.NOTHING_LEFT), _hold(now.shape, hold.reason, hold.message)
    assert load is not None
    return _search(memory, now, load)


def _watch(memory: Memory, now: _Now) -> Result:
    load = now.load(memory, memory.since, RECENT_S)
    if load is None:
        hold = first_objection(Situation(memory=memory, samples=now.samples, load=load))
        assert hold is not None
        return memory, _hold(now.shape, hold.reason, hold.message)
    if memory.reference is None:
        memory = replace(memory, reference=Point.of(load))
    assert memory.reference is not None
    since = memory.since if memory.since is not None else -math.inf
    changed = drift(now.samples, memory.reference, since=since)
    if changed is not None:
        return _workload_changed(memory, now, changed.cpu_s, changed.wait_s, changed.since)
    if load.pressed and load.demand >= 2.0 * memory.reference.demand:
        memory = replace(memory, changes=0, reference=replace(memory.reference, demand=load.demand))
    answer = next_shape(memory, load, now.limits)
    if isinstance(answer, Nothing):
        # Waits that were seen at little load tell later whether much load is what makes them long.
        return memory.with_point(Point.of(load)), _hold(now.shape, answer.reason, answer.message)
    hold = first_objection(Situation(memory=memory, samples=now.samples, load=load))
    if hold is not None:
        return memory, _hold(now.shape, hold.reason, hold.message)
    return _search(memory.on(Event.ROOM_SEEN), now, load)


BY_PHASE: Mapping[Phase, Callable[[Memory, _Now], Result]] = {
    Phase.OBSERVE: _observe,
    Phase.VERIFY: _verify,
    Phase.BACK: _back,
    Phase.REFINE: _refine,
    Phase.HOLD: _watch,
}


# --- what they share


def _search(memory: Memory, now: _Now, load: Load) -> Result:
    memory = replace(memory.with_point(Point.of(load)), pool_size=load.pool_size)
    answer = next_shape(memory, load, now.limits)
    if isinstance(answer, Proposal):
        asked = Asked(shape=answer.shape, before=Point.of(load), at=load.at, reason=answer.reason, better=answer.better)
        memory = replace(memory.on(Event.CHANGE_ASKED), asked=asked, changes=memory.changes + 1, said=None)
        return memory, _change(load, answer.shape, answer.reason, answer.message, answer.expected)
    memory = memory.on(Event.NOTHING_LEFT)
    if isinstance(answer, Refusal) and memory.said is not answer.reason:
        memory = replace(memory, said=answer.reason)
        refusal = _hold(now.shape, answer.reason, answer.message)
        return memory, replace(refusal, kind=Kind.REFUSE)
    return memory, _hold(now.shape, answer.reason, answer.message)


def _change(load: Load, shape: Shape, reason: Reason, message: str, expected: float) -> Decision:
    numbers = {
        "throughput_rps": load.throughput,
        "expected_rps": expected,
        "wait_s": load.wait_s,
        "cpu_s": load.cpu_s,
        "service_s": load.service_s,
        "in_service": load.in_service,
        "queued": load.queued,
        "cores_used": load.cores_used,
    }
    return Decision(
        kind=Kind.CHANGE, from_shape=load.shape, to_shape=shape, reason=reason, message=message, numbers=numbers
    )


def _workload_changed(memory: Memory, now: _Now, cpu_s: float, wait_s: float, since: float) -> Result:
    known = memory.asked.before if memory.asked is not None else memory.reference
    assert known is not None
    message = (
        f"CPU {wording.milliseconds(known.cpu_s)} → {wording.milliseconds(cpu_s)}, wait "
        f"{wording.milliseconds(known.wait_s)} → {wording.milliseconds(wait_s)} per request: another workload"
    )
    memory = memory.forgetting(since).on(Event.WORKLOAD_CHANGED)
    return memory, _hold(now.shape, Reason.WORKLOAD_CHANGED, message)
