"""Has the workload changed? Wait and CPU per request, compared with when the shape was settled.

A two-sided CUSUM: each stretch of readings adds by how many standard deviations it is off, less one; six in a row at
two deviations, or one at ten, raise the alarm. How many requests come is load, not workload.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from uwsgi_autopilot.api.sample import Sample
from uwsgi_autopilot.tuner.point import Point
from uwsgi_autopilot.tuner.times import MANY_LOOKS, busy_looks, times_of
from uwsgi_autopilot.tuner.window import window

SLACK = 1.0
ALARM = 8.0
# Floors of a standard deviation (ln): neighbours on the machine move CPU per request this much by themselves.
CPU_SIGMA = 0.1
WAIT_SIGMA = 0.15
MATERIAL = 0.25  # ln: a smaller change calls for no other shape
CHUNK = 30  # requests in a stretch, at least
FEWEST = 5  # requests; the longest stretch is left out when it has fewer
LONGEST_CHUNK = 10  # samples


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """since: readings after this belong to the new workload alone. cpu_s, wait_s: per request now."""

    since: float
    cpu_s: float
    wait_s: float


def drift(samples: Sequence[Sample], reference: Point, *, since: float) -> Drift | None:
    """None while the readings agree with `reference`."""
    chunks = _chunks(window(samples, since=since))
    if len(chunks) < 2:
        return None
    cpu = [log_ratio(each.cpu_s, reference.cpu_s, soft=0.01 * reference.service_s) for each in chunks]
    wait = [
        log_ratio(each.wait_s, reference.wait_s, soft=0.3 * reference.cpu_s)
        for each in chunks
        if each.wait_s is not None
    ]
    off = max(abs(_newest(cpu)), abs(_newest(wait)))
    if off < MATERIAL or not any(
        _alarm(values, floor, sign) for values, floor in ((cpu, CPU_SIGMA), (wait, WAIT_SIGMA)) for sign in (1, -1)
    ):
        return None
    newest = chunks[-1]
    wait_s = reference.wait_s if newest.wait_s is None else newest.wait_s
    return Drift(since=samples[-1].at, cpu_s=newest.cpu_s, wait_s=wait_s)


def log_ratio(now: float, then: float, *, soft: float) -> float:
    """ln(now / then), softened: 0.1 ms of wait more or less beside 5 ms of CPU is no change."""
    soft = max(soft, 1e-5)
    return math.log((now + soft) / (then + soft))


def _newest(values: list[float]) -> float:
    """The mean of the newest two: a deviation that is over is no change."""
    return sum(values[-2:]) / len(values[-2:]) if values else 0.0


def _alarm(values: list[float], floor: float, sign: int) -> bool:
    """Is the sum above the alarm at the end?"""
    if len(values) < 2:
        return False
    steps = [abs(later - earlier) for earlier, later in pairwise(values)]
    sigma = max(floor, 1.05 * median(steps))
    total = 0.0
    for value in values:
        total = max(0.0, total + min(sign * value / sigma, ALARM) - SLACK)
    return total > ALARM


class _Chunk(NamedTuple):
    """Seconds per request over a stretch of readings. wait_s: None where too few looks met a busy thread."""

    cpu_s: float
    wait_s: float | None


def _chunks(samples: list[Sample]) -> list[_Chunk]:
    """Stretches with enough requests and looks at busy threads, oldest first."""
    chunks: list[_Chunk] = []
    current: list[Sample] = []
    for sample in samples:
        current.append(sample)
        requests = sum(each.requests for each in current)
        looked = any(each.census is not None for each in current)
        enough = requests >= CHUNK and (not looked or busy_looks(current) >= MANY_LOOKS)
        if not enough and len(current) < LONGEST_CHUNK:
            continue
        if requests >= FEWEST:
            times = times_of(current, requests)
            chunks.append(_Chunk(times.cpu_s, times.wait_s if times.by_census or not looked else None))
        current = []
    return chunks
