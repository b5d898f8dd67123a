"""What a request does: pieces of Python CPU, C code without the interpreter lock, and waits."""

import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class Python:
    """CPU under the interpreter lock."""

    seconds: float


@dataclass(slots=True)
class Native:
    """CPU in C code that releases the interpreter lock, such as SHA-256 of a large buffer."""

    seconds: float


@dataclass(slots=True)
class Wait:
    """A wait for something else. `pooled`: only with one of the process's pool of connections. `limited`: only so many
    at once as the workload's limit says; the others wait at the other end, which looks the same from here.

    `slowdown` gets the number of waits in progress in the whole backend, this one included, and answers a factor.
    """

    seconds: float
    pooled: bool = False
    slowdown: Callable[[int], float] | None = None
    limited: bool = False


Step = Python | Native | Wait


@dataclass(frozen=True, slots=True)
class Workload:
    """`draw` makes the steps of one request. pool: connections per process. limit: waits at once over all processes.
    errors: the share of requests that end as a 500. leak_bytes: what a worker keeps of each request. footprint: how
    much memory a request reads: 0 a loop of integers, 1 about half a MiB of objects."""

    draw: Callable[[random.Random], list[Step]]
    pool: int | None = None
    limit: int | None = None
    errors: float = 0.0
    leak_bytes: int = 0
    footprint: float = 0.0


# What uWSGI and the application around cost each request, under the interpreter lock; and the writing of the answer,
# for which it is let go of and taken again. Fitted with the constants of physics.py.
OVERHEAD_S = 0.0001
WRITE_S = 0.00004


def degrades(knee: float, power: float) -> Callable[[int], float]:
    """Slowdown of a backend by how many wait for it: none up to the knee, then like a power of them."""
    return lambda waits: float(max(1.0, waits / knee) ** power)


def simple(
    *,
    wait: float = 0.0,
    cpu: float = 0.0,
    native: float = 0.0,
    pool: int | None = None,
    limit: int | None = None,
    slowdown: Callable[[int], float] | None = None,
    jitter: float = 0.1,
    errors: float = 0.0,
    leak_bytes: int = 0,
    footprint: float = 1.0,
) -> Workload:
    """Waits and CPU in seconds, each drawn within about `jitter`; half of the overhead before, half after."""
    half, pooled, limited = OVERHEAD_S / 3, pool is not None, limit is not None
    first, second = (half, half + cpu) if wait else (half + cpu, half)

    def draw(random_: random.Random) -> list[Step]:
        # One number for all parts of a request: some are longer than others in everything that they do.
        factor = max(0.0, random_.gauss(1.0, jitter))
        steps: list[Step] = [Python(first * factor)]
        if wait:
            steps.append(Wait(wait * max(0.0, random_.gauss(1.0, jitter)), pooled, slowdown, limited))
        if native:
            steps.append(Native(native * factor))
        steps.append(Python(second * factor))
        return answered(steps)

    return Workload(draw, pool, limit, errors, leak_bytes, footprint)


def answered(steps: list[Step]) -> list[Step]:
    steps.append(Native(WRITE_S))
    steps.append(Python(OVERHEAD_S / 3))
    return steps


def bimodal(*, share: float, slow: Workload, quick: Workload) -> Workload:
    def draw(random_: random.Random) -> list[Step]:
        return (slow if random_.random() < share else quick).draw(random_)

    return Workload(draw, slow.pool, slow.limit)


CPU = simple(cpu=0.005)
IO = simple(wait=0.100)
MIXED = simple(wait=0.020, cpu=0.0021)
POOL = simple(wait=0.020, pool=3)
SHA = simple(wait=0.005, native=0.0004)
BIMODAL = bimodal(share=0.1, slow=simple(wait=0.3), quick=simple(wait=0.002, cpu=0.001))
DEGRADING = simple(wait=0.020, cpu=0.001, slowdown=degrades(12, 1.5))
