"""Flights behind the figures (figures.py) in which the load changes.

Each yields a name, what was reached, and the way there.
"""

from collections.abc import Iterator
from functools import cache, partial
from statistics import fmean

from tests.simulator import workload
from tests.simulator.flight import Flight
from tests.simulator.ground import Ground, slowed
from tests.simulator.observe import Observer
from tests.simulator.pod import Pod
from tests.simulator.story import tell
from tests.simulator.workload import simple
from uwsgi_autopilot.api.shape import Shape

Found = Iterator[tuple[str, float, str]]
START = Shape(2, 4)
QUIET = 0.005  # standard deviation of the machine's speed where a few seconds have to tell 95 from 100 %
BLOCK = 3  # seconds: throughput is held against the best in sliding windows of so many


def sliding(flight: Flight, first: int, last: int) -> list[float]:
    """Throughput in windows that begin in these seconds (the first is 1)."""
    every = flight.requests
    return [fmean(every[begin - 1 : begin - 1 + BLOCK]) for begin in range(first, last - BLOCK + 2)]


# A surge

SURGED = 200
SURGES = {
    "wait 100 ms": workload.IO,
    "20 ms + 2 ms": workload.MIXED,
    "CPU 5 ms": workload.CPU,
    "50 ms + 5 ms": simple(wait=0.05, cpu=0.005),
    "35 ms + 1.5 ms": simple(wait=0.035, cpu=0.0015),
}


@cache
def surged(name: str, seed: int) -> Flight:
    pod = Pod(SURGES[name], START, clients=4, seed=seed)
    events = {61: partial(Pod.set_clients, clients=SURGED)}
    return tell(pod, 101, events=events, observer=Observer(pod, noise=QUIET))


def _surge(seed: int, first: int, last: int) -> Found:
    """The least window of those that begin so many seconds after the surge."""
    for name, load in SURGES.items():
        flight = surged(name, seed)
        best = Ground(workload=load, clients=SURGED).best
        yield name, 100 * min(sliding(flight, 61 + first, 61 + last)) / best, flight.way


def surge(seed: int) -> Found:
    return _surge(seed, 5, 10)


def surge_searched(seed: int) -> Found:
    """While better shapes are looked for."""
    return _surge(seed, 10, 40)


# A backend that becomes ten times slower, and quick again

SLOWER = 10.0
SLOWED = {
    "20 ms + 2 ms, 64 clients": Ground(workload=workload.MIXED, clients=64),
    "wait 100 ms, 64 clients": Ground(workload=workload.IO, clients=64),
    "5 ms + 2 ms, 64 clients": Ground(workload=simple(wait=0.005, cpu=0.002), clients=64),
    "20 ms + 1 ms, 200 clients": Ground(workload=simple(wait=0.02, cpu=0.001), clients=200),
}


@cache
def slowed_flight(name: str, seed: int) -> Flight:
    def becomes(factor: float, pod: Pod) -> None:
        pod.wait_factor = factor

    pod = SLOWED[name].pod(START, seed=seed)
    events = {71: partial(becomes, SLOWER), 131: partial(becomes, 1.0)}
    return tell(pod, 190, events=events, observer=Observer(pod, noise=QUIET))


def _slow_phases(seed: int) -> Iterator[tuple[str, list[float], Flight]]:
    """Each phase in sliding windows, as shares of its best shape."""
    for name, ground in SLOWED.items():
        flight = slowed_flight(name, seed)
        for phase, first, there in (("slow", 71, slowed(ground, SLOWER)), ("quick", 131, ground)):
            yield f"{name}: {phase}", [each / there.best for each in sliding(flight, first, first + 59)], flight


def backend(seed: int) -> Found:
    """Seconds from the change to the first window with 95 % of the phase's best."""
    for name, windows, flight in _slow_phases(seed):
        yield name, next((second for second, each in enumerate(windows) if each >= 0.95), 60), flight.way


def backend_after(seed: int) -> Found:
    """The least of them after 15 seconds."""
    for name, windows, flight in _slow_phases(seed):
        yield name, 100 * min(windows[15:]), flight.way


# Phases that alternate

HEAVY = simple(cpu=0.006, wait=0.001)
LIGHT = simple(wait=0.08, cpu=0.0005)
PHASE_CLIENTS = 48
MINUTES = 5


@cache
def phases(seed: int, seconds: int, total: int) -> Flight:
    pod = Pod(HEAVY, START, clients=PHASE_CLIENTS, seed=seed)
    turns = range(seconds + 1, total, seconds)
    events = {second: partial(Pod.set_workload, workload=(LIGHT, HEAVY)[turn % 2]) for turn, second in enumerate(turns)}
    return tell(pod, total, events=events, observer=Observer(pod, noise=QUIET))


def _alternating(shape: Shape) -> float:
    """Requests a second that a fixed shape serves, when each phase lasts as long."""
    return fmean(Ground(workload=load, clients=PHASE_CLIENTS).throughput(shape) for load in (HEAVY, LIGHT))


def served(seed: int) -> Found:
    flight = phases(seed, 20, 60 * MINUTES + 20)
    candidates = [Shape(processes, threads) for processes in (2, 3, 4, 6, 8, 12) for threads in (4, 6, 8, 12, 16, 24)]
    best = max(_alternating(each) for each in candidates)
    yield "20 s each", 100 * fmean(flight.requests[80 : 60 * MINUTES + 20]) / best, flight.way


def chased(seed: int) -> Found:
    flight = phases(seed, 20, 60 * MINUTES + 20)
    yield "20 s each", flight.swaps(after=80), flight.way


def returned(seed: int) -> Found:
    """From the second time that a phase returns."""
    flight = phases(seed, 90, 540)
    for first in range(361, 540, 90):
        here = [second for second, _ in flight.changes if first <= second < first + 90]
        yield f"90 s each, from {first} s", len(here), flight.way
