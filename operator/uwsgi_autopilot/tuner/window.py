"""Which samples may be averaged: settled ones of one shape, and of one load.

Only settled samples of the newest generation, with all of its workers live, count, from SETTLE_S after its last change:
the first requests of a new generation meet cold caches, and those around a swap belong to two shapes.
"""

import math
from collections.abc import Sequence
from statistics import median

from uwsgi_autopilot.api.sample import Sample

SETTLE_S = 2.0  # after a swap: the first requests of a generation meet cold caches
SETTLE_WORKERS_S = 1.0  # after more or fewer workers of the same generation
GAP_S = 4.0  # readings further apart than this are two windows
# From this ratio of requests in the pod on, it is another load and not more of the same: health checks, then the first
# clients. Below FEW_INSIDE requests come and go by chance.
ANOTHER_LOAD = 4.0
FEW_INSIDE = 4.0


def window(samples: Sequence[Sample], *, since: float = -math.inf) -> list[Sample]:
    """The settled samples of the newest shape and generation, oldest first; [] while something is changing, or some of
    its workers are put away."""
    run: list[Sample] = []
    for sample in reversed(samples):
        newer = run[-1] if run else None
        # A sample that spans as much is a time in which nobody could look; it says nothing about now.
        broken = (
            not sample.settled
            or sample.seconds > GAP_S
            or (
                newer is not None
                and (
                    sample.shape != newer.shape or sample.generation != newer.generation or newer.at - sample.at > GAP_S
                )
            )
        )
        # With workers put away, it says nothing about the whole shape.
        if broken or sample.parked:
            settle_s = SETTLE_S if _swapped(samples, newer) else SETTLE_WORKERS_S
            run = [each for each in run if each.at - each.seconds >= sample.at + settle_s - 0.5]
            break
        run.append(sample)
    run.reverse()
    return [each for each in run if each.at - each.seconds >= since - 0.5]


def of_one_load(samples: list[Sample]) -> list[Sample]:
    """Without the samples before the load of the newest second: a mean over two loads describes neither."""
    total = 0.0
    for count, sample in enumerate(reversed(samples)):
        inside = sample.inside
        if count and another_load(inside, total / count):
            return samples[-count:]
        total += inside
    return samples


def another_load(one: float, other: float) -> bool:
    """Do these two numbers of requests in the pod belong to two different loads?"""
    return max(one, other) >= max(FEW_INSIDE, ANOTHER_LOAD * min(one, other))


def without_ramp(samples: list[Sample]) -> list[Sample]:
    """Drop the seconds before the load came and the one in which it came."""
    if not samples:
        return samples
    usual = median(each.requests for each in samples[-5:])
    first = next((index for index, each in enumerate(samples) if each.requests >= 0.6 * usual), 0)
    return samples[first:]


def _swapped(samples: Sequence[Sample], newer: Sample | None) -> bool:
    """Did another generation serve before the last change?"""
    if newer is None:
        return True
    before = next(
        (each for each in reversed(samples) if each.settled and each.at < newer.at and each.shape != newer.shape), None
    )
    return before is None or before.generation != newer.generation
