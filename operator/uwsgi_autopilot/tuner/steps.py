"""One function for each phase: what the samples of this moment mean for it, and what follows."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

from uwsgi_autopilot.report.reasons import Reason
from uwsgi_autopilot.tuner import backend, wording
from uwsgi_autopilot.tuner.decision import Kind
from uwsgi_autopilot.tuner.drift import drift, log_ratio
from uwsgi_autopilot.tuner.limits import Refusal
from uwsgi_autopilot.tuner.load import Load
from uwsgi_autopilot.tuner.memory import Asked, Memory, Point
from uwsgi_autopilot.tuner.moment import Now, Result, change, hold
from uwsgi_autopilot.tuner.phases import Event, Phase
from uwsgi_autopilot.tuner.search import Nothing, Proposal, next_shape
from uwsgi_autopilot.tuner.verify import Judgement, Verdict, judge

VERIFY_S = 30.0  # window of a trial
QUIET_S = 60.0  # without enough requests to judge a change by, it is kept for now
RECENT_S = 6.0  # window in which a settled shape is watched
# ln of CPU per request after / before a change of shape: no shape does that, so the workload changed.
CPU_JUMPED = 0.53
PROMISING = 1.1  # predicted from what a failed trial showed, over the throughput before it
BACKOFF_S = 30.0
LONGEST_BACKOFF_S = 1800.0


def _observe(memory: Memory, now: Now) -> Result:
    load = now.load(memory, memory.since)
    objection = now.objection(memory, load)
    if objection is not None:
        return memory, objection
    assert load is not None
    return _search(memory, now, load)


def _verify(memory: Memory, now: Now) -> Result:
    asked = memory.asked
    assert asked is not None
    assert asked.arrived_at is not None
    load = now.load(memory, asked.arrived_at, seconds=VERIFY_S)
    if load is None:
        if now.newest.at - asked.arrived_at < QUIET_S:
            message = f"{asked.before.shape} → {now.shape}: waiting for enough requests to judge by"
            return memory, hold(now.shape, Reason.VERIFYING, message)
        message = f"{now.shape} stays for now: too few requests in {QUIET_S:.0f} s to judge it by"
        kept = replace(memory.on(Event.KEPT), asked=None, jumped=True)
        return kept, hold(now.shape, Reason.TOO_FEW_REQUESTS, message)
    if abs(log_ratio(load.cpu_s, asked.before.cpu_s, soft=0.01 * asked.before.service_s)) > CPU_JUMPED:
        return _workload_changed(memory, now, load.cpu_s, load.wait_s, asked.arrived_at)
    judgement = judge(asked, load)
    if judgement.verdict is Verdict.WAIT:
        return memory, hold(now.shape, Reason.VERIFYING, judgement.message)
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
    return kept, hold(now.shape, asked.reason, f"{asked.before.shape} → {now.shape} stays: {judgement.message}")


def _go_on_or_back(memory: Memory, now: Now, asked: Asked, load: Load, judgement: Judgement) -> Result:
    """A shape that failed may have shown why, a pool or a slow backend: then go where that points, not back first."""
    up = asked.shape.slots > asked.before.shape.slots
    memory = memory.with_point(Point.of(load)).with_rejected(
        asked.shape, up=up, demand=max(load.demand, 1.0), change=judgement.change
    )
    memory = replace(memory, jumped=True, pool_size=load.pool_size)
    may_go_on = now.objection(memory, load) is None
    if not asked.second and may_go_on and judgement.reason is not Reason.ERRORS_HIGH:
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
            return memory, change(load, answer.shape, answer.reason, answer.message, answer.expected)
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
    return memory, change(load, back.shape, judgement.reason, message, asked.before.throughput)


def _back(memory: Memory, now: Now) -> Result:
    asked = memory.asked
    assert asked is not None
    assert asked.arrived_at is not None
    load = now.load(memory, asked.arrived_at, seconds=5.0)
    if load is None:
        return memory, hold(
            now.shape, Reason.SETTLING, f"back at {now.shape}: readings count from 2 s after the change"
        )
    changed = drift(now.samples, asked.before, since=asked.arrived_at)
    if changed is not None:
        return _workload_changed(memory, now, changed.cpu_s, changed.wait_s, asked.arrived_at)
    memory = replace(memory.on(Event.RETURNED), asked=None, since=asked.arrived_at)
    return _refine(memory, now)


def _refine(memory: Memory, now: Now) -> Result:
    load = now.load(memory, memory.since)
    objection = now.objection(memory, load)
    if objection is not None:
        spent = objection.reason is Reason.CHANGE_BUDGET_EXHAUSTED
        return memory.on(Event.NOTHING_LEFT) if spent else memory, objection
    assert load is not None
    return _search(memory, now, load)


def _watch(memory: Memory, now: Now) -> Result:
    load = now.load(memory, memory.since, RECENT_S)
    if load is None:
        objection = now.objection(memory, load)
        assert objection is not None
        return memory, objection
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
        return memory.with_point(Point.of(load)), hold(now.shape, answer.reason, answer.message)
    objection = now.objection(memory, load)
    if objection is not None:
        return memory, objection
    return _search(memory.on(Event.ROOM_SEEN), now, load)


BY_PHASE: Mapping[Phase, Callable[[Memory, Now], Result]] = {
    Phase.OBSERVE: _observe,
    Phase.VERIFY: _verify,
    Phase.BACK: _back,
    Phase.REFINE: _refine,
    Phase.HOLD: _watch,
}


def _search(memory: Memory, now: Now, load: Load) -> Result:
    memory = replace(memory.with_point(Point.of(load)), pool_size=load.pool_size)
    answer = next_shape(memory, load, now.limits)
    if isinstance(answer, Proposal):
        asked = Asked(shape=answer.shape, before=Point.of(load), at=load.at, reason=answer.reason, better=answer.better)
        memory = replace(memory.on(Event.CHANGE_ASKED), asked=asked, changes=memory.changes + 1, said=None)
        return memory, change(load, answer.shape, answer.reason, answer.message, answer.expected)
    memory = memory.on(Event.NOTHING_LEFT)
    if isinstance(answer, Refusal) and memory.said is not answer.reason:
        memory = replace(memory, said=answer.reason)
        refusal = hold(now.shape, answer.reason, answer.message)
        return memory, replace(refusal, kind=Kind.REFUSE)
    return memory, hold(now.shape, answer.reason, answer.message)


def _workload_changed(memory: Memory, now: Now, cpu_s: float, wait_s: float, since: float) -> Result:
    known = memory.asked.before if memory.asked is not None else memory.reference
    assert known is not None
    message = (
        f"CPU {wording.milliseconds(known.cpu_s)} → {wording.milliseconds(cpu_s)}, wait "
        f"{wording.milliseconds(known.wait_s)} → {wording.milliseconds(wait_s)} per request: another workload"
    )
    memory = memory.forgetting(since).on(Event.WORKLOAD_CHANGED)
    return memory, hold(now.shape, Reason.WORKLOAD_CHANGED, message)
