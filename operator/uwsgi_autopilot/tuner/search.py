"""Which shape next: the one that the workload's times call for, then what the measured points leave open.

Every answer is a Proposal, or says why there is none. Whether now is the time is asked elsewhere (guards.py).
"""

import math
from dataclasses import replace

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.report.reasons import Reason
from uwsgi_autopilot.tuner import backend, tried, wording
from uwsgi_autopilot.tuner.fitting import best_fit
from uwsgi_autopilot.tuner.limits import Limits
from uwsgi_autopilot.tuner.load import Load
from uwsgi_autopilot.tuner.memory import Memory, Rejected
from uwsgi_autopilot.tuner.model import PURE_CPU, gain, predict
from uwsgi_autopilot.tuner.point import Point
from uwsgi_autopilot.tuner.proposal import Answer, Hold, Proposal

# Threads beyond 1 + wait/CPU: load is uneven, and an unused slot costs little.
SPARE = 1.25
# Standard deviations of a Poisson number of requests: of a hundred that arrive at random, about one finds no free slot
# (square-root staffing). Clients of a closed loop never fill them.
SURE = 2.33
AS_GOOD = 0.99  # of the best predicted throughput: fewer processes must not cost more
SPARE_IN_POOL = 2  # requests of a process that may wait for its pool
CORES_ROOT = 1.4  # processes = cores + CORES_ROOT * sqrt(cores): with just `cores` a waiting process leaves one idle
WAIT_DOMINATES = 50.0  # wait / CPU from which the number of requests, not the CPU, limits the useful slots
LEAST_JUMP = 1.05  # predicted throughput of a first jump over the present one
LEAST_STEP = 1.08  # of a further one: the model is right within about that
LEVEL_STEP = 0.97  # a much smaller shape may lose this much in the model: measurement decides
MATERIAL = 1.35  # ratio of processes or threads below which two shapes are the same for the model
ENOUGH_TO_SHRINK = 300  # requests


def threads_for(load: Load) -> int:
    """Threads per process that the workload can use, regardless of bounds."""
    if load.wait_per_cpu < PURE_CPU:
        return 1
    threads = math.ceil(SPARE * (1.0 + load.wait_per_cpu))
    return threads if load.pool_size is None else min(threads, load.pool_size + SPARE_IN_POOL)


def slots_for(demand: float) -> int:
    """Slots with which so many requests at once, on average, hardly ever queue."""
    return math.ceil(demand + SURE * math.sqrt(demand))


def aim(load: Load, limits: Limits) -> Shape:
    """The shape that the times of a request call for, within the manifest's bounds.

    Slots beyond what the load fills serve nobody, so none are added. A shape that has them keeps them while nothing is
    exhausted: load goes and comes back.
    """
    wished = threads_for(load)
    most = limits.threads.clamp(wished)
    by_cores = max(1, round(load.cores + CORES_ROOT * math.sqrt(load.cores)))
    if load.pool_size is not None:
        return _behind_pool(load, limits, most, by_cores)
    waits = load.wait_per_cpu > WAIT_DOMINATES
    if not load.pressed and not waits and most >= wished:
        return limits.clamp(Shape(by_cores, most))
    slots = min(slots_for(load.demand), by_cores * wished)
    fewest = max(2 if waits else min(2, by_cores), math.ceil(slots / most))
    processes = fewest if waits else _fewest_as_good(load, limits, slots, range(fewest, max(fewest, by_cores) + 1))
    return _sharing(processes, slots, limits) if load.pressed else limits.clamp(Shape(processes, most))


def _sharing(processes: int, slots: int, limits: Limits) -> Shape:
    """So many slots in so many processes, as far as the bounds allow."""
    processes = limits.processes.clamp(processes)
    return Shape(processes, limits.threads.clamp(math.ceil(slots / processes)))


def _fewest_as_good(load: Load, limits: Limits, slots: int, choices: range) -> int:
    """Processes that share so many slots. Neighbours that use the cores now come and go, and do not count."""
    load = replace(load, foreign_cpu=0.0)
    rates = {each: predict(load, _sharing(each, slots, limits)) for each in choices}
    best = max(rates.values())
    return next(processes for processes, rate in rates.items() if rate >= AS_GOOD * best)


def _behind_pool(load: Load, limits: Limits, threads: int, by_cores: int) -> Shape:
    """Pools scale with the processes: as many as still bring something, the fewest among equals."""
    choices = range(limits.processes.clamp(by_cores), limits.processes.max + 1)
    rates = {processes: predict(load, Shape(processes, threads)) for processes in choices}
    best = max(rates.values())
    return Shape(next(processes for processes, rate in rates.items() if rate >= 0.97 * best), threads)


def next_shape(memory: Memory, load: Load, limits: Limits) -> Answer:
    """The step from the present shape, or why there is none."""
    if (step := _behind_backend(memory, load, limits)) is not None:
        return step
    wanted = aim(load, limits)
    candidate = best_fit(limits, wanted, load, most_threads=threads_for(load))
    if candidate is None or (candidate != wanted and not _worth_it(memory, load, candidate)):
        refusal = limits.why_not(wanted, load)
        if refusal is not None and _worth_it(memory, load, wanted):
            return refusal
        candidate = load.shape
    if (objection := tried.blocking(memory.rejected, candidate, load)) is not None:
        candidate = between(load.shape, candidate)
        # Only what served far too many at once may have been right half way, and that only for the same workload.
        too_far = objection.change is not None and not tried.plateau(objection) and objection.cpu_s is None
        if not too_far or tried.blocking(memory.rejected, candidate, load) or not limits.fits(candidate, load):
            candidate = load.shape
    if not _worth_it(memory, load, candidate):
        return _nothing(load, wanted, objection)
    return Proposal(
        shape=candidate,
        before=Point.of(load),
        at=load.at,
        reason=_reason(memory, load.shape, candidate),
        message=_with_history(wording.proposal(load, candidate, predict(load, candidate)), memory, load, candidate),
        better=gain(load, candidate) >= LEAST_JUMP,
        expected=predict(load, candidate),
    )


def _behind_backend(memory: Memory, load: Load, limits: Limits) -> Proposal | None:
    # While a shape is settled, the wait may grow by itself; it matters whether we cause it only where requests queue.
    if memory.settled and not load.pressed:
        return None
    lower = backend.smaller(memory.points, load)
    if lower is None:
        return None
    shape = limits.clamp(lower)
    if shape == load.shape or not limits.fits(shape, load):
        return None
    if tried.blocking(memory.rejected, shape, load) is not None:
        return None
    quick = min(each.service_s for each in memory.points)
    return Proposal(
        shape=shape,
        before=Point.of(load),
        at=load.at,
        reason=Reason.BACKEND_LIMITED,
        message=_with_history(wording.backend(load, memory.points, shape), memory, load, shape),
        better=False,
        expected=max(load.throughput, shape.slots / max(quick, 1e-4)),
    )


def _worth_it(memory: Memory, load: Load, shape: Shape) -> bool:
    if not differs(load.shape, shape):
        return False
    ratio = gain(load, shape)
    if ratio >= (LEAST_STEP if memory.jumped else LEAST_JUMP) and load.pressed:
        return True
    much_smaller = shape.slots * 2 <= load.shape.slots and shape.processes <= load.shape.processes
    known_well = load.requests >= ENOUGH_TO_SHRINK or load.pressed
    return not memory.jumped and much_smaller and known_well and ratio >= LEVEL_STEP


def differs(one: Shape, other: Shape) -> bool:
    """Far enough apart for the model to tell."""

    def ratio(first: int, second: int) -> float:
        return max(first, second) / min(first, second)

    return max(ratio(one.processes, other.processes), ratio(one.threads, other.threads)) >= MATERIAL


def _with_history(message: str, memory: Memory, load: Load, shape: Shape) -> str:
    history = tried.again(memory.rejected, shape, load)
    return message if history is None else f"{message}; {history}"


def between(one: Shape, other: Shape) -> Shape:
    """The geometric mean."""
    return Shape(
        max(1, round(math.sqrt(one.processes * other.processes))), max(1, round(math.sqrt(one.threads * other.threads)))
    )


def _reason(memory: Memory, here: Shape, there: Shape) -> Reason:
    if not memory.jumped:
        return Reason.FIRST_JUMP
    if there.processes / here.processes >= there.threads / here.threads:
        return Reason.MORE_PROCESSES if there.processes > here.processes else Reason.FEWER_THREADS
    return Reason.MORE_THREADS if there.threads > here.threads else Reason.FEWER_PROCESSES


def _nothing(load: Load, wanted: Shape, objection: Rejected | None) -> Hold:
    here = load.shape
    if objection is not None:
        outcome = (
            "was refused"
            if objection.change is None
            else f"was tried, and changed that by {math.expm1(objection.change):+.0%}"
        )
        message = f"{here} serves {load.throughput:.0f} requests/s; {objection.shape} {outcome}"
        return Hold(settled=True, reason=Reason.SETTLED, message=message)
    if load.cpu_full:
        message = (
            f"{here} uses {load.cores_used:.1f} of {load.cores:.1f} cores at {load.throughput:.0f} requests/s: "
            f"CPU is the limit, not the shape"
        )
        return Hold(settled=True, reason=Reason.CPU_LIMITED, message=message)
    if not load.pressed:
        message = (
            f"{load.in_service:.1f} of {here.slots} slots are busy and {load.queued:.1f} requests queue: "
            f"another shape would gain nothing"
        )
        return Hold(settled=True, reason=Reason.APPLICATION_LIMITED, message=message)
    expected = gain(load, wanted) - 1.0
    message = f"{here} serves {load.throughput:.0f} requests/s; "
    message += f"{wanted} would change that by {expected:+.0%}" if wanted != here else "no other shape promises more"
    return Hold(settled=True, reason=Reason.SETTLED, message=message)
