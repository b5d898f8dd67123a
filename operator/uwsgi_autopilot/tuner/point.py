"""How one shape did under one workload: the figures of a Load that are worth remembering."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.tuner.load import Load

MOST_SAMPLES = 30  # older ones would outweigh what the machine does now
SAME_LOAD = 1.3  # ratio of requests in the pod up to which two windows are of one load
OLD_S = 120.0  # a machine is no longer what it was
AVERAGED = ("throughput", "demand", "in_service", "service_s", "cpu_s", "wait_s", "foreign_cpu")


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Rates a second, times in seconds per request (see Load). began, at: from when, and to when, it was measured."""

    shape: Shape
    began: float
    at: float
    throughput: float
    demand: float
    in_service: float
    service_s: float
    cpu_s: float
    wait_s: float
    error_share: float
    samples: int
    spread: float
    time_spread: float
    foreign_cpu: float
    cores: float
    cpu_full: bool
    closed: bool
    overrun: bool
    slots_full: bool

    @classmethod
    def of(cls, load: Load, *, began: float = 0.0) -> "Point":
        return cls(began=began, **{name: getattr(load, name) for name in cls.__slots__ if name != "began"})

    @property
    def time_s(self) -> float:
        """Seconds that a request spends in the pod, queueing included (Little's law)."""
        return self.demand / max(self.throughput, 1e-3)

    def same_window(self, other: "Point") -> bool:
        return (self.shape, self.began) == (other.shape, other.began) and self.like(other)

    def like(self, other: "Point") -> bool:
        """Of about the same load, and not much older."""
        ratio = max(other.demand, 0.1) / max(self.demand, 0.1)
        return 1 / SAME_LOAD < ratio < SAME_LOAD and other.at - self.at < OLD_S

    def with_newer(self, newer: "Point") -> "Point":
        """Both windows as one, in the newer one's circumstances."""
        older = max(1, min(self.samples, MOST_SAMPLES - min(newer.samples, MOST_SAMPLES)))
        share = older / (older + newer.samples)
        means = {name: share * getattr(self, name) + (1 - share) * getattr(newer, name) for name in AVERAGED}
        return replace(newer, samples=older + newer.samples, **means)

    def to_json(self) -> dict[str, Any]:
        data = {name: rounded(getattr(self, name)) for name in self.__slots__}
        return {**data, "shape": self.shape.to_json()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Point":
        """Raises KeyError, TypeError, ValueError."""
        return cls(**{**data, "shape": Shape.from_json(data["shape"])})


def rounded(value: Any) -> Any:
    """A float with as many digits as are worth storing, anything else as it is."""
    if not isinstance(value, float):
        return value
    return float(f"{value:.6g}") if abs(value) < 1e6 else round(value, 3)
