"""What an agent reports, `GET /v1/state`: the values and how the agent writes them. The reader is agentreader.py."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from uwsgi_autopilot.api.desired import UNVERSIONED, Version
from uwsgi_autopilot.api.sample import Sample
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.report.reasons import RefusalReason

STATE_VERSION = 2
MAX_SAMPLES = 300  # one a second: an operator that was away for five minutes misses nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Why the agent does not serve what it was asked for.

    version, shape: of the desired shape that is refused, before it was begun or on the way; None: the file does not
    even say. at: seconds on the agent's clock.
    """

    reason: RefusalReason
    message: str
    at: float
    version: Version | None = None
    shape: Shape | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "reason": self.reason.value,
            "message": self.message,
            "at": round(self.at, 3),
            **(self.version._asdict() if self.version else {}),
            "shape": self.shape.to_json() if self.shape else None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Recycled:
    """The memory guard replaced a generation. message: why. at: seconds on the agent's clock."""

    message: str
    at: float

    def to_json(self) -> dict[str, Any]:
        return {"message": self.message, "at": round(self.at, 3)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeProgress:
    """A change of shape in progress. kind: start, swap, resize or retire. seconds: how long it has lasted."""

    kind: str
    to: Shape
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Since the agent started."""

    swaps: int = 0
    resizes: int = 0
    refused: int = 0
    restarts: int = 0
    failed_starts: int = 0
    recycles: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentState:
    """now: seconds on the agent's clock, which only grows while its machine is up.

    why: the sentence that explains `ready`. failing: how many of the agent's own requests failed in a row before the
    application was ever ready. shape: what serves now, workers and threads; None: nothing does. parked: how many of
    these workers are put away; parking: a sentence about that; None: it is switched off. target: what should serve; it
    falls back to what served before when a desired shape cannot be carried out. accepted: the version of the desired
    shape that is or was last followed; UNVERSIONED: none yet. on_trial: `target` ends by itself unless it is confirmed.
    recycled: the last time that memory was the reason for a fresh generation. pid: the agent's. ceiling: how many
    workers the serving generation may have. uwsgi: its version.
    """

    agent: str
    app: str
    uid: str
    pid: int
    now: float
    target: Shape
    serving: bool = False
    ready: bool = False
    why: str = ""
    failing: int = 0
    draining: bool = False
    shape: Shape | None = None
    parked: int = 0
    parking: str | None = None
    accepted: Version = UNVERSIONED
    on_trial: bool = False
    change: ChangeProgress | None = None
    refused: Refused | None = None
    recycled: Recycled | None = None
    generation: int | None = None
    ceiling: int | None = None
    uwsgi: str | None = None
    counts: Counts = Counts()
    requests_total: float = 0.0

    def refused_version(self, version: Version) -> Refused | None:
        """Why the desired shape of that version is not served; None: it was not refused."""
        return self.refused if self.refused is not None and self.refused.version == version else None

    def serves(self, shape: Shape) -> bool:
        """`shape` serves alone, and nothing is changing."""
        return self.serving and self.change is None and self.shape == shape == self.target

    def to_json(self, samples: Sequence[Sample] = ()) -> dict[str, Any]:
        return {
            "version": STATE_VERSION,
            "agent": self.agent,
            "app": self.app,
            "uid": self.uid,
            "pid": self.pid,
            "now": round(self.now, 3),
            "serving": self.serving,
            "ready": self.ready,
            "why": self.why,
            "failing": self.failing,
            "draining": self.draining,
            "shape": self.shape.to_json() if self.shape else None,
            "parked": self.parked,
            "parking": self.parking,
            "target": self.target.to_json(),
            "accepted": self.accepted._asdict(),
            "onTrial": self.on_trial,
            "change": _change_json(self.change),
            "refused": self.refused.to_json() if self.refused else None,
            "recycled": self.recycled.to_json() if self.recycled else None,
            "generation": self.generation,
            "ceiling": self.ceiling,
            "uwsgi": self.uwsgi,
            "counts": {each.name: getattr(self.counts, each.name) for each in fields(Counts)},
            "requestsTotal": self.requests_total,
            "samples": [each.to_json() for each in samples],
        }


def _change_json(change: ChangeProgress | None) -> dict[str, Any] | None:
    if change is None:
        return None
    return {"kind": change.kind, "to": change.to.to_json(), "seconds": round(change.seconds, 2)}
