"""The shapes that could be next, and what is expected of each: gain and uncertainty. One list, one place to add to."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.tuner.arrivals import in_each_others_way_s
from uwsgi_autopilot.tuner.limits import Limits
from uwsgi_autopilot.tuner.load import Load
from uwsgi_autopilot.tuner.memory import Memory
from uwsgi_autopilot.tuner.model import Work, throughput
from uwsgi_autopilot.tuner.objective import Objective
from uwsgi_autopilot.tuner.point import Point
from uwsgi_autopilot.tuner.surface import Measured, Surface
from uwsgi_autopilot.tuner.work import inside_of

# Standard deviations of a Poisson number of requests: of a hundred that arrive at random, about one finds no free slot
# (square-root staffing). Clients of a closed loop never fill them.
SURE = 2.33
STEPS = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128)
# Points of a workload that resembles this one count with an error of so much for each factor of e between them, in CPU
# or wait per request or requests in the pod; beyond UNLIKE they do not count.
UNLIKENESS = 0.3
UNLIKE = math.log(1.6)
AGING = 0.02  # what a machine changes by itself in AGING_S, as a standard deviation of ln(throughput)
AGING_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """gain: ln of the objective over that of the present shape. error: its standard deviation. measured: it served."""

    shape: Shape
    gain: float
    error: float
    measured: bool


def slots_for(demand: float) -> int:
    """Slots with which so many requests at once, on average, hardly ever queue."""
    return math.ceil(demand + SURE * math.sqrt(demand))


def candidates(surface: Surface, load: Load, work: Work, limits: Limits) -> list[Candidate]:
    """Every shape within the bounds whose slots the load can fill, the present one left out."""
    served = {each.shape for each in surface.measured}
    found = []
    for shape in shapes(load, work, limits):
        expected = surface.expected(shape)
        found.append(Candidate(shape=shape, gain=expected.gain, error=expected.error, measured=shape in served))
    return found


def shapes(load: Load, work: Work, limits: Limits) -> Iterator[Shape]:
    here = load.shape
    needed = max(slots_for(load.demand), 1)
    for processes in _within(limits.processes.min, limits.processes.max, here.processes):
        most = max(1, math.ceil(needed / processes))
        if work.pool is not None:
            most = min(most, work.pool + 2)
        most = max(limits.threads.min, min(limits.threads.max, most))
        # Those that serve now need no second generation; behind a pool they would only wait.
        also = most if work.pool is not None else here.threads
        for threads in _within(limits.threads.min, most, also):
            shape = Shape(processes, threads)
            larger = processes > here.processes and threads > here.threads
            if shape != here and not (larger and shape.slots > 1.5 * needed):
                yield shape


def _within(least: int, most: int, also: int) -> list[int]:
    return sorted({each for each in (*STEPS, least, most, also) if least <= each <= max(most, also)})


def surface_of(memory: Memory, load: Load, work: Work) -> Surface:
    """What is known of this workload, in units of what counts under this load."""
    objective = Objective.of(load)

    def alone(shape: Shape, inside: float) -> float:
        """ln of what counts, if requests came when there is room for them."""
        rate = math.log(max(throughput(replace(work, inside=inside), shape), 1e-6))
        return rate if objective is Objective.GOODPUT else rate - math.log(inside)

    def crowded(shape: Shape, inside: float, rate: float) -> float:
        """ln: by how much longer a request is in the pod because others came at the same time."""
        if objective is Objective.GOODPUT:
            return 0.0
        return math.log1p(in_each_others_way_s(work, shape, rate) * math.exp(alone(shape, inside)))

    def value(shape: Shape, inside: float, rate: float) -> float:
        return alone(shape, inside) - crowded(shape, inside, rate)

    measured = []
    for each in memory.points:
        cpu, rest = _unlikeness(each, load, memory)
        if max(cpu, rest) > UNLIKE:
            continue
        aging = AGING * math.sqrt(abs(load.at - each.at) / AGING_S)
        error = math.hypot(objective.error(each), UNLIKENESS * rest, aging)
        # It would have done otherwise with as many requests in the pod as now: what counts is what the model missed.
        missed = objective.reached(each) - value(each.shape, inside_of(each), each.throughput)
        measured.append(Measured(shape=each.shape, missed=missed, error=error, common=UNLIKENESS * cpu))
    return Surface(
        load.shape,
        measured,
        lambda shape: value(shape, work.inside, load.throughput),
        lambda shape: crowded(shape, work.inside, load.throughput),
    )


def _unlikeness(point: Point, load: Load, memory: Memory) -> tuple[float, float]:
    """How much the point's workload and load differ from the present ones, in CPU per request, which all of its points
    feel alike, and in the rest; 0.0: not at all."""
    rest = abs(math.log(max(point.demand, 0.1) / max(load.demand, 0.1)))
    if memory.workload_since is None or point.at >= memory.workload_since:
        return 0.0, rest
    soft = 0.1 * load.service_s
    wait = abs(math.log((point.wait_s + soft) / (load.wait_s + soft)))
    return abs(math.log((point.cpu_s + 1e-5) / (load.cpu_s + 1e-5))), max(rest, wait)
