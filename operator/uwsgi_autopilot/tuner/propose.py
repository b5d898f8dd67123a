"""Is another shape worth a trial? Samples and memory in, one answer and the new memory out.

    searching ─(nothing better is known)─► settled ─(the load has grown into a limit of the shape)─► searching
        ▲                                     │
        └──────── another workload ◄──────────┘

Asked once for each new sample while no change is pending. A proposed shape is pending until `judge` (judge.py) has
decided, or the fleet reports what became of it (outcome.py).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from uwsgi_autopilot.api.sample import Sample
from uwsgi_autopilot.report.reasons import Reason
from uwsgi_autopilot.tuner import wording
from uwsgi_autopilot.tuner.drift import Drift, drift
from uwsgi_autopilot.tuner.guards import Situation, first_objection
from uwsgi_autopilot.tuner.limits import Limits
from uwsgi_autopilot.tuner.load import WINDOW_S, Load, load_of
from uwsgi_autopilot.tuner.memory import Memory
from uwsgi_autopilot.tuner.point import Point
from uwsgi_autopilot.tuner.proposal import Answer, Hold, Proposal, Refusal
from uwsgi_autopilot.tuner.search import differs, next_shape

RECENT_S = 6.0  # window in which a settled shape is watched


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    memory: Memory
    answer: Answer


def propose(memory: Memory, samples: Sequence[Sample], limits: Limits) -> Proposed:
    """`samples`: one pod's last two minutes, oldest first; may be empty, unsettled or have gaps."""
    if not samples:
        return Proposed(memory=memory, answer=Hold(reason=Reason.NO_READINGS, message="nothing has been measured yet"))
    memory = memory.seen(samples[-1].at)
    if memory.returned_to is not None and _load(memory, samples, limits, WINDOW_S) is not None:
        before, memory = memory.returned_to, replace(memory, returned_to=None)
        if (found := drift(samples, before, since=_since(memory))) is not None:
            return _another_workload(memory, before, found, since=_since(memory))
    return _watch(memory, samples, limits) if memory.settled else _search(memory, samples, limits)


def recommend(memory: Memory, samples: Sequence[Sample], limits: Limits) -> Proposed:
    """Mode Recommend: what would be tried now, first as a Proposal, then as a Hold. No trial is counted.

    Its figures are the model's, for the present load: nobody has tried the shape.
    """
    proposed = propose(memory, samples, limits)
    would = proposed.answer
    if not isinstance(would, Proposal):
        return proposed
    known = replace(proposed.memory, settled=True, changes=memory.changes)
    if known.recommended is None or differs(known.recommended, would.shape):
        return Proposed(memory=replace(known, recommended=would.shape), answer=would)
    message = f"{known.recommended} is recommended: {would.message}"
    return Proposed(memory=known, answer=Hold(reason=Reason.RECOMMENDED, message=message, settled=True))


def _search(memory: Memory, samples: Sequence[Sample], limits: Limits) -> Proposed:
    load = _load(memory, samples, limits, WINDOW_S)
    objection = first_objection(Situation(memory=memory, samples=samples, load=load))
    if objection is not None:
        spent = objection.reason is Reason.CHANGE_BUDGET_EXHAUSTED
        return Proposed(memory=replace(memory, settled=spent), answer=replace(objection, settled=spent))
    assert load is not None
    return _next(memory, load, limits)


def _watch(memory: Memory, samples: Sequence[Sample], limits: Limits) -> Proposed:
    """Nothing better is known: has the workload changed, or has the load grown into a limit of the shape?"""
    load = _load(memory, samples, limits, RECENT_S)
    if load is not None:
        reference = memory.reference or Point.of(load)
        if (found := drift(samples, reference, since=_since(memory))) is not None:
            return _another_workload(memory, reference, found, since=found.since)
        if load.pressed and load.demand >= 2.0 * reference.demand:
            memory = replace(memory, changes=0)
            reference = replace(reference, demand=load.demand)
        if memory.reference is not None or load.at - _since(memory) >= RECENT_S:
            # The first seconds after a change may be slow ones: what comes after them would look like another workload.
            memory = replace(memory, reference=reference)
        answer = next_shape(memory, load, limits)
        if isinstance(answer, Hold):
            # Waits seen under little load tell later whether it is load that makes them long.
            return Proposed(memory=memory.with_point(Point.of(load)), answer=answer)
    objection = first_objection(Situation(memory=memory, samples=samples, load=load))
    if objection is not None:
        return Proposed(memory=memory, answer=objection)
    assert load is not None
    return _next(replace(memory, settled=False), load, limits)


def _next(memory: Memory, load: Load, limits: Limits) -> Proposed:
    memory = replace(memory.with_point(Point.of(load)), pool_size=load.pool_size)
    answer = next_shape(memory, load, limits)
    if isinstance(answer, Proposal):
        return Proposed(memory=replace(memory, settled=False, changes=memory.changes + 1, said=None), answer=answer)
    memory = replace(memory, settled=True)
    if isinstance(answer, Refusal):
        answer = replace(answer, first=memory.said is not answer.reason)
        memory = replace(memory, said=answer.reason)
    return Proposed(memory=memory, answer=answer)


def _another_workload(memory: Memory, known: Point, found: Drift, *, since: float) -> Proposed:
    message = wording.another_workload(known, cpu_s=found.cpu_s, wait_s=found.wait_s)
    return Proposed(memory=memory.reset(since, known), answer=Hold(reason=Reason.WORKLOAD_CHANGED, message=message))


def _load(memory: Memory, samples: Sequence[Sample], limits: Limits, seconds: float) -> Load | None:
    return load_of(samples, since=_since(memory), seconds=seconds, cores=limits.cores, least_pool=memory.pool_size)


def _since(memory: Memory) -> float:
    return -math.inf if memory.since is None else memory.since
