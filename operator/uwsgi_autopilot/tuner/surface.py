"""What the measured points say beyond the model: a Gaussian process over the logarithms of processes and threads.

Before anything is measured the model alone speaks (model.py). A point that did better or worse than the model thought
moves what is expected of its neighbours, and makes it more certain; far away little changes. Points of a workload that
resembles the present one count as well, the less the less they resemble it: a phase that returns finds its shape known.
"""

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from uwsgi_autopilot.api.shape import Shape

# Standard deviations of ln(throughput): of the model's error, and of its trend for each factor of e.
ERROR = 0.045
TREND_PROCESSES = 0.02
TREND_THREADS = 0.02
# Where points differ from the model by more than that, all of it is less sure: by so much at most.
MOST_DOUBT = 3.0
# How many points the figures above are worth: two points alone say little about how wrong the model is.
TRUST = 3.0
# Factors (ln) of processes and of threads over which the model's error stays alike.
ALIKE_PROCESSES = 0.9
ALIKE_THREADS = 1.1
# The model's absolute figures are rough: only ratios count, so a common factor is left open.
ABSOLUTE = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """missed: ln of what a shape did over what the model expected of it. error: its standard deviation. common: that of
    what is wrong with all points of another workload alike."""

    shape: Shape
    missed: float
    error: float
    common: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """Of a shape, compared with the present one: ln(throughput / present throughput), and its standard deviation."""

    gain: float
    error: float


class Surface:
    """model: ln of what the model expects of a shape. guess: a part of that which may as well be nothing, or twice as
    much, of all shapes alike. here: the present shape."""

    def __init__(
        self,
        here: Shape,
        measured: Sequence[Measured],
        model: Callable[[Shape], float],
        guess: Callable[[Shape], float] = lambda _: 0.0,
    ) -> None:
        self.here = here
        self.model = model
        self._guess = cache(lambda shape: guess(shape) - guess(here))
        self.measured = measured
        missed = [each.missed for each in measured]
        self._doubt = 1.0
        self._factor = self._factored()
        self._weights = self._solve(missed)
        if len(measured) > 1:
            # What the points say of the model: the mean square of what it missed, in units of what it was to miss.
            surprise = sum(one * other for one, other in zip(missed, self._weights, strict=True))
            doubt = (surprise + TRUST) / (len(measured) - 1 + TRUST)
            self._doubt = min(max(doubt, 1.0), MOST_DOUBT**2)
            self._factor = self._factored()
            self._weights = self._solve(missed)
        self._to_here = [self._alike(here, each.shape) for each in measured]
        self._at_here = model(here)

    def expected(self, shape: Shape) -> Expected:
        spans = [self._alike(shape, each.shape) - here for each, here in zip(self.measured, self._to_here, strict=True)]
        before = self._alike(shape, shape) + self._alike(self.here, self.here) - 2 * self._alike(shape, self.here)
        known = sum(each * each for each in self._forward(spans))
        gain = self.model(shape) - self._at_here
        gain += sum(span * weight for span, weight in zip(spans, self._weights, strict=True))
        return Expected(gain=gain, error=math.sqrt(max(0.0, before - known)))

    def _factored(self) -> list[list[float]]:
        return _cholesky(
            [
                [
                    self._alike(a.shape, b.shape) + a.common * b.common + (a.error**2 if a is b else 0.0)
                    for b in self.measured
                ]
                for a in self.measured
            ]
        )

    def _alike(self, one: Shape, other: Shape) -> float:
        """Covariance of what the model does not know of two shapes."""
        here = self.here
        processes = math.log(one.processes / other.processes) / ALIKE_PROCESSES
        threads = math.log(one.threads / other.threads) / ALIKE_THREADS
        near = ERROR**2 * math.exp(-(processes**2 + threads**2) / 2)
        trend = (
            TREND_PROCESSES**2 * math.log(one.processes / here.processes) * math.log(other.processes / here.processes)
        )
        trend += TREND_THREADS**2 * math.log(one.threads / here.threads) * math.log(other.threads / here.threads)
        return self._doubt * (near + trend) + self._guess(one) * self._guess(other) + ABSOLUTE**2

    def _forward(self, right: Sequence[float]) -> list[float]:
        """factor x = right."""
        found: list[float] = []
        for row, value in zip(self._factor, right, strict=True):
            done = sum(map(operator.mul, row, found))
            found.append((value - done) / row[len(found)])
        return found

    def _solve(self, right: Sequence[float]) -> list[float]:
        """matrix x = right, by the factor."""
        factor, forward = self._factor, self._forward(right)
        solution = [0.0] * len(right)
        for row in reversed(range(len(right))):
            done = sum(factor[column][row] * solution[column] for column in range(row + 1, len(right)))
            solution[row] = (forward[row] - done) / factor[row][row]
        return solution


def _cholesky(matrix: Sequence[Sequence[float]]) -> list[list[float]]:
    """The lower factor of a positive definite matrix."""
    factor: list[list[float]] = []
    for row, values in enumerate(matrix):
        factor.append([0.0] * len(matrix))
        for column in range(row + 1):
            rest = values[column] - sum(factor[row][each] * factor[column][each] for each in range(column))
            factor[row][column] = math.sqrt(max(rest, 1e-12)) if row == column else rest / factor[column][column]
    return factor
