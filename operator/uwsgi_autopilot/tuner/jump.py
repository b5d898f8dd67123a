"""Is a shape expected to be clearly better? Then the server is given it, whatever lies between."""

import math

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.tuner.candidates import Candidate, slots_for
from uwsgi_autopilot.tuner.comparison import LEAST_GAIN
from uwsgi_autopilot.tuner.load import Load
from uwsgi_autopilot.tuner.memory import Memory
from uwsgi_autopilot.tuner.worth import could_gain, fewest, price, processes_for_cores

# ln of the gain that a shape must promise that was never measured, and one that was.
LEAST_JUMP = math.log(1.04)
LEAST_STEP = math.log(1.015)
ALTERNATING_JUMP = math.log(1.15)  # while workloads alternate
DOUBTED = 0.5  # standard deviations that a promise must be above that
ABOUT = 0.012  # ln of the gain that the model does not tell apart
ENOUGH_TO_SHRINK = 300  # requests
SPARE = 1.25  # threads that a process can use: SPARE * (1 + wait / CPU)
WORKING = 1.5  # slots, of those with which waits and CPU just fill the cores: too many threads make CPU look dearer


def clearly_better(memory: Memory, load: Load, possible: list[Candidate]) -> Candidate | None:
    several = [each for each in possible if each.measured or each.shape.processes >= fewest(load)]
    most = best(load, several or possible) if load.pressed or could_gain(load) else None
    better = most if most is not None and worth_a_jump(load, most) else None
    known = better is not None and better.measured
    smaller = _as_good_and_much_smaller(load, possible) if not (memory.jumped or known) else None
    return smaller or better


def worth_a_jump(load: Load, found: Candidate) -> bool:
    least = LEAST_STEP if found.measured else LEAST_JUMP + DOUBTED * found.error
    return found.gain - price(load.shape, found.shape) >= least


def worth_an_alternation(load: Load, possible: list[Candidate]) -> bool:
    """Only what this phase cannot do without: what little more it would serve, the next one would lose."""
    most = best(load, possible)
    return most is not None and load.pressed and most.gain >= ALTERNATING_JUMP


def best(load: Load, found: list[Candidate]) -> Candidate | None:
    """With the fewest processes of those that are about as good as the best: a jump is a start, a probe goes on.

    What has served comes before what promises little more: a phase that returns gets its shape in one move.
    """
    most = max(found, key=lambda each: each.gain, default=None)
    if most is None:
        return None
    near = [each for each in found if each.gain >= most.gain - ABOUT]
    doubted = most.gain - ABOUT - DOUBTED * most.error
    near = [each for each in found if each.measured and each.gain >= doubted] or near
    processes = min(each.shape.processes for each in near)
    few = [each for each in near if each.shape.processes == processes]
    return max(few, key=lambda each: each.gain - price(load.shape, each.shape))


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
    return max(smaller, key=lambda each: each.gain - price(load.shape, each.shape), default=None)


def _ample(load: Load) -> Shape:
    """Nothing smaller is asked for: under little load what more of it could use, for load goes and comes back."""
    if load.pressed:
        working = math.ceil(WORKING * load.cores * (1.0 + load.wait_per_cpu))
        filled = max(1, slots_for(load.demand))
        return Shape(1, min(filled, working) if load.cpu_full else filled)
    return Shape(processes_for_cores(load), max(1, math.ceil(SPARE * (1.0 + load.wait_per_cpu))))
