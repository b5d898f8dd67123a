"""What every collector is, and what it is given."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from uwsgi_autopilot.agent.generation import Generation


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """The running generations: counters are taken from all of them, because two run during an overlap."""

    serving: Generation | None
    all: Sequence[Generation] = ()

    @property
    def pids(self) -> list[int]:
        """Of all live workers."""
        return [pid for generation in self.all for pid in generation.pids]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The time since the last Sample. now: monotonic seconds. fields: what earlier collectors have filled in."""

    now: float
    seconds: float
    running: Running
    fields: dict[str, Any] = field(default_factory=dict)


class Collector(ABC):
    """Keeps what it needs from one call to the next. What it raises is logged once; its fields then keep their
    defaults."""

    def look(self, running: Running) -> None:  # noqa: B027  # most have nothing to look at between samples
        """Ten times a second, for what must be sampled."""

    @abstractmethod
    def collect(self, window: Window) -> dict[str, Any]:
        """Its fields of the Sample. A value that cannot be seen is left out, never 0."""

    def fill(self, window: Window) -> None:
        window.fields.update(self.collect(window))


class Growth:
    """How much per-key counters have grown in total since the last `take`. A counter restarts with its owner; the total
    never goes backwards."""

    def __init__(self) -> None:
        self._last: dict[object, float] = {}
        self._sum = 0.0

    def saw(self, key: object, value: float) -> float:
        """A value seen for the first time counts in full: counters start at 0 with their owner. Returns how much it
        grew."""
        grown = max(0.0, value - self._last.get(key, 0.0))
        self._last[key] = value
        self._sum += grown
        return grown

    def knows(self, key: object) -> bool:
        return key in self._last

    def forget_all_but(self, keys: set[object]) -> None:
        self._last = {key: value for key, value in self._last.items() if key in keys}

    def take(self) -> float:
        grown, self._sum = self._sum, 0.0
        return grown
