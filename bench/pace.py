"""How long everything takes: to see whether it works, in the quick look, and in the full measurement."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """A window is (seconds left out, seconds measured).

    The autopilot's part lasts from `flight_at_least_s` to `flight_s`. It ends when nothing has changed for `calm_s`
    (the verdict on a change takes up to 15 s, and a search has several), or for `settled_s` while the tuner says that
    it knows nothing better. looks: the most shapes of the grid. finalists: how many of them are measured
    again in the rounds. rounds: at least; up to `rounds_at_most`, until no flight's interval is wider than ± `sure`
    percent. repeats: how many windows of the finals may be measured again because others used the machine. block: a
    window of the latency that is compared; it has `blocks` of them.
    """

    flight_s: float = 60.0
    flight_at_least_s: float = 30.0
    calm_s: float = 15.0
    settled_s: float = 8.0
    look: tuple[float, float] = (0.5, 1.5)
    looks: int = 25
    final: tuple[float, float] = (0.5, 2.0)
    finalists: int = 2
    rounds: int = 4
    rounds_at_most: int = 4
    sure: float = 4.0
    repeats: int = 12
    block: tuple[float, float] = (1.0, 4.0)
    blocks: int = 4


# A slow import, and whatever else makes each shape dear: so many of the grid.
FEW_LOOKS = 12
SCREEN = Pace()
# Does it work at all, and is something badly wrong? About a minute and a half a workload.
QUICK = Pace(
    flight_s=45.0,
    flight_at_least_s=20.0,
    calm_s=12.0,
    settled_s=5.0,
    look=(0.3, 0.7),
    looks=FEW_LOOKS,
    final=(0.3, 1.2),
    finalists=1,
    rounds=3,
    rounds_at_most=3,
    repeats=3,
    block=(0.7, 3.0),
    blocks=3,
)
# Three flights, each from another start, and finals with more who take part.
FULL = Pace(
    flight_s=120.0,
    flight_at_least_s=30.0,
    calm_s=20.0,
    settled_s=8.0,
    look=(0.5, 1.5),
    final=(1.0, 2.5),
    finalists=3,
    rounds=5,
    rounds_at_most=8,
    sure=3.0,
    repeats=16,
    block=(1.0, 5.0),
    blocks=8,
)
