"""Clients of two pages whose shares change: in a flight every ALTERNATE_S, in a window each share for its part of it.

A fixed shape is compared by what it serves over all shares. Were the load to alternate by the clock there, too, one
shape's window would hold one share and another's the other.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from bench.load import BuiltIn, Idle, Window

# Long enough for the tuner to see a share by itself, shorter than a search.
ALTERNATE_S = 20.0
# As many changes as the longest flight needs: each phase of the generator has connections of its own.
PHASES = 16


@dataclass
class Alternating:
    """mixes: what the generator is asked for in each of the shares."""

    mixes: Sequence[Sequence[str]]
    url: str
    record: int | None = None
    name: str = "built-in"

    def __post_init__(self) -> None:
        phases = [
            f"{load},from={ALTERNATE_S * number}s,for={ALTERNATE_S}s"
            for number in range(PHASES)
            for load in self.mixes[number % len(self.mixes)]
        ]
        self._flight = BuiltIn(phases, self.url, record=self.record)
        self._each = [BuiltIn(loads, self.url, record=self.record) for loads in self.mixes]

    @property
    def sent(self) -> int:
        return sum(each.sent for each in self._all)

    @property
    def failed(self) -> int:
        return sum(each.failed for each in self._all)

    @property
    def failures(self) -> dict[str, int]:
        return dict(sum((Counter(each.failures) for each in self._all), Counter()))

    @property
    def _all(self) -> list[BuiltIn]:
        return [self._flight, *self._each]

    def keep_going(self) -> None:
        self._flight.keep_going()

    def window(self, warm_s: float, seconds: float, idle: Idle) -> Window:
        """Means over the shares; p99: the worst."""
        self._flight.stop()
        found = []
        for each in self._each:
            found.append(each.window(warm_s, seconds / len(self._each), idle))
            each.stop()
        return Window(
            rps=fmean(each.rps for each in found),
            p50_ms=max((each.p50_ms for each in found if each.p50_ms is not None), default=None),
            p99_ms=max((each.p99_ms for each in found if each.p99_ms is not None), default=None),
            failed=sum(each.failed for each in found),
        )

    def first_answer(self) -> float | None:
        return self._flight.first_answer()

    def stop(self) -> None:
        for each in self._all:
            each.stop()

    def abandon(self) -> None:
        for each in self._all:
            each.abandon()
