"""What the screen of one workload has found, and how far its figures can be trusted: values, and means over rounds."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.figures import Percent
from bench.latency import Latency
from bench.load import Window, mean_of_windows
from bench.machine import Share
from bench.workload import Workload
from uwsgi_autopilot.api.shape import Shape

# A screen is short: beyond these its figures are marked as noisy, in percent.
MAX_NOISE = 5.0
MAX_FOREIGN = 5.0
MAX_STEAL = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One round of the finals. again: the second window of the grid's best shape, for the noise. rivals: by name, what
    other servers did (rivals.py)."""

    windows: dict[Shape, Window]
    again: Window
    rivals: dict[str, Window] = field(default_factory=dict)


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
    """seconds: from the first answer to the last change's end. changes: those taken back too. swaps: generations.
    messages: its decisions, and what it said at the end.
    path: since when each shape served, in seconds after the first answer; it begins with the one at the start.
    percent: of its shape against the best finalist; None until the finals are over. share: of the CPUs meanwhile.
    course: (seconds after the agent's first sample of it, requests/s, p99 in ms or None), a sample each."""

    start: Shape
    shape: Shape
    seconds: float
    changes: int
    swaps: int
    messages: list[str]
    path: list[tuple[float, Shape]]
    percent: Percent | None = None
    share: Share | None = None
    course: list[tuple[float, float, float | None]] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Result:
    """flights: one from each start. contestants: name to shape and percent of best. rivals: name to percent of best.

    sent, failed: every request of the workload, changes included. noise: see figures.noise, percent. spent: seconds, by
    what they were spent on. latency: one for each flight, where that is what is judged.
    """

    workload: Workload
    generator: str
    flights: list[Flight]
    measured: list[Measured]
    contestants: dict[str, tuple[Shape, float]]
    rivals: dict[str, float]
    noise: float | None
    share: Share | None
    repeated: int
    rounds: list[dict[str, float]]
    sent: int = 0
    failed: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    spent: dict[str, float] = field(default_factory=dict)
    latency: Sequence[Latency] = ()

    @property
    def flight(self) -> Flight:
        return self.flights[0]

    @property
    def percent(self) -> Percent:
        assert self.flight.percent is not None
        return self.flight.percent

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
        foreign = max((each.share.foreign for each in self.flights if each.share), default=0.0)
        if foreign > MAX_FOREIGN / 100:
            found.append(f"others used {foreign:.0%} of the CPUs in a flight")
        if self.share and self.share.steal > MAX_STEAL / 100:
            found.append(f"the hypervisor took {self.share.steal:.0%}")
        return found


def mean_of(rounds: Sequence[Round], shape: Shape) -> Window:
    """Means over the rounds in which the shape took part; the latencies' medians."""
    return mean_of_windows([each.windows[shape] for each in rounds if shape in each.windows])
