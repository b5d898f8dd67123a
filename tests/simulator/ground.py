"""A load on a simulated machine, and the shapes that serve it best: what a flight is held against."""

from dataclasses import dataclass, replace
from functools import cache

from tests.simulator.physics import PHYSICS
from tests.simulator.pod import Pod
from tests.simulator.workload import Workload
from uwsgi_autopilot.api.shape import Shape

# As a share of the cores: finer where the best are found.
PROCESSES = (0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 8)
THREADS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
COARSE = 2  # every second of them first
FINALISTS = 5
LOOK_S, MEASURE_S, WARM_S = 1.5, 6.0, 1.5
ALIKE = 0.02  # shapes within this share of the best are ties


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """clients: of a closed loop. slower: by what factor waits are longer."""

    workload: Workload
    clients: int
    cores: int = 2
    quota: float | None = None
    slower: float = 1.0

    @property
    def usable(self) -> float:
        return self.cores if self.quota is None else min(self.quota, self.cores)

    def pod(self, shape: Shape, *, seed: int = 1, rate: float = 0.0, evenly: bool = False) -> Pod:
        """Open loop where a rate is given. nginx has as many workers as there are cores; the simulator's has one."""
        front_s = PHYSICS.front_s * min(1.0, 2 / self.cores)
        clients = 0 if rate else self.clients
        pod = Pod(
            self.workload, shape, clients=clients, rate=rate, evenly=evenly, cores=self.cores, quota=self.quota,
            front_s=front_s, seed=seed,
        )  # fmt: skip
        pod.wait_factor = self.slower
        return pod

    def throughput(self, shape: Shape, *, seconds: float = MEASURE_S, seed: int = 7) -> float:
        return _throughput(self, shape, seconds, seed)

    @property
    def best(self) -> float:
        """Requests a second of the best shape."""
        return self.throughput(ranked(self)[0], seed=8)

    def percent(self, shape: Shape) -> float:
        return 100 * self.throughput(shape, seed=8) / self.best

    def ties(self) -> list[Shape]:
        found = ranked(self)
        return [each for each in found if self.throughput(each) >= (1 - ALIKE) * self.throughput(found[0])]


@cache
def ranked(ground: Ground) -> tuple[Shape, ...]:
    """Coarse to fine, the best first."""
    processes = sorted({max(1, round(each * ground.usable)) for each in PROCESSES})
    every = [Shape(p, t) for p in processes for t in THREADS if p * t <= max(4 * ground.clients, p)]
    some = [each for each in every if THREADS.index(each.threads) % COARSE == 0]
    fair = sorted(some, key=lambda each: -ground.throughput(each, seconds=LOOK_S))[:FINALISTS]
    near = {each for each in every if any(_neighbours(each, other) for other in fair)}
    fine = sorted(near, key=lambda each: -ground.throughput(each, seconds=LOOK_S))[: 2 * FINALISTS]
    return tuple(sorted(fine, key=lambda each: -ground.throughput(each)))


def _neighbours(one: Shape, other: Shape) -> bool:
    return one.processes == other.processes and abs(THREADS.index(one.threads) - THREADS.index(other.threads)) <= 1


@cache
def _throughput(ground: Ground, shape: Shape, seconds: float, seed: int) -> float:
    pod = ground.pod(shape, seed=seed)
    slowest = WARM_S * max(1.0, ground.slower / 4)
    pod.clock.run_until(slowest)
    before = pod.done
    pod.clock.run_until(slowest + seconds)
    return (pod.done - before) / seconds


def slowed(ground: Ground, factor: float) -> Ground:
    return replace(ground, slower=factor)
