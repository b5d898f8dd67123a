"""What the operator has asked of the API server, from that one's audit log: each request, whoever counts otherwise."""

import json
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.reliability.kindcluster import AUDIT_LOG, on_node


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """at: seconds since 1970, when it was answered. what: kind's plural, with its subresource."""

    at: float
    verb: str
    what: str
    name: str
    uri: str
    status: int

    @property
    def unbounded(self) -> bool:
        """A list of everything in one answer."""
        return self.verb == "list" and "limit=" not in self.uri

    @property
    def writes(self) -> bool:
        return self.verb in ("create", "update", "patch", "delete")


class Audit:
    """Counts from the moment at which it was made."""

    def __init__(self) -> None:
        self._from = self._size()

    def read(self) -> list[Request]:
        """All since then."""
        text = on_node(f"tail -c +{self._from + 1} {AUDIT_LOG}")
        return [_request(json.loads(line)) for line in text.splitlines() if line.endswith("}")]

    def _size(self) -> int:
        return int(on_node(f"stat -c %s {AUDIT_LOG} 2>/dev/null || echo 0"))


def _request(entry: dict[str, Any]) -> Request:
    about = entry.get("objectRef") or {}
    what = about.get("resource", "") + ("/" + about["subresource"] if about.get("subresource") else "")
    return Request(
        at=datetime.fromisoformat(entry["stageTimestamp"]).timestamp(),
        verb=entry["verb"],
        what=what,
        name=about.get("name", ""),
        uri=entry["requestURI"],
        status=(entry.get("responseStatus") or {}).get("code", 0),
    )


def count(requests: list[Request]) -> Counter[str]:
    return Counter(f"{each.verb} {each.what}" for each in requests)


def most_per_second(requests: list[Request]) -> int:
    return max(Counter(int(each.at) for each in requests).values(), default=0)
