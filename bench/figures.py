"""Percent of best, and how sure it is. Pure arithmetic on the throughputs of the rounds."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

# Two-sided 95 % points of Student's t by degrees of freedom; from 30 on it is taken for normal.
_T95 = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131),
    *(2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045),
)
_NORMAL = 1.960


@dataclass(frozen=True, slots=True, kw_only=True)
class Percent:
    """100 times the geometric mean of the ratios, with its 95 % interval; the interval is None with one round."""

    value: float
    low: float | None
    high: float | None


def half_width(values: Sequence[float]) -> float | None:
    """Half of the 95 % t-interval of the mean; None with fewer than two values."""
    if len(values) < 2:
        return None
    freedom = len(values) - 1
    t = _T95[freedom - 1] if freedom <= len(_T95) else _NORMAL
    return t * statistics.stdev(values) / math.sqrt(len(values))


def percent(ratios: Sequence[float]) -> Percent:
    """Of ratios of throughputs, one a round, each above 0."""
    logs = [math.log(ratio) for ratio in ratios]
    mean, half = statistics.fmean(logs), half_width(logs)
    return Percent(
        value=100 * math.exp(mean),
        low=None if half is None else 100 * math.exp(mean - half),
        high=None if half is None else 100 * math.exp(mean + half),
    )


def ratios_to_best(rounds: Sequence[dict[str, float]], of: str) -> list[float]:
    """For each round the throughput of `of` over that of the best in the same round.

    Which one is best is chosen from the *other* rounds: chosen from the same numbers it would look better than it is
    (the maximum of several noisy values is above the true one), and the autopilot worse. Only those that took part in
    every round can be the best.
    """
    everywhere = [name for name in rounds[0] if all(name in each for each in rounds)]
    ratios = []
    for number, here in enumerate(rounds):
        others = [each for index, each in enumerate(rounds) if index != number] or [here]
        best = max(everywhere, key=lambda name: statistics.fmean(math.log(each[name]) for each in others))
        ratios.append(here[of] / here[best])
    return ratios


def noise(rounds: Sequence[tuple[float, float]]) -> float | None:
    """Half of the 95 % interval, in percent, of the ratio between two generations of the same shape."""
    half = half_width([math.log(one / other) for one, other in rounds])
    return None if half is None else 100 * (math.exp(half) - 1)
