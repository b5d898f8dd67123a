"""What the autopilot did with an application and why: the entries of its history, and their JSON."""

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from uwsgi_autopilot.api.shape import Shape

HISTORY = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """at: seconds since 1970. kind: try, promote, back, everywhere, change, refuse, recommend or undecided."""

    at: float
    kind: str
    from_shape: Shape | None
    to_shape: Shape
    reason: str
    message: str

    def to_json(self) -> dict[str, Any]:
        """As it stands in status.decisions."""
        told: dict[str, Any] = {
            "time": written(self.at),
            "kind": self.kind,
            "to": self.to_shape.to_json(),
            "reason": self.reason,
            "message": self.message[:256],
        }
        return told if self.from_shape is None else {**told, "from": self.from_shape.to_json()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Entry":
        """Raises KeyError, ValueError."""
        return cls(
            at=datetime.fromisoformat(data["time"]).timestamp(),
            kind=str(data["kind"]),
            from_shape=Shape.from_json(data["from"]) if "from" in data else None,
            to_shape=Shape.from_json(data["to"]),
            reason=str(data["reason"]),
            message=str(data["message"]),
        )


def written(at: float) -> str:
    return datetime.fromtimestamp(int(at), timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
