"""What a request does: pieces of Python CPU, C code without the interpreter lock, and waits."""

import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Python:
    """CPU under the interpreter lock."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Native:
    """CPU in C code that releases the interpreter lock, such as SHA-256 of a large buffer."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Wait:
    """A wait for something else. `pooled`: only with one of the process's pool of connections.

    `slowdown` gets the number of waits in progress in the whole pod, this one included, and answers a factor.
    """

    seconds: float
    pooled: bool = False
    slowdown: Callable[[int], float] | None = None


Step = Python | Native | Wait


@dataclass(frozen=True, slots=True)
class Workload:
    """`draw` makes the steps of one request; `pool`: connections per process."""

    draw: Callable[[random.Random], list[Step]]
    pool: int | None = None


# What uWSGI, the application around and the copying of answers cost each request where the grids were measured.
OVERHEAD_S = 0.00015


def simple(
    *,
    wait: float = 0.0,
    cpu: float = 0.0,
    native: float = 0.0,
    pool: int | None = None,
    slowdown: Callable[[int], float] | None = None,
    jitter: float = 0.1,
) -> Workload:
    """Waits and CPU in seconds, each drawn within about `jitter`; half of the overhead before, half after."""

    def draw(random_: random.Random) -> list[Step]:
        def about(mean: float) -> float:
            return max(0.0, random_.gauss(mean, jitter * mean))

        steps: list[Step] = [Python(OVERHEAD_S / 2 + (about(cpu) if not wait else 0.0))]
        if wait:
            steps.append(Wait(about(wait), pool is not None, slowdown))
        if native:
            steps.append(Native(about(native)))
        steps.append(Python(OVERHEAD_S / 2 + (about(cpu) if wait else 0.0)))
        return steps

    return Workload(draw, pool)


def bimodal(*, share: float, slow: Workload, quick: Workload) -> Workload:
    def draw(random_: random.Random) -> list[Step]:
        return (slow if random_.random() < share else quick).draw(random_)

    return Workload(draw, slow.pool)


CPU = simple(cpu=0.005)
IO = simple(wait=0.100)
MIXED = simple(wait=0.020, cpu=0.0021)
POOL = simple(wait=0.020, pool=3)
SHA = simple(wait=0.005, native=0.0004)
BIMODAL = bimodal(share=0.1, slow=simple(wait=0.3), quick=simple(wait=0.002, cpu=0.001))
DEGRADING = simple(wait=0.020, cpu=0.001, slowdown=lambda waits: max(1.0, waits / 12) ** 1.5)
