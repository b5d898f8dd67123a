"""Has the workload changed? Wait and CPU per request against what they were when the shape was settled.

A two-sided CUSUM: each stretch of readings adds how many standard deviations it lies off, less one; six in a row at
two deviations, or one that is ten off, make an alarm. How many requests come is load, not workload.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from uwsgi_autopilot.tuner.load import times_of, window
from uwsgi_autopilot.tuner.memory import Point
from uwsgi_autopilot.tuner.sample import Sample

SLACK = 1.0
ALARM = 8.0
# Floors of a standard deviation (ln): neighbours on the machine move CPU per request this much by themselves.
CPU_SIGMA = 0.1
WAIT_SIGMA = 0.15
CHUNK = 30  # requests in a stretch, at least
LONGEST_CHUNK = 10  # samples


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """since: from when on readings belong to the new workload alone. cpu_s, wait_s: per request now."""

    since: float
    cpu_s: float
    wait_s: float


def drift(samples: Sequence[Sample], reference: Point, *, since: float) -> Drift | None:
    """None while the readings agree with `reference`."""
    chunks = _chunks(window(samples, since=since))
    if len(chunks) < 2:
        return None
    series = (
        ([math.log(max(cpu_s, 1e-6) / max(reference.cpu_s, 1e-6)) for _, cpu_s, _ in chunks], CPU_SIGMA),
        ([_wait_signal(cpu_s, wait_s, reference) for _, cpu_s, wait_s in chunks], WAIT_SIGMA),
    )
    if not any(_alarm(values, floor, sign) for values, floor in series for sign in (1, -1)):
        return None
    _, cpu_s, wait_s = chunks[-1]
    return Drift(since=samples[-1].at, cpu_s=cpu_s, wait_s=wait_s)


def _wait_signal(cpu_s: float, wait_s: float, reference: Point) -> float:
    """ln of the wait, softened by the CPU time: 0.1 ms more or less of wait beside 5 ms of CPU is no news."""
    soft = 0.3 * max(reference.cpu_s, 1e-5)
    return math.log((wait_s + soft) / (reference.wait_s + soft))


def _alarm(values: list[float], floor: float, sign: int) -> bool:
    """Is the sum above the alarm at the end?"""
    steps = [abs(later - earlier) for earlier, later in pairwise(values)]
    sigma = max(floor, 1.05 * median(steps))
    total = 0.0
    for value in values:
        total = max(0.0, total + min(sign * value / sigma, ALARM) - SLACK)
    return total > ALARM


def _chunks(samples: list[Sample]) -> list[tuple[float, float, float]]:
    """Stretches of at least CHUNK requests, oldest first: when it began, CPU and wait per request."""
    chunks: list[tuple[float, float, float]] = []
    current: list[Sample] = []
    for sample in samples:
        current.append(sample)
        requests = sum(each.requests for each in current)
        if requests < CHUNK and len(current) < LONGEST_CHUNK:
            continue
        if requests >= 5:
            times = times_of(current, requests)
            chunks.append((current[0].at - current[0].seconds, times.cpu_s, times.wait_s))
        current = []
    return chunks
