"""Flights behind the figures (figures.py) in which a shape is looked for, under one load.

Each yields a name, what was reached, and the way there.
"""

from collections.abc import Iterator
from functools import cache
from itertools import product
from statistics import fmean

from tests.simulator import workload
from tests.simulator.changing import START, Found
from tests.simulator.flight import Flight
from tests.simulator.ground import Ground, ranked
from tests.simulator.landscape import LandscapeAgent, landscape
from tests.simulator.observe import Observer
from tests.simulator.pod import Pod
from tests.simulator.story import tell
from tests.simulator.workload import degrades, simple
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import ProcessBounds

NOISE = 0.015  # standard deviation of the machine's speed
HURTS = 0.9  # of the throughput at the start
STEADY_AFTER = 60  # seconds

# The first load

GRIDS = ("cpu", "io", "mixed", "10+4", "37+6.8", "35+1.5", "bimodal", "pool-4-cpu")
GRID_STARTS = ("1x1", "2x4", "16x16")
LOADS = {
    "CPU 5 ms": (workload.CPU, 16),
    "wait 100 ms": (workload.IO, 64),
    "20 ms + 2 ms": (workload.MIXED, 64),
    "pool of 3": (workload.POOL, 64),
    "SHA-256": (workload.SHA, 32),
    "bimodal": (workload.BIMODAL, 64),
    "degrading": (workload.DEGRADING, 64),
}
STARTS = ("1x2", "2x4", "16x64")


@cache
def _on_grid(name: str, start: str, seed: int, seconds: int = 90) -> Flight:
    flight = Flight(LandscapeAgent(landscape(name), Shape.parse(start), seed=seed), start=Shape.parse(start))
    for second in range(1, seconds + 1):
        flight.second(1000.0 + second)
    return flight


@cache
def _in_pod(name: str, start: str, seed: int) -> Flight:
    load, clients = LOADS[name]
    pod = Pod(load, Shape.parse(start), clients=clients, seed=seed)
    return tell(pod, 90, observer=Observer(pod, noise=NOISE))


def _first_loads(seed: int) -> Iterator[tuple[str, float, Flight]]:
    """With how much of the best the shape serves that was found."""
    for name in GRIDS:
        for start in GRID_STARTS:
            flight = _on_grid(name, start, seed)
            ground = landscape(name)
            yield (
                f"grid {name} from {start}",
                100 * ground.at(flight.agent.following.target)["rps"] / ground.best,
                flight,
            )
    for name, (load, clients) in LOADS.items():
        for start in STARTS:
            flight = _in_pod(name, start, seed)
            reached = Ground(workload=load, clients=clients).percent(flight.agent.following.target)
            yield f"{name} from {start}", reached, flight


def soon(seed: int) -> Found:
    for name, _, flight in _first_loads(seed):
        yield name, max((second for second, _ in flight.changes), default=0), flight.way


def swaps(seed: int) -> Found:
    for name, _, flight in _first_loads(seed):
        yield name, flight.swaps(), flight.way


def found(seed: int) -> Found:
    for name, reached, flight in _first_loads(seed):
        yield name, reached, flight.way


# Backends that slow down with more than so many requests at once, met with 64 of them

KNEES, POWERS, CPUS = (6, 12, 24), (1.3, 1.6, 2.0), (0.001, 0.0024, 0.004)


def degrading(seed: int) -> Found:
    """20 ms of wait, and more like a power of the requests at once beyond the knee."""
    for cpu, knee, power in product(CPUS, KNEES, POWERS):
        load = simple(wait=0.020, cpu=cpu, slowdown=degrades(knee, power))
        pod = Pod(load, Shape(16, 64), clients=64, seed=seed)
        flight = tell(pod, 90, observer=Observer(pod, noise=NOISE))
        reached = Ground(workload=load, clients=64).percent(flight.agent.following.target)
        yield f"20 + {1000 * cpu:g} ms, {knee}, power {power:g}", reached, flight.way


# No harm


def harm(seed: int) -> Found:
    """The longest stretch of seconds below nine tenths of the start, imports included. One that is half as far below it
    as the worst of them counts half: the stretch began or ended within it."""
    for name, _, flight in _first_loads(seed):
        begun = flight.changes[0][0] if flight.changes else 10
        start = fmean(flight.requests[1:begun])
        longest = 0.0
        run: list[float] = []
        for requests in flight.requests[begun:]:
            lost = 1 - requests / start
            run = [*run, lost] if lost > 1 - HURTS else []
            longest = max(longest, sum(run) / max(run, default=1.0))
        yield name, longest, flight.way


# Open loop

OPEN = 0.7
OPEN_S = 60.0
EASES = 90
OPEN_LOADS = {
    "CPU 5 ms": Ground(workload=workload.CPU, clients=16),
    "20 ms + 2 ms": Ground(workload=workload.MIXED, clients=64),
    "10 ms + 4 ms": Ground(workload=simple(wait=0.01, cpu=0.004), clients=64),
    "50 ms + 5 ms": Ground(workload=simple(wait=0.05, cpu=0.005), clients=64),
}


@cache
def _latency(ground: Ground, shape: Shape, evenly: bool) -> tuple[float, float]:
    """Mean and 99th percentile, seconds."""
    pod = ground.pod(shape, rate=OPEN * ground.best, evenly=evenly, seed=7)
    pod.clock.run_until(5.0)
    pod.times.clear()
    pod.clock.run_until(5.0 + OPEN_S)
    times = sorted(answered for answered, _ in pod.times)
    return fmean(times), times[int(0.99 * len(times))]


@cache
def _open(name: str, evenly: bool, live: bool, seed: int) -> Flight:
    """With those arrivals from the first second on, or after the clients of a closed loop were there for EASES s."""
    ground = OPEN_LOADS[name]
    rate = OPEN * ground.best
    pod = ground.pod(START, rate=rate if live else 0.0, evenly=evenly, seed=seed)

    def eases(pod: Pod) -> None:
        pod.set_clients(0)
        pod.set_rate(rate, evenly=evenly)

    return tell(pod, EASES + 60, observer=Observer(pod, noise=NOISE), events={} if live else {EASES: eases})


def _latencies(seed: int, which: int) -> Found:
    for name, ground in OPEN_LOADS.items():
        for evenly in (False, True):
            best = min(_latency(ground, each, evenly)[which] for each in ground.ties())
            for live in (False, True):
                flight = _open(name, evenly, live, seed)
                shape = flight.agent.following.target
                arrivals = "even" if evenly else "Poisson"
                kind = "found there" if live else "found at capacity"
                yield (
                    f"{name}, {arrivals}, {kind}",
                    _latency(ground, shape, evenly)[which] / best,
                    f"{shape}: {flight.way}",
                )


def mean(seed: int) -> Found:
    return _latencies(seed, 0)


def p99(seed: int) -> Found:
    return _latencies(seed, 1)


# Noise


def steady(seed: int) -> Found:
    for name in ("cpu", "mixed", "35+1.5"):
        flight = _on_grid(name, "2x4", seed, 1800)
        late = [second for second, _ in flight.changes if second > STEADY_AFTER]
        yield f"grid {name}", len(late), flight.way


# Quotas and cores

MACHINES = ((2, 0.5), (2, 1.5), *((each, None) for each in (1, 2, 4, 8, 16, 32, 64)))
WORKS = {"40 ms + 20 ms": simple(wait=0.04, cpu=0.02), "CPU 20 ms": simple(cpu=0.02)}


def cores(seed: int) -> Found:
    for cores, quota in MACHINES:
        for name, load in WORKS.items():
            ground = Ground(workload=load, clients=8 * max(cores, 2), cores=cores, quota=quota)
            most = ProcessBounds(max=max(16, 8 * cores))
            pod = ground.pod(START, seed=seed)
            flight = tell(pod, 75, observer=Observer(pod, noise=NOISE), processes=most)
            machine = f"{cores} cores" if quota is None else f"quota {quota}"
            shape = flight.agent.following.target
            yield f"{machine}, {name}", ground.percent(shape), f"best {ranked(ground)[0]}, found {shape}: {flight.way}"
