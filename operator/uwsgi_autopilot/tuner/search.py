"""Which shape next? Candidates, one objective, and three questions; the first that has an answer gives the shape.

  1. Is one expected to be clearly better?  The best of them: a jump.
  2. Is something unknown that would matter?  With far fewer requests at once, does the backend answer sooner?
     Asked first where more of them are known to slow it down.
  3. Is one worth a look?  The one with the greatest expected improvement over the best that is known: a probe.

Every answer is a Proposal, or says why there is none. Whether now is the time is asked elsewhere (guards.py).
"""

import math
from dataclasses import replace

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.report.reasons import Reason
from uwsgi_autopilot.tuner import wording
from uwsgi_autopilot.tuner.candidates import Candidate, candidates, slots_for, surface_of
from uwsgi_autopilot.tuner.comparison import LEAST_GAIN
from uwsgi_autopilot.tuner.holds import alternates, nothing, too_dear
from uwsgi_autopilot.tuner.limits import Limits
from uwsgi_autopilot.tuner.load import Load
from uwsgi_autopilot.tuner.memory import Memory
from uwsgi_autopilot.tuner.model import Work
from uwsgi_autopilot.tuner.objective import Objective
from uwsgi_autopilot.tuner.point import Point
from uwsgi_autopilot.tuner.proposal import Answer, Hold, Proposal, Refusal
from uwsgi_autopilot.tuner.work import APART, slowed_above, unknown_below, work_of

# ln of the gain that a shape must promise that was never measured, and one that was.
LEAST_JUMP = math.log(1.04)
LEAST_STEP = math.log(1.015)
ALTERNATING_JUMP = math.log(1.15)  # while workloads alternate
DOUBTED = 0.5  # standard deviations that a promise must be above that
ABOUT = 0.012  # ln of the gain that the model does not tell apart
# What a factor of e in processes or threads must bring, as ln of the gain: memory, connections, caches.
PROCESS_PRICE = 0.004
THREAD_PRICE = 0.001
AVOIDABLE = 0.04  # share of the time in the pod below which no shape is worth a probe
# Expected improvement (ln) that is worth a probe: more or fewer workers cost a second, another generation two swaps.
WORTH_WORKERS = 0.004
WORTH_SWAP = 0.012
PATIENCE = 0.4  # by how much dearer each trial makes the next one: the best is found first, or not at all
SOONER_MATTERS_LESS = 3.0  # where every shape serves all that comes
# How far a probe may go from the present shape, in processes and in threads. Of another generation less far: the least
# certain shape always looks most worth a look, that is the farthest; what it loses, it loses until two swaps are done.
NEAR = math.log(2.3)
NEAR_SWAP = math.log(1.6)
STEP_SWAP = 2  # or so many: from one or two processes there is no smaller step
BASELINE = 5  # samples of the present shape before a probe: without them nothing can be compared
ENOUGH_TO_SHRINK = 300  # requests
# What a workload can use: processes = cores + CORES_ROOT * sqrt(cores), threads = SPARE * (1 + wait / CPU).
CORES_ROOT = 1.4
SPARE = 1.25
WORKING = 1.5  # slots, of those with which waits and CPU just fill the cores: too many threads make CPU look dearer
BUSY = 0.3  # share of the cores below which, with free slots, there is too little load to learn from
CHEAPER = 0.15  # ln by which another shape may lower the CPU that a request needs
UNKNOWN = 1.0  # ln: what fewer requests at once do nobody can tell
SWAPS_OF_PROBES = 3  # what it took to find that the backend slows down
PROBE_DOWN = 3.0  # by what factor fewer requests at once
PROBE_ON = 2.0  # and where it is known by now that more of them slow the backend down
UNLOCKED = 0.1  # interpreters that the requests keep busy: one process could serve several times as many


def next_shape(memory: Memory, load: Load, limits: Limits) -> Answer:
    work = work_of(load, memory.of_this_workload)
    surface = surface_of(memory, load, work)
    every = candidates(surface, load, work, limits)
    possible = [each for each in every if not memory.forbids(each.shape) and limits.fits(each.shape, load)]
    if memory.alternating and not _worth_an_alternation(load, possible):
        return alternates(load)
    slowed = slowed_above(load, memory.of_this_workload)
    down = _with_fewer_at_once(memory, load, work, limits, by=PROBE_ON if slowed else PROBE_DOWN)
    if down is not None and slowed:
        # The knee may be anywhere below: a model that puts it here would have us try more slots.
        return down
    if (found := _clearly_better(memory, load, possible)) is not None:
        return _proposal(memory, load, found, work) if _affordable(memory, load, work, found) else too_dear(load, found)
    if down is not None:
        return down
    probe = _worth_a_probe(memory, load, work, possible) if could_gain(load) else None
    if probe is not None and load.samples >= BASELINE:
        return _proposal(memory, load, probe, work)
    if probe is not None:
        message = (
            f"{load.shape} has served for {load.samples} s; {BASELINE} s are needed to compare {probe.shape} with it"
        )
        return Hold(reason=Reason.OBSERVING, message=message)
    if load.pressed and (refusal := _forbidden(memory, load, limits, every)) is not None:
        return refusal
    beyond = candidates(surface, load, work, limits.widened()) if load.pressed else []
    return _forbidden(memory, load, limits, beyond) or nothing(load, possible)


def _worth_an_alternation(load: Load, possible: list[Candidate]) -> bool:
    """Only what this phase cannot do without: what little more it would serve, the next one would lose."""
    best = _best(load, possible)
    return best is not None and load.pressed and best.gain >= ALTERNATING_JUMP


def _forbidden(memory: Memory, load: Load, limits: Limits, wished: list[Candidate]) -> Refusal | None:
    """A shape that would be a jump, were it not for a limit, which the agent may know better, or all pods."""
    wish = _best(load, [each for each in wished if memory.limit_of(each.shape) or not memory.forbids(each.shape)])
    if wish is None or not _worth_a_jump(load, wish):
        return None
    refused = memory.limit_of(wish.shape)
    if refused is not None and refused.limit is not None:
        message = f"the agent refused {refused.shape}: {refused.why}"
        if refused.most is not None:
            message = f"{refused.shape} was too much, {refused.most} slots of each pod are not: {refused.why}"
        return Refusal(shape=wish.shape, reason=refused.limit, message=message)
    return limits.why_not(wish.shape, load)


def _price(here: Shape, there: Shape) -> float:
    """What the larger shape has to bring, and the smaller one may lose."""
    processes = PROCESS_PRICE * math.log(there.processes / here.processes)
    return processes + THREAD_PRICE * math.log(there.threads / here.threads)


def could_gain(load: Load) -> bool:
    return load.avoidable >= AVOIDABLE and (load.pressed or load.cores_used >= BUSY * load.cores)


def _best(load: Load, found: list[Candidate]) -> Candidate | None:
    """With the fewest processes of those that are about as good as the best: a jump is a start, a probe goes on.

    What has served comes before what promises little more: a phase that returns gets its shape in one move.
    """
    most = max(found, key=lambda each: each.gain, default=None)
    if most is None:
        return None
    near = [each for each in found if each.gain >= most.gain - ABOUT]
    doubted = most.gain - ABOUT - DOUBTED * most.error
    near = [each for each in found if each.measured and each.gain >= doubted] or near
    fewest = min(each.shape.processes for each in near)
    few = [each for each in near if each.shape.processes == fewest]
    return max(few, key=lambda each: each.gain - _price(load.shape, each.shape))


def _fewest(load: Load) -> int:
    """One process alone is a single point of failure, and its lock hides what the backend could serve."""
    return min(2, _by_cores(load))


def _worth_a_jump(load: Load, found: Candidate) -> bool:
    least = LEAST_STEP if found.measured else LEAST_JUMP + DOUBTED * found.error
    return found.gain - _price(load.shape, found.shape) >= least


def _clearly_better(memory: Memory, load: Load, possible: list[Candidate]) -> Candidate | None:
    several = [each for each in possible if each.measured or each.shape.processes >= _fewest(load)]
    best = _best(load, several or possible) if load.pressed or could_gain(load) else None
    better = best if best is not None and _worth_a_jump(load, best) else None
    known = better is not None and better.measured
    smaller = _as_good_and_much_smaller(load, possible) if not (memory.jumped or known) else None
    return smaller or better


def _as_good_and_much_smaller(load: Load, possible: list[Candidate]) -> Candidate | None:
    if not load.pressed and load.requests < ENOUGH_TO_SHRINK:
        return None
    least = _ample(load)
    smaller = [
        each
        for each in possible
        if each.shape.slots * 2 <= load.shape.slots
        and least.processes <= each.shape.processes <= load.shape.processes
        and each.shape.slots >= least.slots
        and each.gain >= -LEAST_GAIN
    ]
    return max(smaller, key=lambda each: each.gain - _price(load.shape, each.shape), default=None)


def _ample(load: Load) -> Shape:
    """Nothing smaller is asked for: under little load what more of it could use, for load goes and comes back."""
    if load.pressed:
        working = math.ceil(WORKING * load.cores * (1.0 + load.wait_per_cpu))
        filled = max(1, slots_for(load.demand))
        return Shape(1, min(filled, working) if load.cpu_full else filled)
    return Shape(_by_cores(load), max(1, math.ceil(SPARE * (1.0 + load.wait_per_cpu))))


def _by_cores(load: Load) -> int:
    return max(1, round(load.cores + CORES_ROOT * math.sqrt(load.cores)))


def _affordable(memory: Memory, load: Load, work: Work, found: Candidate) -> bool:
    more_swaps = 0 if work.slowdown is None else SWAPS_OF_PROBES
    return memory.affords(swap=found.shape.threads != load.shape.threads, more_swaps=more_swaps)


def _worth_a_probe(memory: Memory, load: Load, work: Work, possible: list[Candidate]) -> Candidate | None:
    here = load.shape
    near = [each for each in possible if in_reach(here, each.shape) and _affordable(memory, load, work, each)]
    best_known = max([0.0, *(each.gain for each in possible if each.measured)])
    most = most_to_gain(load)
    objective = Objective.of(load)

    def surplus(each: Candidate) -> float:
        worth = WORTH_WORKERS if each.shape.threads == here.threads else WORTH_SWAP
        worth *= 1.0 if objective is Objective.GOODPUT else SOONER_MATTERS_LESS
        worth *= 1.0 + PATIENCE * memory.trials
        hoped = replace(each, gain=min(each.gain, most), error=min(each.error, most))
        return improvement(hoped, best_known + max(0.0, _price(here, each.shape))) - worth

    best = max((each for each in near if not each.measured), key=surplus, default=None)
    return best if best is not None and surplus(best) > 0 else None


def most_to_gain(load: Load) -> float:
    """ln: no shape can do more than spare requests all that they neither wait for I/O nor compute.

    Nor use more than all cores, but for the CPU that locks and caches cost: about CHEAPER.
    """
    by_time = -math.log(max(1.0 - load.avoidable, 1e-3))
    used = max(load.cores_used, 1e-3)
    return min(by_time, math.log(max(load.cores_to_have, used) / used) + CHEAPER)


def improvement(found: Candidate, best_known: float) -> float:
    """Expected improvement over the best that is known: of a normal variable, what lies above it."""
    if found.error <= 0:
        return max(0.0, found.gain - best_known)
    z = (found.gain - best_known) / found.error
    density = math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    return found.error * (density + z * 0.5 * (1 + math.erf(z / math.sqrt(2))))


def in_reach(here: Shape, there: Shape) -> bool:
    """Of a probe."""
    if there.threads == here.threads:
        return abs(math.log(there.processes / here.processes)) <= NEAR
    return _by_a_step(here.processes, there.processes) and _by_a_step(here.threads, there.threads)


def _by_a_step(here: int, there: int) -> bool:
    return abs(there - here) <= STEP_SWAP or abs(math.log(there / here)) <= NEAR_SWAP


def _with_fewer_at_once(memory: Memory, load: Load, work: Work, limits: Limits, *, by: float) -> Proposal | None:
    """For a workload that mostly waits and was only ever seen with many requests at once: once, and again if that was
    the better shape and they are still many."""
    if memory.probed or load.cpu_full or not load.closed or not unknown_below(load, memory.of_this_workload, work):
        return None
    slots = max(2, round(load.in_service / by))
    processes = min(load.shape.processes, max(2, round(load.cores)), slots)
    shape = limits.clamp(Shape(processes, max(1, round(slots / processes))))
    # By fewer processes alone where that makes the difference: the way back then takes no import.
    workers = limits.clamp(Shape(math.ceil(slots / load.shape.threads), load.shape.threads))
    enough = workers.processes >= _fewest(load) or load.throughput * work.lock_s < UNLOCKED
    if workers.slots * APART <= load.in_service and enough:
        shape = workers
    if shape.slots >= load.in_service or memory.forbids(shape) or not limits.fits(shape, load):
        return None
    message = wording.probe_down(load, shape)
    return Proposal(
        shape=shape, before=memory.known(Point.of(load, began=memory.since or 0.0)), at=load.at,
        reason=Reason.BACKEND_PROBE, message=message, better=False, expected=load.throughput,
        gain=0.0, doubt=UNKNOWN,
    )  # fmt: skip


def _proposal(memory: Memory, load: Load, found: Candidate, work: Work) -> Proposal:
    expected = load.throughput * math.exp(found.gain)
    if Objective.of(load) is Objective.TIME:
        expected = load.throughput
    slower = work.slowdown is not None and found.shape.slots < load.shape.slots
    reason = Reason.BACKEND_LIMITED if slower and not load.cpu_full else _reason(memory, load.shape, found.shape)
    return Proposal(
        shape=found.shape,
        before=memory.known(Point.of(load, began=memory.since or 0.0)),
        at=load.at,
        reason=reason,
        message=wording.proposal(load, work, found),
        better=_price(load.shape, found.shape) > 0,
        expected=expected,
        gain=found.gain,
        doubt=found.error,
    )


def _reason(memory: Memory, here: Shape, there: Shape) -> Reason:
    if not memory.jumped:
        return Reason.FIRST_JUMP
    if there.processes / here.processes >= there.threads / here.threads:
        return Reason.MORE_PROCESSES if there.processes > here.processes else Reason.FEWER_THREADS
    return Reason.MORE_THREADS if there.threads > here.threads else Reason.FEWER_PROCESSES
