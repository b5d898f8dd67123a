"""How busy a pod is, compared with what its best shape serves: for whoever decides how many pods there are.

1.0: as busy as the best shape of a pod can be. Not compared with the present shape: one that is badly tuned is full
while another would have room, and more pods are not what it needs. Where the tuner has found nothing better for what
queues, or may change nothing, the present shape is the best that there is.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from uwsgi_autopilot.api.sample import Sample
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.tuner.candidates import STEPS
from uwsgi_autopilot.tuner.limits import Limits
from uwsgi_autopilot.tuner.load import Load
from uwsgi_autopilot.tuner.memory import Memory
from uwsgi_autopilot.tuner.model import Work, throughput
from uwsgi_autopilot.tuner.objective import Objective
from uwsgi_autopilot.tuner.work import work_of

# Within how many seconds requests that wait are to be answered as well: about as long as another pod takes to come.
BACKLOG_S = 10.0
# Of samples, where there are too few requests to estimate a load from.
RECENT_S, LEAST_S = 10.0, 5.0
# There, more requests than slots: for how long those will wait nobody can tell.
WAITING = 1.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """What a pod can do at best with this workload. rate: requests a second. room: slots that it can have; stuck: those
    that it has."""

    work: Work
    shape: Shape
    rate: float
    room: int
    stuck: bool


def best_of(memory: Memory, load: Load, limits: Limits, *, changeable: bool) -> Best:
    """changeable: the tuner may change the shape."""
    work = work_of(load, memory.of_this_workload)
    stuck = not changeable or (memory.settled and load.queued >= 1.0)
    shapes = [load.shape] if stuck else [load.shape, *_possible(memory, load, limits)]
    rates = {shape: _full(work, shape) for shape in shapes}
    shape = max(shapes, key=lambda each: (rates[each], -each.slots))
    room = max(each.slots for each in shapes)
    return Best(work=work, shape=shape, rate=max(rates[shape], 1e-3), room=room, stuck=stuck)


def _possible(memory: Memory, load: Load, limits: Limits) -> Iterator[Shape]:
    for processes in _within(limits.processes.min, limits.processes.max):
        for threads in _within(limits.threads.min, limits.threads.max):
            shape = Shape(processes, threads)
            if not memory.forbids(shape) and limits.fits(shape, load):
                yield shape


def _within(least: int, most: int) -> list[int]:
    return sorted({each for each in (*STEPS, least, most) if least <= each <= most})


def _full(work: Work, shape: Shape) -> float:
    """What it serves with all of its slots busy."""
    return throughput(replace(work, inside=float(shape.slots)), shape)


def saturation(load: Load, best: Best) -> float:
    """Requests a second that come / those that the best shape serves, and a tenth for each second that it would take to
    answer those that wait although they had its slots."""
    busy = load.in_service if best.stuck else load.demand
    share = max(_coming(load, best) / best.rate, min(1.0, busy / best.room))
    waiting = max(0.0, load.inside - best.shape.slots)
    return share + waiting / (best.rate * BACKLOG_S)


def _coming(load: Load, best: Best) -> float:
    answered = load.throughput / max(1.0 - load.error_share, 0.01)
    if load.overrun:
        return answered + load.queue_growth
    if Objective.of(load) is Objective.TIME:
        return answered
    # Clients that wait for their answers send as many as they get: what would the best shape give them?
    return throughput(replace(best.work, inside=max(1.0, load.demand)), best.shape)


def of_few(samples: Sequence[Sample], limits: Limits, *, changeable: bool) -> float | None:
    """Where there are too few requests for a model, none included, or the shape is changing: the greater share of its
    slots and of its cores that is in use. None where the pod was seen for too short a time."""
    newest = samples[-1].at if samples else 0.0
    recent = [each for each in samples if each.at > newest - RECENT_S]
    seconds = sum(each.seconds for each in recent)
    if seconds < LEAST_S - 0.5:
        return None
    inside = sum(each.inside * each.seconds for each in recent) / seconds
    cores = sum(each.cpu_s for each in recent) / seconds
    room = _most_slots(limits) if changeable else recent[-1].shape.slots
    return max(min(inside / room, WAITING), cores / max(recent[-1].cores, 0.05))


def _most_slots(limits: Limits) -> int:
    known = [limits.processes.max * limits.threads.max]
    known += [limits.max_slots] if limits.max_slots is not None else []
    if limits.max_connections is not None and limits.connections_per_process is None:
        known.append(limits.max_connections)
    return min(known)
