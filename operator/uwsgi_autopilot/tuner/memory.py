"""What the tuner remembers between two questions: a small value that travels as JSON, at most MAX_JSON_BYTES."""

import json
from dataclasses import dataclass, replace
from typing import Any

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.report.reasons import Reason
from uwsgi_autopilot.tuner.point import Point, rounded

VERSION = 3
MAX_JSON_BYTES = 8192
MOST_POINTS = 8
MOST_REJECTED = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A shape that was tried and was no better, or that was refused. up: it had more slots than the shape before.

    demand: requests in the pod then; with twice as many the answer may differ. change: ln of its throughput over that
    of the shape before; None: it never served. at: when it failed, on the samples' clock; None: that was set back.
    cpu_s, wait_s: per request, as they were before the workload changed; None while it is that of the trial.
    """

    shape: Shape
    up: bool
    demand: float
    change: float | None = None
    at: float | None = None
    cpu_s: float | None = None
    wait_s: float | None = None

    def beyond(self, known: Point) -> "Rejected":
        """After a change of the workload, which behaved like `known` until then."""
        return self if self.cpu_s is not None else replace(self, cpu_s=known.cpu_s, wait_s=known.wait_s)

    def to_json(self) -> dict[str, Any]:
        return {**{name: rounded(getattr(self, name)) for name in self.__slots__}, "shape": self.shape.to_json()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """`Memory()` knows nothing.

    since: only samples that began later count. settled: nothing better is known, so nothing is probed; the tuner only
    watches for changes. points: what was measured for this workload. rejected: what is not proposed for it again.
    reference: how it behaved when this shape was settled. returned_to: how the previous shape did before a trial that
    was taken back, until that is compared with how it does now. pool_size: of this workload, once noticed: a shape that
    fits the pool hides it. jumped: this workload had its first jump. changes: proposed for this workload, ways back
    included. not_before: no new change earlier. fruitless: trials in a row that were taken back, whatever the workload.
    said: the limit named last. recommended: the shape recommended last. at: of the newest sample seen.
    """

    since: float | None = None
    settled: bool = False
    points: tuple[Point, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    reference: Point | None = None
    returned_to: Point | None = None
    pool_size: int | None = None
    jumped: bool = False
    changes: int = 0
    fruitless: int = 0
    not_before: float | None = None
    said: Reason | None = None
    recommended: Shape | None = None
    at: float | None = None

    def seen(self, at: float) -> "Memory":
        """After a sample of that instant; a fresh memory when the clock restarted (another boot)."""
        known = Memory() if self.at is not None and at < self.at else self
        return replace(known, at=at)

    def with_point(self, point: Point) -> "Memory":
        """Keeps the newest point for each shape and rough number of requests in service."""

        def same(other: Point) -> bool:
            ratio = max(other.in_service, 0.1) / max(point.in_service, 0.1)
            return other.shape == point.shape and 0.67 < ratio < 1.5

        others = tuple(each for each in self.points if not same(each))
        return replace(self, points=(*others, point)[-MOST_POINTS:])

    def with_rejected(self, shape: Shape, *, up: bool, demand: float, change: float | None = None) -> "Memory":
        others = tuple(each for each in self.rejected if each.shape != shape)
        new = Rejected(shape=shape, up=up, demand=demand, change=change, at=self.at)
        return replace(self, rejected=(*others, new)[-MOST_REJECTED:])

    def without_rejected(self, shape: Shape) -> "Memory":
        """It serves well after all."""
        return replace(self, rejected=tuple(each for each in self.rejected if each.shape != shape))

    def without_instants(self) -> "Memory":
        """The clock was set back: what is learnt stays."""
        rejected = tuple(replace(each, at=None) for each in self.rejected)
        return replace(self, at=None, since=None, not_before=None, rejected=rejected)

    def reset(self, since: float, known: Point | None = None) -> "Memory":
        """The workload changed: what was measured is void.

        known: how it behaved until then. What was tried in vain is remembered with that, since the alarm may have been
        noise, and the change too small for another answer. None: the bounds changed, and nothing is remembered.
        One or two failures before that may have been due to the change itself. Three or more say that changes bring
        nothing here, whatever the workload, and the pause stays.
        """
        pause = self.not_before if self.fruitless >= 3 else None
        served = [each for each in self.rejected if each.change is not None]
        rejected = () if known is None else tuple(each.beyond(known) for each in served)
        return Memory(since=since, rejected=rejected, fruitless=self.fruitless, not_before=pause, at=self.at)

    def to_json(self) -> dict[str, Any]:
        return {"version": VERSION, **{name: _plain(getattr(self, name)) for name in self.__slots__}}

    @classmethod
    def from_json(cls, data: Any) -> "Memory":
        """A fresh memory for another version. Raises ValueError for what is not a memory."""
        if not isinstance(data, dict) or "version" not in data:
            raise ValueError("expected an object with a version")
        if data["version"] != VERSION:
            return cls()
        try:
            return cls(
                since=data["since"],
                settled=data["settled"],
                points=tuple(Point.from_json(each) for each in data["points"]),
                rejected=tuple(
                    Rejected(**{**each, "shape": Shape.from_json(each["shape"])}) for each in data["rejected"]
                ),
                reference=None if data["reference"] is None else Point.from_json(data["reference"]),
                returned_to=None if data["returned_to"] is None else Point.from_json(data["returned_to"]),
                pool_size=data["pool_size"],
                jumped=data["jumped"],
                changes=data["changes"],
                fruitless=data["fruitless"],
                not_before=data["not_before"],
                said=None if data["said"] is None else Reason(data["said"]),
                recommended=None if data["recommended"] is None else Shape.from_json(data["recommended"]),
                at=data["at"],
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"expected a memory of version {VERSION}, found {error}") from None

    def to_text(self) -> str:
        return json.dumps(self.to_json(), separators=(",", ":"))


def _plain(value: Any) -> Any:
    if isinstance(value, Shape | Point | Rejected):
        return value.to_json()
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return value.value if isinstance(value, Reason) else rounded(value)
