"""What the tuner answers: `propose` a Proposal, a Hold or a Refusal; `judge` a Keep, TakeBack, Drop or Wait.

Each says why, in one word and one sentence. The fleet acts on the answers; nothing of that is known here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.report.reasons import Reason
from uwsgi_autopilot.tuner.point import Point, rounded

LONGEST_MESSAGE = 256


def shortened(message: str) -> str:
    return message if len(message) <= LONGEST_MESSAGE else message[: LONGEST_MESSAGE - 1] + "…"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """`message`: one or two sentences with numbers for the person on call; cut to LONGEST_MESSAGE."""

    reason: Reason
    message: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", shortened(self.message))


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal(Said):
    """A shape that is worth a trial.

    before: what was measured with the present shape. better: it should serve more; else it should serve the same
    with less. expected: requests a second. gain: ln of the objective over that of before, as expected from the model
    and all points; doubt: its standard deviation. at: instant of the newest sample it was made from, seconds.
    """

    shape: Shape
    before: Point
    better: bool
    expected: float
    gain: float
    doubt: float
    at: float

    @property
    def up(self) -> bool:
        """More slots than before."""
        return self.shape.slots > self.before.shape.slots

    def to_json(self) -> dict[str, Any]:
        return {
            "shape": self.shape.to_json(),
            "before": self.before.to_json(),
            "reason": self.reason.value,
            "message": self.message,
            "better": self.better,
            "expected": rounded(self.expected),
            "gain": rounded(self.gain),
            "doubt": rounded(self.doubt),
            "at": self.at,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Proposal":
        """Raises KeyError, TypeError, ValueError."""
        return cls(
            shape=Shape.from_json(data["shape"]),
            before=Point.from_json(data["before"]),
            reason=Reason(data["reason"]),
            message=str(data["message"]),
            better=bool(data["better"]),
            expected=float(data["expected"]),
            gain=float(data["gain"]),
            doubt=float(data["doubt"]),
            at=float(data["at"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold(Said):
    """Change nothing now. settled: because nothing better is known, not because this is the wrong moment."""

    settled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal(Said):
    """`shape` should serve more, but a limit forbids it. first: this was not said before for this workload."""

    shape: Shape
    first: bool = True


Answer = Proposal | Hold | Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep(Said):
    """The tried shape stays. change: ln of the throughput after over before; None: it could not be determined."""

    change: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeBack(Said):
    """Back to the previous shape. change: as in Keep."""

    change: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop(Said):
    """The comparison is void: the workload or the load changed in the middle of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait(Said):
    """It is too early to tell."""


Verdict = Keep | TakeBack | Drop | Wait
