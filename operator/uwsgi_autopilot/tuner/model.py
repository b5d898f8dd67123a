"""How much a shape would serve: a closed queueing network of waits, one interpreter lock per process, and shared cores.

Each process is a delay (I/O) and one server (its interpreter lock); its requests are customers. Mean-value analysis
gives its throughput exactly for exponential times and within a few percent for others. What the model cannot know of an
application, such as caches and the cost of its threads, the measured points tell (surface.py).
"""

import math
from dataclasses import dataclass
from functools import lru_cache

from uwsgi_autopilot.api.shape import Shape

# What a request costs beyond its own CPU, fitted to the recorded grids (tests/simulator/grids, Python 3.11, 2 cores).
HANDOVER_S = 0.0001  # of CPU where it finds the interpreter lock taken
CROWD_S = 0.00008  # of CPU for each factor of e of processes above the cores: caches that others have filled
# Cores that a thread takes that waits for the interpreter lock: every 5 ms (sys.getswitchinterval) it wakes up to ask.
WAITER_CORES = 0.0025
FRONT_S = 0.00015  # of the same cores, outside of uWSGI: nginx
# Exponent of the smooth minimum of what processes and cores can do, for requests that only wait and that only compute.
# A process whose requests all wait at the moment leaves its core idle: with 37 ms of wait and 6.8 ms of CPU two
# processes for each core serve 0.95 of what four do, with 5 ms of CPU one process for each core serves 0.98.
SMOOTHNESS_WAITING, SMOOTHNESS_COMPUTING = 3.0, 8.0
PURE_CPU = 0.15  # ratio of wait to CPU below which a second thread has nothing to do
ROUNDS = 5  # of the fixed point between a wait that grows with concurrency and the concurrency that it makes


@dataclass(frozen=True, slots=True, kw_only=True)
class Slowdown:
    """A backend that keeps up with `knee` requests at once; the wait then grows like a power of their number."""

    knee: float
    power: float

    def of(self, requests: float) -> float:
        """By what factor the wait is longer with so many at once."""
        return math.pow(max(1.0, requests / self.knee), self.power)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What one request needs, and who else is there.

    wait_s: in I/O, where nothing slows it down. cpu_s: of any core. lock_s: of cpu_s, under the interpreter lock.
    inside: requests in the pod at once. cores: that we can have. pool: requests of a process that get past its
    application lock; None: no such limit.
    """

    wait_s: float
    cpu_s: float
    lock_s: float
    inside: float
    cores: float
    pool: int | None = None
    slowdown: Slowdown | None = None

    @property
    def computes(self) -> bool:
        """Nearly all the time: a second thread has nothing to do."""
        return self.wait_s < PURE_CPU * self.cpu_s


def throughput(work: Work, shape: Shape) -> float:
    """Requests a second. Absolute figures are rough; those of two shapes compare well."""
    customers = min(float(shape.threads), max(1.0, work.inside) / shape.processes)
    if work.pool is not None:
        customers = min(customers, float(work.pool))
    if work.slowdown is None:
        return _rate(work, shape, customers, work.wait_s)
    waiting = min(work.inside, float(shape.slots))
    rate = 0.0
    for _ in range(ROUNDS):
        wait_s = work.wait_s * work.slowdown.of(waiting)
        rate = _rate(work, shape, customers, wait_s)
        waiting = 0.5 * (waiting + rate * wait_s)
    return rate


def _rate(work: Work, shape: Shape, customers: float, wait_s: float) -> float:
    handover_s = HANDOVER_S if shape.threads > 1 else 0.0
    alone = _process(round(customers, 2), round(wait_s, 6), round(work.lock_s, 6), handover_s)
    by_processes = shape.processes * alone.rate
    crowd_s = CROWD_S * max(0.0, math.log(shape.processes / max(1.0, work.cores)))
    each_s = work.cpu_s + handover_s * alone.contention + crowd_s + FRONT_S
    waiters = shape.processes * (customers - 1.0) - work.cores / each_s * wait_s
    by_cores = (work.cores - WAITER_CORES * max(0.0, waiters)) / each_s
    computing = work.cpu_s / max(work.cpu_s + wait_s, 1e-6)
    exponent = SMOOTHNESS_WAITING + (SMOOTHNESS_COMPUTING - SMOOTHNESS_WAITING) * computing
    return smooth_minimum(by_processes, by_cores, exponent)


def smooth_minimum(one: float, other: float, exponent: float) -> float:
    least = min(one, other)
    if least <= 0:
        return 0.0
    return least / math.pow(1.0 + math.pow(least / max(one, other), exponent), 1.0 / exponent)


@dataclass(frozen=True, slots=True)
class _Alone:
    """One process with cores to spare. contention: share of its requests that find the interpreter lock taken."""

    rate: float
    contention: float


@lru_cache(maxsize=4096)
def _process(customers: float, wait_s: float, lock_s: float, handover_s: float) -> _Alone:
    """With this many requests in it; fractions are interpolated."""
    whole = math.floor(customers)
    rate = length = contention = 0.0
    found = [(0.0, 0.0)]
    for number in range(1, whole + 2):
        contention = min(1.0, length)
        response = lock_s * (1.0 + length) + handover_s * contention
        rate = number / max(wait_s + response, 1e-6)
        length = rate * response
        found.append((rate, contention))
    (low, some), (high, more) = found[whole], found[whole + 1]
    return _Alone(low + (customers - whole) * (high - low), some + (customers - whole) * (more - some))
