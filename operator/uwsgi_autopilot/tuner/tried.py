"""Shapes that were tried in vain: what speaks against trying one of them again, or one like it, and what for it.

A failed trial holds until twice the load comes. Beyond a change of the workload it holds until the requests wait or
compute twice or half as long: a smaller change, or a noisy minute, raises the alarm of drift.py, but calls for nothing
that was not known when the shape failed.
"""

import math
from collections.abc import Sequence

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.tuner import wording
from uwsgi_autopilot.tuner.drift import log_ratio
from uwsgi_autopilot.tuner.load import Load
from uwsgi_autopilot.tuner.memory import Rejected

LOAD_GREW = 2.0
OTHER_KIND = math.log(2.0)  # of CPU or wait per request
WORSE = 0.1  # ln of the loss from which a trial was clearly worse, not merely no better


def blocking(rejected: Sequence[Rejected], shape: Shape, load: Load) -> Rejected | None:
    """The trial that speaks against `shape`."""
    return next((each for each in rejected if _went_there(each, shape, load) and _changed(each, load) is None), None)


def again(rejected: Sequence[Rejected], shape: Shape, load: Load) -> str | None:
    """For the proposal of a shape that was tried in vain before: what has changed since. None: it was not."""
    for each in reversed(rejected):
        if _went_there(each, shape, load) and (changed := _changed(each, load)) is not None:
            return wording.tried_again(each, changed, now=load.at)
    return None


def plateau(tried: Rejected) -> bool:
    """It did about as well as the shape before. A shape between the two will, too."""
    return tried.change is not None and tried.change > -WORSE


def _went_there(tried: Rejected, shape: Shape, load: Load) -> bool:
    """Is `shape` about as far as this trial went, or a part of the same way that is known to lead nowhere?"""
    here = load.shape
    if tried.up is not (shape.slots > here.slots):
        return False
    if tried.change is not None and (plateau(tried) or not tried.up) and _on_the_way(here, shape, tried.shape):
        return True
    processes, threads = shape.processes / tried.shape.processes, shape.threads / tried.shape.threads
    return processes >= 0.7 and threads >= 0.7 if tried.up else processes <= 1.4 and threads <= 1.4


def _on_the_way(here: Shape, shape: Shape, there: Shape) -> bool:
    def inside(one: int, value: int, other: int) -> bool:
        return min(one, other) <= value <= max(one, other)

    return inside(here.processes, shape.processes, there.processes) and inside(
        here.threads, shape.threads, there.threads
    )


def _changed(tried: Rejected, load: Load) -> str | None:
    """What is measurably different from when it was tried, with figures; None: nothing."""
    if load.demand >= LOAD_GREW * tried.demand:
        return wording.went("requests in the pod", f"{tried.demand:.0f}", f"{load.demand:.0f}")
    if tried.cpu_s is None or tried.wait_s is None:
        return None
    # A wait that is short beside the time in service may be the census' chance.
    soft = max(0.3 * tried.cpu_s, 0.1 * load.service_s)
    if abs(log_ratio(load.wait_s, tried.wait_s, soft=soft)) >= OTHER_KIND:
        return wording.went("waits", wording.milliseconds(tried.wait_s), wording.milliseconds(load.wait_s))
    if abs(log_ratio(load.cpu_s, tried.cpu_s, soft=0.01 * load.service_s)) >= OTHER_KIND:
        return wording.went("CPU per request", wording.milliseconds(tried.cpu_s), wording.milliseconds(load.cpu_s))
    return None
