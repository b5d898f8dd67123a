"""Real grids, as `python -m bench.record` wrote them, and the simulator at the same shapes."""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Any

from tests.simulator.physics import PHYSICS, Physics
from tests.simulator.pod import Pod
from tests.simulator.workload import OVERHEAD_S, Native, Python, Step, Wait, Workload, answered, degrades
from uwsgi_autopilot.api.shape import Shape

FOLDER = Path(__file__).parent / "grids"
# Cores that others used: more than this and a visit is not looked at.
DISTURBED = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A shape: means of its undisturbed visits. rps: of each. Milliseconds; per request where that makes sense."""

    shape: Shape
    rps: tuple[float, ...]
    figures: dict[str, float]

    @property
    def mean(self) -> float:
        return fmean(self.rps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    name: str
    workload: Workload
    clients: int
    measured: tuple[Measured, ...]

    def at(self, shape: str) -> Measured:
        return next(each for each in self.measured if str(each.shape) == shape)


def read_grid(file: Path) -> Grid:
    data = json.loads(file.read_text(encoding="utf-8"))
    visits: dict[str, list[dict[str, Any]]] = {}
    for visit in data["visits"]:
        if (visit["foreign"] or 0.0) <= DISTURBED:
            visits.setdefault(visit["shape"], []).append(visit)
    measured = [
        Measured(shape=Shape.parse(shape), rps=tuple(each["rps"] for each in found), figures=_figures(found))
        for shape, found in visits.items()
    ]
    measured.sort(key=lambda each: (each.shape.threads, each.shape.processes))
    return Grid(
        name=data["workload"], workload=synthetic(data["parameters"]), clients=data["clients"],
        measured=tuple(measured),
    )  # fmt: skip


def _figures(visits: Sequence[dict[str, Any]]) -> dict[str, float]:
    rows: list[dict[str, float]] = []
    for visit in visits:
        sample = visit["sample"]
        if sample is None or not sample["requests"]:
            continue
        requests = sample["requests"]
        rows.append(
            {
                "p50": visit["p50_ms"] or 0.0,
                "p99": visit["p99_ms"] or 0.0,
                "busy": sample["busy"],
                "queue": sample["queue_mean"] or 0.0,
                "service": 1000 * sample["service_s"] / requests,
                "cpu": 1000 * sample["cpu_s"] / requests,
                "runqueue": 1000 * (sample["runqueue_s"] or 0.0) / requests,
                "lock": (sample["census"] or {}).get("interpreter_lock", 0.0),
            }
        )
    return {name: fmean(row[name] for row in rows) for name in rows[0]} if rows else {}


def synthetic(given: dict[str, Any]) -> Workload:
    """bench/synthetic/app.py: waits, then computes without the interpreter lock, then with it."""
    slow, quick = given["slow_wait_ms"] / 1000, given["wait_ms"] / 1000
    native, cpu, share = given["native_ms"] / 1000, given["cpu_ms"] / 1000, given["slow_share"]
    pooled, limited, spread = bool(given["pool"]), bool(given["limit"]), given["spread"]
    slowdown = degrades(given["degrades_from"], given["degrades_power"]) if given["degrades_from"] else None

    def draw(random_: random.Random) -> list[Step]:
        def about(mean: float) -> float:
            return max(0.0, random_.gauss(mean, spread * mean)) if mean and spread else mean

        wait = slow if share and random_.random() < share else quick
        if not wait and not native:
            return answered([Python(OVERHEAD_S * 2 / 3 + about(cpu))])
        steps: list[Step] = [Python(OVERHEAD_S / 3)]
        if wait:
            steps.append(Wait(about(wait), pooled, slowdown, limited))
        if native:
            steps.append(Native(about(native)))
        steps.append(Python(OVERHEAD_S / 3 + about(cpu)))
        return answered(steps)

    return Workload(draw, given["pool"] or None, given["limit"] or None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    rps: float
    figures: dict[str, float]


def simulate(
    grid: Grid, shape: Shape, *, seconds: float = 4.0, warm_s: float = 2.0, seed: int = 7, physics: Physics = PHYSICS
) -> Simulated:
    pod = Pod(grid.workload, shape, clients=grid.clients, seed=seed, physics=physics)
    clock = pod.clock
    clock.run_until(warm_s)
    pod.times.clear()
    done, service = pod.done, pod.service_s
    cpu, waited = _spent(pod)
    busy = queue = lock = looks = 0
    while clock.now < warm_s + seconds - 1e-6:
        clock.run_until(clock.now + 0.05)
        looks += 1
        busy += pod.in_service
        queue += len(pod.queue)
        lock += sum(len(process.waiters) for process in pod.live)
    requests = max(1, pod.done - done)
    cpu_after, waited_after = _spent(pod)
    times = sorted(answered for answered, _ in pod.times)
    return Simulated(
        rps=requests / seconds,
        figures={
            "p50": 1000 * median(times) if times else 0.0,
            "p99": 1000 * times[int(0.99 * (len(times) - 1))] if times else 0.0,
            "busy": busy / looks,
            "queue": queue / looks,
            "service": 1000 * (pod.service_s - service) / requests,
            "cpu": 1000 * (cpu_after - cpu) / requests,
            "runqueue": 1000 * (waited_after - waited) / requests,
            "lock": lock / looks,
        },
    )


def _spent(pod: Pod) -> tuple[float, float]:
    return sum(each.account.cpu_s for each in pod.live), sum(each.account.waited_s for each in pod.live)


Say = Callable[[str], None]
