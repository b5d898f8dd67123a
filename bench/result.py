"""What the screen of one workload has found, and how far its figures can be trusted: values, and means over rounds."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.figures import Percent
from bench.load import Window
from bench.machine import Share
from bench.workload import Workload
from uwsgi_autopilot.api.shape import Shape

# A screen is short: beyond these its figures are marked as noisy, in percent.
MAX_NOISE = 5.0
MAX_FOREIGN = 5.0
MAX_STEAL = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One round of the finals. again: the second window of the grid's best shape, for the noise."""

    windows: dict[Shape, Window]
    again: Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One shape: the mean of its windows in `stage` (grid or final). refused: why it could not serve, else None."""

    shape: Shape
    stage: str
    rps: float
    p50_ms: float | None
    p99_ms: float | None
    failed: int
    refused: str | None = None

    @classmethod
    def of(cls, shape: Shape, stage: str, window: Window, refused: str | None = None) -> "Measured":
        return cls(
            shape=shape,
            stage=stage,
            rps=window.rps,
            p50_ms=window.p50_ms,
            p99_ms=window.p99_ms,
            failed=window.failed,
            refused=refused,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Flight:
    """seconds: from the first answer to the last change's end. changes: those taken back too. swaps: generations."""

    shape: Shape
    seconds: float
    changes: int
    swaps: int
    messages: list[str]


@dataclass(slots=True, kw_only=True)
class Result:
    """percent: the autopilot's shape against the best finalist. contestants: name to shape and percent of best.

    sent, failed: every request of the workload, changes included. noise: see figures.noise, percent.
    """

    workload: Workload
    generator: str
    flight: Flight
    measured: list[Measured]
    percent: Percent
    contestants: dict[str, tuple[Shape, float]]
    noise: float | None
    share: Share | None
    repeated: int
    rounds: list[dict[str, float]]
    sent: int = 0
    failed: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def best(self) -> Measured:
        return max((each for each in self.measured if each.stage == "final"), key=lambda each: each.rps)

    @property
    def doubts(self) -> list[str]:
        """Why the figures are less sure than they look."""
        found = []
        if self.noise is None or self.noise > MAX_NOISE:
            found.append(f"same shape twice: ±{self.noise or 100:.1f} %")
        if self.share and self.share.foreign > MAX_FOREIGN / 100:
            found.append(f"others used {self.share.foreign:.0%} of the CPUs")
        if self.share and self.share.steal > MAX_STEAL / 100:
            found.append(f"the hypervisor took {self.share.steal:.0%}")
        return found


def mean_of(rounds: Sequence[Round], shape: Shape) -> Window:
    """Means over the rounds in which the shape took part; the latencies' medians."""
    windows = [each.windows[shape] for each in rounds if shape in each.windows]
    p50 = [window.p50_ms for window in windows if window.p50_ms is not None]
    p99 = [window.p99_ms for window in windows if window.p99_ms is not None]
    return Window(
        rps=statistics.fmean(window.rps for window in windows),
        p50_ms=statistics.median(p50) if p50 else None,
        p99_ms=statistics.median(p99) if p99 else None,
        failed=sum(window.failed for window in windows),
    )
