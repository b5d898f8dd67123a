"""What the tuner remembers between two questions: a small value that travels as JSON, at most MAX_JSON_BYTES."""

import json
from dataclasses import dataclass, replace
from typing import Any

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.report.reasons import Reason
from uwsgi_autopilot.tuner.load import Load
from uwsgi_autopilot.tuner.point import Point, rounded

VERSION = 5
MAX_JSON_BYTES = 8192
MOST_POINTS = 14
MOST_REFUSED = 6
LONGEST_WHY = 160
ABOUT_AS_LARGE = 0.7  # of the processes and of the threads
# For one workload. A swap costs two seconds and memory for two generations, and a trial in vain costs two swaps.
MOST_SWAPS = 4
MOST_TRIALS = 6
# Workloads that change so often in so many seconds alternate: each would be gone before its own shape paid.
ALTERNATIONS, ALTERNATING_S = 3, 120.0
REFILL_S = 300.0  # in which one swap and two trials come back: what was wrong once is not wrong for ever


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A shape that could not be had, or must not be: the agent refused it, requests failed, the other pods were better.

    up: it had more slots than the shape before. limit, why: what was in the way, and a sentence about it; None: nothing
    that a person could lift. most: the slots that what all pods share bears, however they are divided; None: it is not
    that.
    """

    shape: Shape
    up: bool
    limit: Reason | None = None
    why: str = ""
    most: int | None = None

    def forbids(self, shape: Shape) -> bool:
        """That shape, and what is about as large as one that was too large: the next one should fit."""
        if self.most is not None:
            return shape.slots > self.most
        processes, threads = shape.processes / self.shape.processes, shape.threads / self.shape.threads
        return shape == self.shape or (self.up and min(processes, threads) >= ABOUT_AS_LARGE)

    def to_json(self) -> dict[str, Any]:
        limit = self.limit.value if self.limit else None
        return {"shape": self.shape.to_json(), "up": self.up, "limit": limit, "why": self.why, "most": self.most}

    @classmethod
    def from_json(cls, data: Any) -> "Refused":
        limit = None if data["limit"] is None else Reason(data["limit"])
        return cls(shape=Shape.from_json(data["shape"]), up=data["up"], limit=limit, why=data["why"], most=data["most"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """`Memory()` knows nothing.

    since: only samples that began later count. workload_since: since when the workload is the present one; points after
    that belong to it, whatever they look like. settled: nothing better is known, so nothing is probed; the tuner only
    watches for changes. points: what was measured, for this workload and those before it. refused: what is not proposed
    for this one. reference: how it behaved when this shape was settled. returned_to: how the previous shape did before
    a trial that was taken back, until that is compared with how it does now. pool_size: of this workload, once noticed:
    a shape that fits the pool hides it. jumped: this workload had its first jump. probed: one probe with far fewer
    requests at once was made. swaps, trials: spent for this workload; one comes back each REFILL_S from `spent_at` on.
    said: the reason of the last answer that settled; limit: the limit in the way, in words. recommended: the shape
    recommended last. turns: when the workload changed last. at: of the newest sample seen.
    """

    since: float | None = None
    workload_since: float | None = None
    settled: bool = False
    points: tuple[Point, ...] = ()
    refused: tuple[Refused, ...] = ()
    reference: Point | None = None
    returned_to: Point | None = None
    pool_size: int | None = None
    jumped: bool = False
    probed: bool = False
    swaps: int = 0
    trials: int = 0
    spent_at: float | None = None
    said: Reason | None = None
    limit: str | None = None
    recommended: Shape | None = None
    turns: tuple[float, ...] = ()
    at: float | None = None

    @property
    def alternating(self) -> bool:
        """The workload changes so often that one shape has to serve all of its phases."""
        recent = [each for each in self.turns if self.at is not None and self.at - each < ALTERNATING_S]
        return len(recent) >= ALTERNATIONS

    def seen(self, at: float) -> "Memory":
        """After a sample of that instant; a fresh memory when the clock restarted (another boot)."""
        if self.at is not None and at < self.at:
            return Memory(at=at)
        known = replace(self, at=at)
        if known.spent_at is None or at - known.spent_at < REFILL_S:
            return known
        return replace(known, swaps=max(0, known.swaps - 1), trials=max(0, known.trials - 2), spent_at=at)

    @property
    def of_this_workload(self) -> tuple[Point, ...]:
        since = self.workload_since
        return self.points if since is None else tuple(each for each in self.points if each.at >= since)

    def with_point(self, load: Load) -> "Memory":
        """The window grows while the shape serves; when it serves again later, that is another point."""
        point = Point.of(load, began=self.since or 0.0)
        others = tuple(each for each in self.points if not each.same_window(point))
        return replace(self, points=(*others, point)[-MOST_POINTS:])

    def known(self, point: Point) -> Point:
        """`point` and the other windows in which its shape served this workload not long ago, as one.

        What is measured before and after another shape was tried counts alike: a machine that gets slower or faster
        meanwhile favours neither.
        """
        for each in self.of_this_workload:
            if each.shape == point.shape and each.began < point.began and each.like(point):
                point = each.with_newer(point)
        return point

    def with_refused(
        self, shape: Shape, *, up: bool, limit: Reason | None = None, why: str = "", most: int | None = None
    ) -> "Memory":
        others = tuple(each for each in self.refused if each.shape != shape)
        new = Refused(shape=shape, up=up, limit=limit, why=why[:LONGEST_WHY], most=most)
        return replace(self, refused=(*others, new)[-MOST_REFUSED:])

    def forbids(self, shape: Shape) -> bool:
        return any(each.forbids(shape) for each in self.refused)

    def limit_of(self, shape: Shape) -> Refused | None:
        """The refusal that forbids it, if a person could lift what was in the way."""
        return next((each for each in self.refused if each.limit is not None and each.forbids(shape)), None)

    def affords(self, *, swap: bool, more_swaps: int = 0) -> bool:
        """One trial more; a swap has to leave one for the way back, unless it is the first jump."""
        spare = self.swaps + 2 <= MOST_SWAPS + more_swaps
        return self.trials < MOST_TRIALS and (spare or not swap or not self.jumped)

    def spent(self, *, swaps: int, trials: int) -> "Memory":
        spent_at = self.at if self.spent_at is None else self.spent_at
        return replace(self, swaps=self.swaps + swaps, trials=self.trials + trials, spent_at=spent_at)

    def without_instants(self) -> "Memory":
        """The clock was set back: what was measured cannot be ordered any more."""
        return replace(self, at=None, since=None, workload_since=None, spent_at=None, points=(), refused=(), turns=())

    def another_workload(self, since: float) -> "Memory":
        """The budget is that of the new workload. Points stay: it may resemble one that was known."""
        turns = (*self.turns, since)[-ALTERNATIONS:]
        return Memory(since=since, workload_since=since, points=self.points, turns=turns, at=self.at)

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
            known = {name: data[name] for name in cls.__slots__}
            for name in ("reference", "returned_to"):
                known[name] = None if known[name] is None else Point.from_json(known[name])
            known["turns"] = tuple(known["turns"])
            known["points"] = tuple(Point.from_json(each) for each in known["points"])
            known["refused"] = tuple(Refused.from_json(each) for each in known["refused"])
            known["said"] = None if known["said"] is None else Reason(known["said"])
            known["recommended"] = None if known["recommended"] is None else Shape.from_json(known["recommended"])
            return cls(**known)
        except (KeyError, TypeError) as error:
            raise ValueError(f"expected a memory of version {VERSION}, found {error}") from None

    def to_text(self) -> str:
        return json.dumps(self.to_json(), separators=(",", ":"))


def _plain(value: Any) -> Any:
    if isinstance(value, Shape | Point | Refused):
        return value.to_json()
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return value.value if isinstance(value, Reason) else rounded(value)
