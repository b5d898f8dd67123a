"""How long requests keep each other waiting where they come by themselves, at whatever rate.

Under such a load every shape serves all that comes, and the closed network of model.py, which knows how much a shape
can serve, does not tell who waits for whom. Two things make requests wait that throughput does not show:

- More processes than cores take turns. Requests that all need as much CPU are then all finished late, where one after
  the other most of them would be finished early. Requests of very different lengths lose nothing by it.
- Threads of one process share its interpreter lock: a request may wait for it while another process idles.
"""

import math

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.tuner.model import FRONT_S, Work

# A turn ends at the first tick of 250 Hz after about 2 ms of CPU. What computes for less is not interrupted, what
# computes for 6 ms always is.
TURN_S, TICK_S = 0.002, 0.004
BUSIEST = 0.95  # share of the cores, and of a lock: the queue before one that is always busy has no end
# Of the wait that the formulas below give, which is that of requests whose lengths differ as an exponential
# distribution does: what those that are all alike would be spared one after the other (Pollaczek and Khinchine).
ALIKE = 0.5


def in_each_others_way_s(work: Work, shape: Shape, rate: float) -> float:
    """Seconds a request at `rate` requests a second, besides the queue that every shape has."""
    return ALIKE * (_turns_s(work, shape, rate) + _lock_s(work, shape, rate))


def _turns_s(work: Work, shape: Shape, rate: float) -> float:
    """Ready, in a process, while other processes have the cores."""
    busy = min(BUSIEST, rate * (work.cpu_s + FRONT_S) / work.cores)
    # Sakasegawa's approximation of the queue before so many servers. Its tail is geometric, and the processes beyond
    # the cores hold its first requests.
    queue = math.pow(busy, math.sqrt(2 * (work.cores + 1))) / (1 - busy)
    begun = 1 - math.pow(busy, max(0.0, shape.processes - work.cores))
    interrupted = min(1.0, max(0.0, work.cpu_s - TURN_S) / TICK_S)
    return interrupted * begun * queue / max(rate, 1e-3)


def _lock_s(work: Work, shape: Shape, rate: float) -> float:
    """As if each process had its share of the arrivals to itself, and room for as many as it has threads."""
    busy = min(BUSIEST, rate * work.lock_s / shape.processes)
    return work.lock_s * busy / (1 - busy) * (1 - math.pow(busy, shape.threads - 1))
