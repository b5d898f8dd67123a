"""Is a shape worth a look? The one with the greatest expected improvement over the best that is known, near by."""

import math
from dataclasses import replace

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.tuner.candidates import Candidate
from uwsgi_autopilot.tuner.load import Load
from uwsgi_autopilot.tuner.memory import Memory
from uwsgi_autopilot.tuner.model import Work
from uwsgi_autopilot.tuner.objective import Objective
from uwsgi_autopilot.tuner.worth import affordable, price

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
CHEAPER = 0.15  # ln by which another shape may lower the CPU that a request needs


def worth_a_probe(memory: Memory, load: Load, work: Work, possible: list[Candidate]) -> Candidate | None:
    here = load.shape
    near = [each for each in possible if in_reach(here, each.shape) and affordable(memory, load, work, each)]
    best_known = max([0.0, *(each.gain for each in possible if each.measured)])
    most = most_to_gain(load)
    objective = Objective.of(load)

    def surplus(each: Candidate) -> float:
        worth = WORTH_WORKERS if each.shape.threads == here.threads else WORTH_SWAP
        worth *= 1.0 if objective is Objective.GOODPUT else SOONER_MATTERS_LESS
        worth *= 1.0 + PATIENCE * memory.trials
        hoped = replace(each, gain=min(each.gain, most), error=min(each.error, most))
        return improvement(hoped, best_known + max(0.0, price(here, each.shape))) - worth

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
