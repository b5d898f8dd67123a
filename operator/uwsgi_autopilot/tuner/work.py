"""What one request of this workload needs, from the load and from the points that were measured before.

A backend that slows down under concurrency shows in two of them: the wait per request grew with the requests in
service, and throughput did not follow. Met from above, with many at once from the first second on, it does not show at
all: `unknown_below` says so, and probedown.py asks once.
"""

import math
from collections.abc import Sequence

from uwsgi_autopilot.tuner.load import Load
from uwsgi_autopilot.tuner.model import Slowdown, Work
from uwsgi_autopilot.tuner.point import Point

SLOWER = 1.3  # growth of the wait that is no longer noise
FOLLOWS = 0.7  # dlnX / dlnB below which throughput does not follow
FEWEST = 4.0  # requests in service: fewer do not slow each other down
MANY = 16.0  # requests in service that a backend may not like
APART = 1.5  # ratio of requests in service: points closer than this say nothing about what concurrency does
# The wait grows like a power of the requests in service, from a knee on: 1 where the backend only queues, 2 where it
# also wastes work. 1.4 finds the knee within a third for both, until two points beyond it tell.
POWER = 1.4
LEAST_POWER, MOST_POWER = 1.0, 2.5
STRAIGHT = 0.9  # of that power: a growth from which the quickest point is taken to be beyond the knee, too
MOSTLY = 0.7  # wait / time in service: the rest is spent on locks and cores, whatever the backend does
QUEUE = 0.25  # requests in the queue / in service: with more of them it is the slots that are too few
WAITS = 2.0  # wait / CPU from which a backend may be what limits


def work_of(load: Load, points: Sequence[Point]) -> Work:
    """points: of this workload."""
    slowdown, wait_s = slowdown_of(load, points)
    return Work(
        wait_s=wait_s,
        cpu_s=load.cpu_s,
        lock_s=lock_of(load),
        inside=inside_of(load),
        cores=load.cores_to_have,
        pool=load.pool_size,
        slowdown=slowdown,
    )


def inside_of(seen: Load | Point) -> float:
    """Requests in the pod for which there should be room: where they come at random, more than the mean."""
    return max(1.0, seen.demand if seen.closed else seen.demand + math.sqrt(seen.demand))


def lock_of(load: Load) -> float:
    """Seconds for which a request holds the interpreter lock. A worker above one core runs code that releases it."""
    return load.cpu_s / max(1.0, load.worker_cpu) if load.worker_cpu > 1.15 else load.cpu_s


def slowdown_of(load: Load, points: Sequence[Point]) -> tuple[Slowdown | None, float]:
    """What slows the backend down, and the wait without that, seconds."""
    every: list[Load | Point] = [*points, load]
    seen = [each for each in every if each.wait_s > 0]
    if len(seen) < 2 or load.pool_size is not None:
        return None, load.wait_s
    most = max(seen, key=lambda each: each.in_service)
    lower = [each for each in seen if each.in_service * APART <= most.in_service]
    if most.in_service < FEWEST or not lower or most.cpu_full:
        # Where no core is left, throughput does not follow anyway, and a thread without a core seems to wait.
        return None, load.wait_s
    below = max(lower, key=lambda each: each.in_service)
    if most.wait_s < SLOWER * below.wait_s:
        return None, load.wait_s
    follows = math.log(max(most.throughput, 1e-3) / max(below.throughput, 1e-3))
    if follows >= FOLLOWS * _more_at_once(below, most):
        return None, load.wait_s
    quick = min(lower, key=lambda each: each.wait_s)
    knee, power = _knee_of(most, quick, [each for each in lower if each.wait_s >= SLOWER * quick.wait_s])
    return Slowdown(knee=max(knee, 1.0), power=power), quick.wait_s


def _knee_of(most: Load | Point, quick: Load | Point, between: Sequence[Load | Point]) -> tuple[float, float]:
    """Requests in service from which on the wait grows, and like which power of them."""
    power = POWER
    if slow := [each for each in between if each.in_service >= APART * quick.in_service]:
        least = min(slow, key=lambda each: each.in_service)
        power = min(max(_growth(least, most), LEAST_POWER), MOST_POWER)
        if _growth(quick, least) >= STRAIGHT * power:
            # The quickest that was seen lies on the same line: the knee is below it, nobody knows how far.
            return quick.in_service / APART, power
    return most.in_service * math.pow(quick.wait_s / most.wait_s, 1.0 / power), power


def _growth(few: Load | Point, many: Load | Point) -> float:
    """dlnW / dlnB."""
    return math.log(many.wait_s / few.wait_s) / _more_at_once(few, many)


def _more_at_once(few: Load | Point, many: Load | Point) -> float:
    """ln."""
    return math.log(many.in_service / max(few.in_service, 0.1))


def slowed_above(load: Load, points: Sequence[Point]) -> bool:
    """With more of them at once the requests waited longer."""
    return any(
        each.in_service >= APART * load.in_service and each.wait_s >= SLOWER * load.wait_s > 0 for each in points
    )


def unknown_below(load: Load, points: Sequence[Point], work: Work) -> bool:
    """The requests do little but wait, and nothing is known of how long they would with fewer of them at once."""
    mostly = load.wait_s >= max(WAITS * load.cpu_s, MOSTLY * load.service_s)
    too_few_slots = load.queued > QUEUE * load.in_service and work.slowdown is None
    if not mostly or too_few_slots or load.in_service < MANY or load.pool_size is not None:
        return False
    # A point that far below would have shown a slowdown (`slowdown_of`).
    return all(each.in_service * APART > load.in_service for each in points)
