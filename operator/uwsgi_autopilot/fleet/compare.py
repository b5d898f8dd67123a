"""One pod compared with the others over the same seconds, relative to before; and whether all are overloaded. Pure.

A Service gives every pod the same share of the requests, so a pod that tries a better shape need not serve more of
them. What tells is the time that a request spends in the pod (requests inside / throughput, Little's law).
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.fleet.pod import Figures, Pod, Pods, figures_of
from uwsgi_autopilot.tuner.comparison import errors_by_chance, more_fail
from uwsgi_autopilot.tuner.point import rounded

COMPARE_S = 5.0
LEAST_S = 3.0
SETTLE_S = 2.0
# ln of how much longer requests may stay in the trying pod than in the others before the trial ends at once.
WORSE = 0.25
FEWEST_REQUESTS = 50.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """Just before the trial: seconds that a request spends in the trying pod and in the others, and their errors."""

    tried_s: float
    others_s: float
    tried_errors: float
    others_errors: float

    @classmethod
    def of(cls, tried: Figures | None, others: Figures | None) -> "Baseline | None":
        if tried is None or others is None or tried.time_inside_s is None or others.time_inside_s is None:
            return None
        return cls(
            tried_s=max(tried.time_inside_s, 1e-6),
            others_s=max(others.time_inside_s, 1e-6),
            tried_errors=tried.errors,
            others_errors=others.errors,
        )

    def to_json(self) -> dict[str, float]:
        return {name: rounded(value) for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Baseline":
        """Raises KeyError, TypeError, ValueError."""
        return cls(**{name: float(data[name]) for name in cls.__slots__})


def others_of(pods: Pods, pod: Pod, shape: Shape, since: float = 0.0) -> Figures | None:
    """Figures of all other pods together that serve `shape`, the promoted one, and are not changing."""
    chosen = []
    for other in pods.values():
        if other.uid != pod.uid and other.settled and other.shape == shape and other.samples:
            newest = other.samples[-1].at
            chosen += [each for each in other.samples if each.at > max(newest - COMPARE_S, since)]
    return figures_of(chosen)


def worse_since(arrived_at: float | None, pod: Pod, baseline: Baseline | None, pods: Pods, shape: Shape) -> str | None:
    """`worse_off` over the seconds in which the tried shape has served; None while there are too few."""
    if arrived_at is None or not pod.settled:
        return None
    since = arrived_at + SETTLE_S
    tried = pod.figures(COMPARE_S, since=since)
    if tried is None or tried.seconds < LEAST_S:
        return None
    return worse_off(baseline, tried, others_of(pods, pod, shape, since))


def worse_off(baseline: Baseline | None, tried: Figures | None, others: Figures | None) -> str | None:
    """One sentence when the trying pod does clearly worse than the others, relative to before; else None."""
    now = Baseline.of(tried, others)
    if baseline is None or now is None or tried is None or others is None:
        return None
    if min(tried.requests, others.requests) < FEWEST_REQUESTS:
        return None
    errors = (now.tried_errors - now.others_errors) - (baseline.tried_errors - baseline.others_errors)
    # The windows before were about as long.
    share = max(baseline.tried_errors, baseline.others_errors)
    chance = errors_by_chance(share, tried.requests / 2, others.requests / 2)
    if more_fail(errors, tried.errors * tried.requests, chance=chance):
        return f"{tried.errors:.0%} of its requests fail, {others.errors:.0%} of the other pods'"
    longer = math.log(now.tried_s / baseline.tried_s) - math.log(now.others_s / baseline.others_s)
    if longer > WORSE and now.tried_s > baseline.tried_s * 1.1:
        return (
            f"requests spend {now.tried_s * 1000:.0f} ms in it ({baseline.tried_s * 1000:.0f} ms before), "
            f"{now.others_s * 1000:.0f} ms in the other pods ({baseline.others_s * 1000:.0f} ms before)"
        )
    return None


def overloaded(figures: Figures | None) -> bool:
    """Requests queue longer than anyone should wait: over a second, and over five times their service time."""
    if figures is None or figures.queue < 5:
        return False
    if figures.rps <= 0:
        return True
    return figures.queue / figures.rps > max(1.0, 5.0 * (figures.service_s or 0.0))


def most_overloaded(pods: Pods) -> bool:
    """At least half of the pods."""
    count = sum(overloaded(pod.figures(LEAST_S)) for pod in pods.values())
    return 2 * count >= len(pods)
