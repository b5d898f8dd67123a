"""Entries of an application's history as they stand in status.decisions and outlive the operator."""

from datetime import datetime, timezone
from typing import Any

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.fleet.history import Entry, Kind


def to_json(entry: Entry) -> dict[str, Any]:
    told: dict[str, Any] = {
        "time": written(entry.at),
        "kind": entry.kind.value,
        "to": entry.to_shape.to_json(),
        "reason": entry.reason,
        "message": entry.message,
    }
    return told if entry.from_shape is None else {**told, "from": entry.from_shape.to_json()}


def from_json(data: dict[str, Any]) -> Entry:
    """Raises KeyError, ValueError."""
    return Entry(
        at=datetime.fromisoformat(data["time"]).timestamp(),
        kind=Kind(data["kind"]),
        from_shape=Shape.from_json(data["from"]) if "from" in data else None,
        to_shape=Shape.from_json(data["to"]),
        reason=str(data["reason"]),
        message=str(data["message"]),
    )


def written(at: float) -> str:
    return datetime.fromtimestamp(int(at), timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
