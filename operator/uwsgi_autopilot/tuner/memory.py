"""What the tuner remembers between two calls: a small value that travels as JSON, at most MAX_JSON_BYTES."""

import json
from dataclasses import dataclass, replace
from typing import Any

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.report.reasons import Reason
from uwsgi_autopilot.tuner.decision import Decision
from uwsgi_autopilot.tuner.load import Load
from uwsgi_autopilot.tuner.phases import Event, Phase, after

VERSION = 1
MAX_JSON_BYTES = 8192
MOST_POINTS = 8
MOST_REJECTED = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What one shape did at this workload. Rates a second, times in seconds per request (see Load)."""

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
        return cls(
            shape=load.shape,
            throughput=load.throughput,
            demand=load.demand,
            in_service=load.in_service,
            service_s=load.service_s,
            cpu_s=load.cpu_s,
            wait_s=load.wait_s,
            error_share=load.error_share,
            samples=load.samples,
            spread=load.spread,
            foreign_cpu=load.foreign_cpu,
            cores=load.cores,
            cpu_full=load.cpu_full,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A shape that was tried and was not better, or was refused. up: it had more slots than the one it was tried from.

    demand: requests in the pod then; with twice as many the answer may differ. change: ln of the throughput there over
    that of the shape it was tried from; None: it never served.
    """

    shape: Shape
    up: bool
    demand: float
    change: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A change that was asked for. arrived_at: when it first served, settled; None: not yet.

    better: it was asked for because it should serve more; else it should serve the same with less. second: asked for
    in place of a shape that failed; `before` is still the one that served before that.
    """

    shape: Shape
    before: Point
    at: float
    reason: Reason
    better: bool
    arrived_at: float | None = None
    second: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """`Memory()` knows nothing.

    shape: the one that should serve now. since: only samples that began later count. pool_size: of this workload, once
    it was felt: a shape that fits it hides it. jumped: this workload had its
    first jump. changes: made for this workload. not_before: no new change earlier. fruitless: workload changes in a
    row whose changes had to be taken back. seq, at, decision: the newest sample that was judged, and the answer.
    """

    phase: Phase = Phase.OBSERVE
    shape: Shape | None = None
    since: float | None = None
    asked: Asked | None = None
    points: tuple[Point, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    reference: Point | None = None
    pool_size: int | None = None
    jumped: bool = False
    changes: int = 0
    fruitless: int = 0
    not_before: float | None = None
    said: Reason | None = None
    recommended: Shape | None = None
    seq: int | None = None
    at: float | None = None
    decision: Decision | None = None

    def on(self, event: Event) -> "Memory":
        return replace(self, phase=after(self.phase, event))

    def with_point(self, point: Point) -> "Memory":
        """One point for each shape and rough number of requests in service, the newest."""

        def same(other: Point) -> bool:
            ratio = max(other.in_service, 0.1) / max(point.in_service, 0.1)
            return other.shape == point.shape and 0.67 < ratio < 1.5

        others = tuple(each for each in self.points if not same(each))
        return replace(self, points=(*others, point)[-MOST_POINTS:])

    def with_rejected(self, shape: Shape, *, up: bool, demand: float, change: float | None = None) -> "Memory":
        others = tuple(each for each in self.rejected if each.shape != shape)
        new = Rejected(shape=shape, up=up, demand=demand, change=change)
        return replace(self, rejected=(*others, new)[-MOST_REJECTED:])

    def forgetting(self, since: float) -> "Memory":
        """The workload is another one: what was learnt about shapes is void. Must be followed by an event.

        Two failures before it may have been due to a workload that was changing; three and more say that our changes
        bring nothing here, whatever the workload is called, and the pause stays.
        """
        pause = self.not_before if self.fruitless >= 3 else None
        return replace(
            self,
            since=since,
            asked=None,
            points=(),
            rejected=(),
            reference=None,
            pool_size=None,
            jumped=False,
            changes=0,
            said=None,
            recommended=None,
            not_before=pause,
        )

    def to_json(self) -> dict[str, Any]:
        return {"version": VERSION, **{name: _plain(getattr(self, name)) for name in self.__slots__}}

    @classmethod
    def from_json(cls, data: Any) -> "Memory":
        """Fresh memory for another version. Raises ValueError for what is no memory at all."""
        if not isinstance(data, dict) or "version" not in data:
            raise ValueError("expected an object with a version")
        if data["version"] != VERSION:
            return cls()
        try:
            return cls(
                phase=Phase(data["phase"]),
                shape=_shape(data["shape"]),
                since=data["since"],
                asked=None if data["asked"] is None else _asked(data["asked"]),
                points=tuple(_point(each) for each in data["points"]),
                rejected=tuple(
                    Rejected(**{**each, "shape": Shape.from_json(each["shape"])}) for each in data["rejected"]
                ),
                reference=None if data["reference"] is None else _point(data["reference"]),
                pool_size=data["pool_size"],
                jumped=data["jumped"],
                changes=data["changes"],
                fruitless=data["fruitless"],
                not_before=data["not_before"],
                said=None if data["said"] is None else Reason(data["said"]),
                recommended=_shape(data["recommended"]),
                seq=data["seq"],
                at=data["at"],
                decision=None if data["decision"] is None else Decision.from_json(data["decision"]),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"expected a memory of version {VERSION}, found {error}") from None

    def to_text(self) -> str:
        return json.dumps(self.to_json(), separators=(",", ":"))


def _plain(value: Any) -> Any:
    if isinstance(value, Shape | Decision):
        return value.to_json()
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Point | Rejected | Asked):
        return {name: _plain(getattr(value, name)) for name in value.__slots__}
    if isinstance(value, Phase | Reason):
        return value.value
    if isinstance(value, float):
        return float(f"{value:.9g}") if abs(value) < 1e6 else round(value, 3)
    return value


def _shape(data: Any) -> Shape | None:
    return None if data is None else Shape.from_json(data)


def _point(data: dict[str, Any]) -> Point:
    return Point(**{**data, "shape": Shape.from_json(data["shape"])})


def _asked(data: dict[str, Any]) -> Asked:
    return Asked(
        **{
            **data,
            "shape": Shape.from_json(data["shape"]),
            "before": _point(data["before"]),
            "reason": Reason(data["reason"]),
        }
    )
