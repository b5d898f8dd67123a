"""A backend that slows down under concurrency: fewer slots then serve as many requests, or more.

Recognised from the points measured for this workload: between two of them the wait per request grew, and throughput
hardly rose with the requests in service.
"""

import math
from collections.abc import Sequence

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.tuner.load import Load
from uwsgi_autopilot.tuner.point import Point

SLOWER = 1.5  # growth of the wait that is no longer noise
FOLLOWS = 0.6  # dlnX / dlnB below which throughput does not follow
FEWEST = 4.0  # requests in service: fewer do not slow each other down
CLOSE = 1.5  # ratio of requests in service: points closer than this have nothing worth a change between them
# The wait grows like a power of the requests in service, from a knee on: 1 where the backend only queues, 2 where it
# also wastes work. 1.4 finds the knee within a third for both.
POWER = 1.4


def smaller(points: Sequence[Point], load: Load) -> Shape | None:
    """The shape to try instead of the present one; None when the backend keeps up."""
    knee = knee_of(points, load)
    return None if knee is None else _with_slots(load.shape, knee)


def knee_of(points: Sequence[Point], load: Load) -> float | None:
    """Requests in service up to which the backend keeps up, estimated; None when it keeps up now."""
    if load.in_service < FEWEST or load.cpu_full or load.pool_size is not None or load.worker_cpu >= 0.8:
        return None
    lower = [each for each in points if each.in_service * CLOSE <= load.in_service and each.wait_s > 0]
    if not lower:
        return None
    below = max(lower, key=lambda each: each.in_service)
    if load.wait_s < SLOWER * below.wait_s or follows(below, load) >= FOLLOWS:
        return None
    quick = min(each.wait_s for each in lower)
    knee = load.in_service * math.pow(quick / load.wait_s, 1.0 / POWER)
    return min(max(knee, 1.1 * below.in_service), load.in_service / CLOSE)


def follows(below: Point, load: Load) -> float:
    """1.0: twice the requests in service bring twice the throughput. 0.0: they bring none."""
    grew = math.log(load.in_service / max(below.in_service, 0.1))
    return math.log(max(load.throughput, 1e-3) / max(below.throughput, 1e-3)) / max(grew, 0.1)


def _with_slots(shape: Shape, slots: float) -> Shape:
    """About this many slots, with as many processes as now where there are enough slots for them."""
    processes = min(shape.processes, max(1, round(slots)))
    return Shape(processes, max(1, round(slots / processes)))
