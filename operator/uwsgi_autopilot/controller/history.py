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
        return {
            "at": written(self.at),
            "kind": self.kind,
            "from": str(self.from_shape) if self.from_shape else "",
            "to": str(self.to_shape),
            "reason": self.reason,
            "message": self.message[:256],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Entry":
        """Raises KeyError, ValueError."""
        return cls(
            at=datetime.fromisoformat(data["at"]).timestamp(),
            kind=str(data["kind"]),
            from_shape=Shape.parse(data["from"]) if data["from"] else None,
            to_shape=Shape.parse(data["to"]),
            reason=str(data["reason"]),
            message=str(data["message"]),
        )


def written(at: float) -> str:
    return datetime.fromtimestamp(int(at), timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
