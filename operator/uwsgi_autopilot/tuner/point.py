"""How one shape did under one workload: the figures of a Load that are worth remembering."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.tuner.load import Load


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Rates a second, times in seconds per request (see Load)."""

    shape: Shape
    throughput: float
    demand: float
    in_service: float
    service_s: float
    cpu_s: float
    wait_s: float
    error_share: float
    samples: int
    spread: float
    foreign_cpu: float
    cores: float
    cpu_full: bool

    @classmethod
    def of(cls, load: Load) -> "Point":
        return cls(**{name: getattr(load, name) for name in cls.__slots__})

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
    return float(f"{value:.9g}") if abs(value) < 1e6 else round(value, 3)
