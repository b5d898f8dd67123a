"""What the tuner answers, and what became of it: a Decision, and the Entry that stays in the history."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.report.reasons import Reason

LONGEST_MESSAGE = 256


class Kind(str, Enum):
    CHANGE = "change"  # apply to_shape
    HOLD = "hold"
    REFUSE = "refuse"  # a better shape is known and a limit forbids it; said once, then held
    RECOMMEND = "recommend"  # mode Recommend: a change that nobody applies; said once, then held


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """`message`: one or two sentences with numbers for the person on call. `numbers`: the same for machines."""

    kind: Kind
    from_shape: Shape
    to_shape: Shape
    reason: Reason
    message: str
    numbers: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.message) > LONGEST_MESSAGE:
            object.__setattr__(self, "message", self.message[: LONGEST_MESSAGE - 1] + "…")

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind.value,
            "from": self.from_shape.to_json(),
            "to": self.to_shape.to_json(),
            "reason": self.reason.value,
            "message": self.message,
            "numbers": {name: round(value, 6) for name, value in self.numbers.items()},
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Decision":
        return cls(
            kind=Kind(data["kind"]),
            from_shape=Shape.from_json(data["from"]),
            to_shape=Shape.from_json(data["to"]),
            reason=Reason(data["reason"]),
            message=data["message"],
            numbers=dict(data["numbers"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the history that a pilot keeps: what was done with a decision, or without one.

    at: seconds, since 1970 on a cluster, since the application served in local mode. kind: change, refuse or
    recommend; on a cluster try, promote, back, everywhere or undecided as well. reason: also the agent's and ours.
    """

    at: float
    kind: str
    from_shape: Shape | None
    to_shape: Shape
    reason: str
    message: str

    @classmethod
    def of(cls, decision: Decision, *, at: float, kind: str) -> "Entry":
        return cls(
            at=at,
            kind=kind,
            from_shape=decision.from_shape,
            to_shape=decision.to_shape,
            reason=decision.reason.value,
            message=decision.message,
        )
