"""What the tuner answers: one Decision, and the Memory to hand in next time."""

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
