"""What the tuner answers: to `propose` a Proposal, a Hold or a Refusal; to `judge` a Keep, a TakeBack, a Drop or a Wait.

Each says why, in one word and one sentence. What becomes of an answer is not known here: the fleet carries it out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.report.reasons import Reason
from uwsgi_autopilot.tuner.point import Point


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A shape that is worth a trial.

    before: what was measured at the shape that serves. better: it should serve more; else it should serve the same with
    less. expected: requests a second, by the model. second: proposed in place of a shape whose trial failed; `before` is
    then still what served before that trial. at: instant of the newest sample it was made from, seconds.
    """

    shape: Shape
    before: Point
    reason: Reason
    message: str
    better: bool
    expected: float
    at: float
    second: bool = False

    def to_json(self) -> dict[str, Any]: ...

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Proposal":
        """Raises KeyError, TypeError, ValueError."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Nothing is to be changed now. settled: because nothing better is known, not because it is not the moment."""

    reason: Reason
    message: str
    settled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """`shape` is known to be better and a limit forbids it. first: it was not said before for this workload."""

    shape: Shape
    reason: Reason
    message: str
    first: bool = True


Answer = Proposal | Hold | Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """The shape that was tried stays. change: ln of the throughput after over before; None: it could not be told."""

    reason: Reason
    message: str
    change: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeBack:
    """Back to the shape of before; or, where the trial has shown what is wrong, on to `instead`."""

    reason: Reason
    message: str
    instead: Proposal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """The comparison is void: another workload came in the middle of it."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    reason: Reason
    message: str


Verdict = Keep | TakeBack | Drop | Wait
