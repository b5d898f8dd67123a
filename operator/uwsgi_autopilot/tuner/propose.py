"""Is another shape worth a trial? Samples and memory in, one answer and the new memory out.

    searching ─(nothing better is known)─► settled ─(the load has grown into a limit of the shape,
        ▲                                     │      or has eased to what arrivals limit)─► searching
        └──────── another workload ◄──────────┘

Where requests that do not end hold all slots, nothing can be estimated: then room is made for all of them (held.py).
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
from uwsgi_autopilot.tuner.guards import GUARDS_OF_HELD, Situation, first_objection
from uwsgi_autopilot.tuner.held import held_slots, more_slots
from uwsgi_autopilot.tuner.holds import nothing
from uwsgi_autopilot.tuner.limits import Limits
from uwsgi_autopilot.tuner.load import FEWEST_SAMPLES, WINDOW_S, Load, load_of
from uwsgi_autopilot.tuner.memory import Memory
from uwsgi_autopilot.tuner.point import Point
from uwsgi_autopilot.tuner.proposal import Answer, Hold, Proposal, Refusal
from uwsgi_autopilot.tuner.search import next_shape
from uwsgi_autopilot.tuner.worth import could_gain

RECENT_S = 6.0  # window in which a settled shape is watched
FEWEST_KNOWN = 2  # samples that tell a load that has grown, where its waits and CPU per request are known
UNSURE = 4  # newest samples that do not count for what is remembered of a settled shape
REFERENCE = 4  # samples with which a search remembers how the workload behaves
GROWN = 1.5  # ratio of requests in the pod from which a settled shape is looked at again, up or down


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
    if (held := held_slots(samples, limits, since=_since(memory))) is not None:
        return _make_room(memory, samples, held, limits)
    return _watch(memory, samples, limits) if memory.settled else _search(memory, samples, limits)


def recommend(memory: Memory, samples: Sequence[Sample], limits: Limits) -> Proposed:
    """Mode Recommend: what would be tried now, first as a Proposal, then as a Hold. No trial is counted.

    Its figures are the model's, for the present load: nobody has tried the shape.
    """
    proposed = propose(memory, samples, limits)
    would = proposed.answer
    if not isinstance(would, Proposal):
        return proposed
    known = replace(proposed.memory, settled=True, swaps=memory.swaps, trials=memory.trials, probed=memory.probed)
    if known.recommended != would.shape:
        return Proposed(memory=replace(known, recommended=would.shape), answer=would)
    message = f"{known.recommended} is recommended: {would.message}"
    return Proposed(memory=known, answer=Hold(reason=Reason.RECOMMENDED, message=message, settled=True))


def _search(memory: Memory, samples: Sequence[Sample], limits: Limits) -> Proposed:
    load = _load(memory, samples, limits, WINDOW_S)
    objection = first_objection(Situation(memory=memory, samples=samples, load=load))
    if objection is not None:
        return Proposed(memory=memory, answer=objection)
    assert load is not None
    if memory.reference is None:
        memory = replace(memory, reference=Point.of(load) if load.samples >= REFERENCE else None)
    elif (found := drift(samples, memory.reference, since=_since(memory))) is not None:
        return _another_workload(memory, memory.reference, found, since=found.since)
    return _next(memory, load, limits)


def _watch(memory: Memory, samples: Sequence[Sample], limits: Limits) -> Proposed:
    """Nothing better is known: has the workload changed, or has the load grown into a limit of the shape?"""
    load = _load(memory, samples, limits, RECENT_S, fewest=FEWEST_KNOWN)
    if load is None:
        objection = first_objection(Situation(memory=memory, samples=samples, load=load))
        return Proposed(memory=memory, answer=objection or nothing(None))
    reference = memory.reference or Point.of(load)
    if (found := drift(samples, reference, since=_since(memory))) is not None:
        return _another_workload(memory, reference, found, since=found.since)
    grown = load.pressed and load.demand >= GROWN * reference.demand
    # At capacity the shape that serves most was looked for; where arrivals limit it, the one that serves them sooner.
    eased = reference.closed and not load.closed and load.demand * GROWN <= reference.demand and could_gain(load)
    if memory.reference is not None or load.at - _since(memory) >= RECENT_S:
        # The first seconds after a change may be slow ones: what comes after them would look like another workload.
        memory = replace(memory, reference=reference)
    free = memory.said is Reason.CHANGE_BUDGET_EXHAUSTED and memory.affords(swap=True)
    lasts = memory.said is Reason.WORKLOADS_ALTERNATE and not memory.alternating
    if not (grown or eased or free or lasts):
        # What the newest seconds show may already be another workload, which takes some of them to be noticed.
        sure = _load(memory, samples[:-UNSURE], limits, WINDOW_S)
        memory = memory if sure is None else memory.with_point(sure)
        if memory.limit is not None and memory.said is not None and load.pressed:
            return Proposed(memory=memory, answer=Hold(reason=memory.said, message=memory.limit, settled=True))
        return Proposed(memory=memory, answer=nothing(load))
    objection = first_objection(Situation(memory=memory, samples=samples, load=load))
    if objection is not None:
        return Proposed(memory=memory, answer=objection)
    memory = replace(memory, settled=False)
    if eased:
        memory = replace(memory, reference=None)
    if grown:
        # The same requests, more of them at once: what was spent was spent for another load. What all pods share may
        # bear more by now; and there may be fewer pods.
        refused = tuple(each for each in memory.refused if each.most is None)
        memory = replace(memory, swaps=0, trials=0, reference=None, refused=refused)
    return _next(memory, load, limits)


def _make_room(memory: Memory, samples: Sequence[Sample], held: Load, limits: Limits) -> Proposed:
    """Nothing can be estimated while the slots are held by requests that do not end, and all others queue."""
    objection = first_objection(Situation(memory=memory, samples=samples, load=held), GUARDS_OF_HELD)
    answer = objection or more_slots(memory, held, limits)
    if isinstance(answer, Proposal):
        return _proposed(memory, held, answer)
    if isinstance(answer, Refusal):
        answer, memory = replace(answer, first=memory.said is not answer.reason), replace(memory, said=answer.reason)
    return Proposed(memory=memory, answer=answer)


def _next(memory: Memory, load: Load, limits: Limits) -> Proposed:
    memory = replace(memory.with_point(load), pool_size=load.pool_size)
    answer = next_shape(memory, load, limits)
    if isinstance(answer, Proposal):
        return _proposed(memory, load, answer)
    if isinstance(answer, Hold) and not answer.settled:
        return Proposed(memory=memory, answer=answer)
    limit = None
    if isinstance(answer, Refusal):
        answer, limit = replace(answer, first=memory.said is not answer.reason), answer.message
    return Proposed(memory=replace(memory, settled=True, said=answer.reason, limit=limit), answer=answer)


def _proposed(memory: Memory, load: Load, answer: Proposal) -> Proposed:
    swaps = int(answer.shape.threads != load.shape.threads)
    memory = replace(memory.spent(swaps=swaps, trials=1), settled=False, said=None, limit=None)
    if answer.reason is Reason.BACKEND_PROBE:
        memory = replace(memory, probed=True)
    return Proposed(memory=memory, answer=answer)


def _another_workload(memory: Memory, known: Point, found: Drift, *, since: float) -> Proposed:
    message = wording.another_workload(known, cpu_s=found.cpu_s, wait_s=found.wait_s)
    hold = Hold(reason=Reason.WORKLOAD_CHANGED, message=message)
    return Proposed(memory=memory.another_workload(since), answer=hold)


def _load(
    memory: Memory, samples: Sequence[Sample], limits: Limits, seconds: float, fewest: int = FEWEST_SAMPLES
) -> Load | None:
    return load_of(
        samples, since=_since(memory), seconds=seconds, cores=limits.cores, least_pool=memory.pool_size, fewest=fewest
    )


def _since(memory: Memory) -> float:
    return -math.inf if memory.since is None else memory.since
