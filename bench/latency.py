"""Latency under arrivals that do not wait for answers: the autopilot's shape against the best of the ties, in blocks.

Ties are the finalists that serve as many requests/s as the best, within the noise; the reference of mean and p99 is the
lowest of them, chosen in other blocks than the one that is compared. The latency runs from the scheduled instant.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from bench import grid
from bench.figures import Percent, percent, ratios_to_best
from bench.fixed import FixedShapes
from bench.load import BuiltIn, Window, mean_of_windows
from bench.pace import Pace
from uwsgi_autopilot.api.shape import Shape

# Above, the generator itself would be seen.
MAX_RATE = 500.0
MAX_LATENESS_MS = 1.0
# How far behind the best a tie may be, in percent, and how many of them are measured.
TIE = 2.0
MAX_TIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """rate: requests/s. shapes: means over the blocks. mean, p99: of the found shape, in percent of the lowest of the
    ties (100: level, 110: a tenth longer). lateness_ms: p99 of how late the generator was; above MAX_LATENESS_MS
    nothing is judged."""

    rate: float
    shapes: dict[Shape, Window]
    found: Shape
    mean: Percent
    p99: Percent
    lateness_ms: float | None

    @property
    def judged(self) -> bool:
        return self.lateness_ms is not None and self.lateness_ms <= MAX_LATENESS_MS


def ties(values: dict[Shape, float], noise: float | None) -> list[Shape]:
    """The best ones, best first. values: requests/s. noise: of the ratio of two, in percent."""
    within = max(TIE, min(noise or 0.0, 2 * TIE))
    best = max(values.values())
    found = [shape for shape, rps in values.items() if rps >= best * (1 - within / 100)]
    return grid.leaders({shape: values[shape] for shape in found}, MAX_TIES)


def compare(
    fixed: FixedShapes, load: BuiltIn, found: Shape, others: Sequence[Shape], *, rate: float, pace: Pace, draw: Random
) -> Latency:
    """fixed: with `load`, which arrives at `rate`. Raises NotServing."""
    shapes = list(dict.fromkeys([found, *others]))
    blocks: list[dict[Shape, Window]] = []
    last: Shape | None = None
    for _ in range(pace.blocks):
        block = {}
        for shape in grid.shuffled(shapes, after=last, draw=draw):
            block[shape] = fixed.look(shape, *pace.block).window
            last = shape
        blocks.append(block)
    load.stop()
    return Latency(
        rate=rate,
        shapes={shape: mean_of_windows([each[shape] for each in blocks]) for shape in shapes},
        found=found,
        mean=_of_lowest([{str(s): w.mean_ms for s, w in each.items()} for each in blocks], str(found)),
        p99=_of_lowest([{str(s): w.p99_ms for s, w in each.items()} for each in blocks], str(found)),
        lateness_ms=load.lateness_ms,
    )


def _of_lowest(blocks: Sequence[dict[str, float | None]], found: str) -> Percent:
    """The lowest latency is the highest inverse."""
    inverse = [{shape: 1 / value if value else 1e-6 for shape, value in each.items()} for each in blocks]
    return percent([1 / ratio for ratio in ratios_to_best(inverse, found)])
