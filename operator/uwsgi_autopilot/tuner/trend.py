"""How the samples of one window differ: scatter, growth, and whether they are of one kind at all."""

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from uwsgi_autopilot.api.sample import Sample
from uwsgi_autopilot.tuner.times import MANY_LOOKS, times_of

FEWEST = 10  # requests in each half
# ln of newer / older half. The waits of a few requests scatter much more than their CPU time.
CPU_CHANGED = 0.35
WAIT_CHANGED = 0.9


def spread(values: Sequence[float]) -> float:
    """From differences of consecutive values, so that a trend does not count: 1.05 = 1.4826 / sqrt(2)."""
    seen = [each for each in values if each > 0]
    if len(seen) < 3:
        return 0.1
    steps = [abs(math.log(later / earlier)) for earlier, later in pairwise(seen)]
    return 1.05 * median(steps)


def drift(samples: Sequence[Sample]) -> float:
    half = len(samples) // 2
    if half == 0:
        return 0.0
    older, newer = samples[:half], samples[half:]
    before = sum(each.inside for each in older) / len(older)
    after = sum(each.inside for each in newer) / len(newer)
    return math.log(max(after, 0.1) / max(before, 0.1))


def queue_growth(samples: Sequence[Sample]) -> float:
    """By how many requests a second, at least, the queue grew in each of the last three steps; 0.0 where it did not.

    Clients that come all at once fill the queue in one step; arrivals above what is served do so in every step.
    """
    last = samples[-4:]
    if len(last) < 4:
        return 0.0
    steps = [
        ((later.queue_mean or 0.0) - (earlier.queue_mean or 0.0)) / max(later.at - earlier.at, 0.1)
        for earlier, later in pairwise(last)
    ]
    return max(0.0, min(steps))


def changing(samples: Sequence[Sample]) -> bool:
    """Do the two halves differ in CPU or wait per request by more than chance?"""
    half = len(samples) // 2
    older, newer = samples[: len(samples) - half], samples[len(samples) - half :]
    counts = [sum(each.requests for each in part) for part in (older, newer)]
    if min(counts) < FEWEST:
        return False
    before, after = times_of(older, counts[0]), times_of(newer, counts[1])
    cpu = abs(math.log(max(after.cpu_s, 1e-6) / max(before.cpu_s, 1e-6)))
    soft = 0.3 * max(before.cpu_s, after.cpu_s, 1e-5)
    wait = abs(math.log((after.wait_s + soft) / (before.wait_s + soft)))
    well_seen = min(before.looks, after.looks) >= MANY_LOOKS
    return cpu > CPU_CHANGED or (well_seen and wait > WAIT_CHANGED)
