"""The shape that serves most where the wanted one does not fit: what is lost is shared by processes and threads.

To drop processes alone is not enough: with 24 connections, one for each thread, not one process of `2x42` has room, but
`2x11` has, beside the two threads that serve meanwhile.
"""

import math
from collections.abc import Iterator

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.tuner.limits import Limits
from uwsgi_autopilot.tuner.load import Load
from uwsgi_autopilot.tuner.model import predict

# Of the best predicted throughput. The model does not know it better, so the processes that were wanted count more.
NEARLY = 0.95


def best_fit(limits: Limits, wanted: Shape, load: Load, *, most_threads: int) -> Shape | None:
    """`wanted` if it fits, else the best of what does, by the model; None: nothing does.

    most_threads: what one process can use. The processes that are left may take over the slots of the others.
    """
    wanted = limits.clamp(wanted)
    if limits.fits(wanted, load):
        return wanted
    fitting = [shape for shape in _nearer(limits, wanted, load, most_threads) if limits.fits(shape, load)]
    if wanted.slots > load.shape.slots >= max((shape.slots for shape in fitting), default=0):
        fitting += [shape for shape in _more_of_the_same(limits, wanted, load) if limits.fits(shape, load)]
    if not fitting:
        return None
    rates = {shape: predict(load, shape) for shape in fitting}
    best = max(rates.values())
    return next(shape for shape in fitting if rates[shape] >= NEARLY * best)


def _nearer(limits: Limits, wanted: Shape, load: Load, most_threads: int) -> Iterator[Shape]:
    """For each number of processes, most first: the most threads that fit, and those that serve now."""
    here = load.shape
    most = max(wanted.threads, limits.threads.clamp(most_threads))
    for processes in range(wanted.processes, limits.processes.min - 1, -1):
        useful = limits.threads.clamp(min(most, math.ceil(wanted.slots / processes)))
        choices = (Shape(processes, threads) for threads in range(useful, limits.threads.min - 1, -1))
        fitting = next((shape for shape in choices if shape.threads != here.threads and limits.fits(shape, load)), None)
        if fitting is not None:
            yield fitting
        # These need no second generation, so they may fit where no others do.
        yield Shape(processes, here.threads)


def _more_of_the_same(limits: Limits, wanted: Shape, load: Load) -> Iterator[Shape]:
    """Where there is no room for a second generation that is larger: more processes in the one that serves."""
    threads = load.shape.threads
    most = limits.processes.clamp(math.ceil(wanted.slots / threads))
    return (Shape(processes, threads) for processes in range(most, wanted.processes, -1))
