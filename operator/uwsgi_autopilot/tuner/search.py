"""What shape next: the one that the workload's times ask for, then what the measured points still leave open.

Every answer is a Proposal, or why there is none. Whether now is the time to change is asked elsewhere (guards.py).
"""

import math

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.report.reasons import Reason
from uwsgi_autopilot.tuner import backend, wording
from uwsgi_autopilot.tuner.limits import Limits
from uwsgi_autopilot.tuner.load import Load
from uwsgi_autopilot.tuner.memory import Memory, Rejected
from uwsgi_autopilot.tuner.model import PURE_CPU, gain, predict
from uwsgi_autopilot.tuner.point import Point
from uwsgi_autopilot.tuner.proposal import Answer, Hold, Proposal

# Threads beyond 1 + wait/CPU: the load is not even, and a slot that cannot be filled costs little.
SPARE = 1.25
SPARE_IN_POOL = 2  # requests of a process that may stand ready for its pool
CORES_ROOT = 1.4  # processes = cores + CORES_ROOT * sqrt(cores): with just `cores` a waiting process leaves one idle
WAIT_DOMINATES = 50.0  # wait / CPU from which the number of requests, not the CPU, says how many slots are of use
LEAST_JUMP = 1.05  # predicted throughput of a first jump over the present one
LEAST_STEP = 1.08  # of a further one: the model is right within about that
LEVEL_STEP = 0.97  # a much smaller shape may lose so much in the model, which measurement then judges
MATERIAL = 1.35  # neither processes nor threads differ by more: the same shape for the model
WORSE = 0.1  # ln of the loss of a trial that was clearly worse, not merely no better
ENOUGH_TO_SHRINK = 300  # requests


def threads_for(load: Load) -> int:
    """Threads per process that the workload can use, whatever the bounds are."""
    if load.wait_per_cpu < PURE_CPU:
        return 1
    threads = math.ceil(SPARE * (1.0 + load.wait_per_cpu))
    return threads if load.pool_size is None else min(threads, load.pool_size + SPARE_IN_POOL)


def aim(load: Load, limits: Limits) -> Shape:
    """The shape that the times of a request ask for, within the bounds of the manifest."""
    wished = threads_for(load)
    threads = limits.threads.clamp(wished)
    by_cores = max(1, round(load.cores + CORES_ROOT * math.sqrt(load.cores)))
    if load.pool_size is not None:
        return _behind_pool(load, limits, threads, by_cores)
    useful = by_cores * wished
    if load.wait_per_cpu > WAIT_DOMINATES:
        slots = min(math.ceil(SPARE * load.demand), useful)
        return limits.clamp(Shape(max(2, math.ceil(slots / threads)), threads))
    if threads < wished:
        slots = min(math.ceil(SPARE * load.demand), useful)
        return limits.clamp(Shape(max(by_cores, math.ceil(slots / threads)), threads))
    return limits.clamp(Shape(by_cores, threads))


def _behind_pool(load: Load, limits: Limits, threads: int, by_cores: int) -> Shape:
    """A pool per process scales with the processes: as many as still bring something, the fewest of equals."""
    choices = range(limits.processes.clamp(by_cores), limits.processes.max + 1)
    rates = {processes: predict(load, Shape(processes, threads)) for processes in choices}
    best = max(rates.values())
    return Shape(next(processes for processes, rate in rates.items() if rate >= 0.97 * best), threads)


def next_shape(memory: Memory, load: Load, limits: Limits) -> Answer:
    """The step from the present shape, or why there is none."""
    if (step := _behind_backend(memory, load, limits)) is not None:
        return step
    wanted = aim(load, limits)
    candidate = limits.fit(wanted, load)
    if candidate is None or (candidate != wanted and not _worth_it(memory, load, candidate)):
        refusal = limits.why_not(wanted, load)
        if refusal is not None and _worth_it(memory, load, wanted):
            return refusal
        candidate = load.shape
    if (objection := blocking(memory.rejected, candidate, load)) is not None:
        candidate = between(load.shape, candidate)
        # Where the far shape did about as well, the near one will too: a plateau, and the smaller end of it is here.
        plateau = objection.change is None or objection.change > -WORSE
        if plateau or blocking(memory.rejected, candidate, load) or not limits.fits(candidate, load):
            candidate = load.shape
    if not _worth_it(memory, load, candidate):
        return _nothing(load, wanted, objection)
    return Proposal(
        shape=candidate,
        before=Point.of(load),
        at=load.at,
        reason=_reason(memory, load.shape, candidate),
        message=wording.proposal(load, candidate, predict(load, candidate)),
        better=gain(load, candidate) >= LEAST_JUMP,
        expected=predict(load, candidate),
    )


def _behind_backend(memory: Memory, load: Load, limits: Limits) -> Proposal | None:
    # In a settled shape the wait may grow by itself: only where requests queue is it worth asking whether we cause it.
    if memory.settled and not load.pressed:
        return None
    lower = backend.smaller(memory.points, load)
    if lower is None:
        return None
    shape = limits.clamp(lower)
    if shape == load.shape or blocking(memory.rejected, shape, load) is not None:
        return None
    quick = min(each.service_s for each in memory.points)
    return Proposal(
        shape=shape,
        before=Point.of(load),
        at=load.at,
        reason=Reason.BACKEND_LIMITED,
        message=wording.backend(load, memory.points, shape),
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
    """By so much that the model can tell them apart."""

    def ratio(first: int, second: int) -> float:
        return max(first, second) / min(first, second)

    return max(ratio(one.processes, other.processes), ratio(one.threads, other.threads)) >= MATERIAL


def blocking(rejected: tuple[Rejected, ...], shape: Shape, load: Load) -> Rejected | None:
    """The trial that speaks against `shape`: one that went about as far, in vain, at no less than half this load."""
    for each in rejected:
        if load.demand >= 2.0 * each.demand:
            continue
        processes, threads = shape.processes / each.shape.processes, shape.threads / each.shape.threads
        if each.up and processes >= 0.7 and threads >= 0.7 and shape.slots > load.shape.slots:
            return each
        if not each.up and processes <= 1.4 and threads <= 1.4 and shape.slots <= load.shape.slots:
            return each
    return None


def between(one: Shape, other: Shape) -> Shape:
    """Half way, as ratios go."""
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
            f"the CPU is the limit, not the shape"
        )
        return Hold(settled=True, reason=Reason.CPU_LIMITED, message=message)
    if not load.pressed:
        message = (
            f"{load.in_service:.1f} of {here.slots} slots are busy and {load.queued:.1f} requests wait: "
            f"nothing to gain from another shape"
        )
        return Hold(settled=True, reason=Reason.APPLICATION_LIMITED, message=message)
    expected = gain(load, wanted) - 1.0
    message = f"{here} serves {load.throughput:.0f} requests/s; "
    message += f"{wanted} would change that by {expected:+.0%}" if wanted != here else "no other shape promises more"
    return Hold(settled=True, reason=Reason.SETTLED, message=message)
