"""What is better: one number for a shape that was measured, whatever the load.

Goodput, where the shape limits it: clients that wait for their answers, or more arrivals than are served. Where the
arrivals limit it, every shape serves the same, and the better one serves it sooner: then the time that a request spends
in the pod counts, queue included, which is requests in the pod / throughput. For clients that wait for their answers
both say the same, because the number of requests in the pod does not change.
"""

import math
from enum import Enum

from uwsgi_autopilot.tuner.load import Load
from uwsgi_autopilot.tuner.point import Point

FLOOR = 0.012  # of the standard deviation of one second: three quiet seconds do not prove a quiet machine
CORRELATED = 1.8  # consecutive seconds are alike: so much larger is the error of a mean of them


class Objective(Enum):
    GOODPUT = "requests/s"
    TIME = "time in the pod"

    @classmethod
    def of(cls, load: Load) -> "Objective":
        return cls.GOODPUT if load.closed or load.overrun or not load.queue_seen else cls.TIME

    def reached(self, seen: Point | Load) -> float:
        """ln of what is to grow."""
        rate = max(seen.throughput, 1e-3)
        return math.log(rate) if self is Objective.GOODPUT else math.log(rate / max(seen.demand, 1e-3))

    def spread(self, seen: Point | Load) -> float:
        """Standard deviation of one second, as a share."""
        return max(FLOOR, seen.spread if self is Objective.GOODPUT else seen.time_spread)

    def error(self, seen: Point | Load, spread: float | None = None) -> float:
        """Standard deviation of `reached`; spread: if it is known better than from these seconds alone."""
        return CORRELATED * (spread or self.spread(seen)) / math.sqrt(max(1, seen.samples))
