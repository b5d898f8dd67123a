"""What an agent reports, `GET /v1/state`: written by the agent, read by local mode and by the operator.

The reader trusts nothing: application code shares the agent's uid. Each answer is checked field by field and cut to
size; whatever a pod answers concerns that pod alone, and can move only its own application's shape.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from typing import Any

from uwsgi_autopilot.api.desired import UNVERSIONED, Version, version_of
from uwsgi_autopilot.api.sample import Sample
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.report.histogram import LAST
from uwsgi_autopilot.report.reasons import RefusalReason
from uwsgi_autopilot.report.text import safe

STATE_VERSION = 2
# The versions that this reader understands.
VERSIONS = (STATE_VERSION,)
MAX_SAMPLES = 300  # one a second: an operator that was away for five minutes misses nothing
MAX_PER_SHAPE = 1024  # processes, threads: the schema's own bound
SHORTEST_S = 0.01  # of a sample: rates divide by it
MAX_MESSAGE = 256
MAX_PIDS = 4096
MAX_LETTERS = 16 * 1024  # of a text that is looked at
_NOT_NUMBERS = frozenset({"shape", "settled", "census", "latency", "upstream"})
_OPTIONAL = frozenset(
    {"queue_mean", "queue_max", "runqueue_s", "memory_bytes", "memory_limit", "worker_bytes", "master_bytes"}
)
_REASONS = {each.value: each for each in RefusalReason}


class WrongPod(ValueError):
    """Another pod answered: the address was given away again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Why the agent does not serve what it was asked for.

    version: of the desired shape that is refused, whether before it was begun or on the way; None: the file did not
    even say. shape: likewise. at: seconds on the agent's clock.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentState:
    """now: seconds on the agent's clock, which only grows while its machine is up.

    why: the sentence to `ready`. failing: the agent's own questions in a row that failed before the application was
    ever ready. shape: what serves now, live workers and threads; None: nothing does. target: what should serve; it
    falls back to what was served before when a desired shape cannot be carried out. accepted: the version of the
    desired shape that is or was last followed; UNVERSIONED: none yet. on_trial: `target` ends by itself unless it is
    confirmed. pid: the agent's; pids: of every uWSGI process that it has started. ceiling: how many workers the serving
    generation may have. uwsgi: its version.
    """

    agent: str
    app: str
    uid: str
    pid: int
    now: float
    target: Shape
    pids: tuple[int, ...] = ()
    serving: bool = False
    ready: bool = False
    why: str = ""
    failing: int = 0
    draining: bool = False
    shape: Shape | None = None
    accepted: Version = UNVERSIONED
    on_trial: bool = False
    change: ChangeProgress | None = None
    refused: Refused | None = None
    generation: int | None = None
    ceiling: int | None = None
    uwsgi: str | None = None
    counts: Counts = Counts()
    requests_total: float = 0.0

    def refused_version(self, version: Version) -> Refused | None:
        """Why the desired shape of that version is not served; None: nothing was said against it."""
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
            "pids": list(self.pids),
            "now": round(self.now, 3),
            "serving": self.serving,
            "ready": self.ready,
            "why": self.why,
            "failing": self.failing,
            "draining": self.draining,
            "shape": self.shape.to_json() if self.shape else None,
            "target": self.target.to_json(),
            "accepted": self.accepted._asdict(),
            "onTrial": self.on_trial,
            "change": _change_json(self.change),
            "refused": self.refused.to_json() if self.refused else None,
            "generation": self.generation,
            "ceiling": self.ceiling,
            "uwsgi": self.uwsgi,
            "counts": {each.name: getattr(self.counts, each.name) for each in fields(Counts)},
            "requestsTotal": self.requests_total,
            "samples": [each.to_json() for each in samples],
        }


def parse_state(data: Any, *, uid: str) -> AgentState:
    """Raises WrongPod when another pod answered, ValueError with one sentence for anything else."""
    if not isinstance(data, dict):
        raise ValueError(f"expected a JSON object, found {type(data).__name__}")
    if data.get("version") not in VERSIONS:
        found = _told(data.get("version"), 32)
        raise ValueError(
            f"version: this reader understands {VERSIONS[-1]}, found {found}: its agent is of another release"
        )
    if data.get("uid") != uid:
        raise WrongPod(f"expected the pod {uid}, found {_told(data.get('uid'), 64)}")
    return AgentState(
        agent=_told(data.get("agent", ""), 32),
        app=_told(data.get("app", ""), 253),
        uid=uid,
        pid=_whole(data, "pid"),
        pids=tuple(each for each in _list(data, "pids")[:MAX_PIDS] if isinstance(each, int) and each > 0),
        now=_number(data, "now"),
        serving=data.get("serving") is True,
        ready=data.get("ready") is True,
        why=_told(data.get("why", ""), MAX_MESSAGE),
        failing=_whole(data, "failing"),
        draining=data.get("draining") is True,
        shape=_shape(data["shape"]) if data.get("shape") else None,
        target=_shape(data.get("target")),
        accepted=version_of(_dict(data, "accepted")),
        on_trial=data.get("onTrial") is True,
        change=_change(data.get("change")),
        refused=_refused(data.get("refused")),
        generation=None if data.get("generation") is None else _whole(data, "generation"),
        ceiling=None if data.get("ceiling") is None else _whole(data, "ceiling"),
        uwsgi=None if data.get("uwsgi") is None else _told(data["uwsgi"], 32),
        counts=Counts(**{each.name: _whole(_dict(data, "counts"), each.name) for each in fields(Counts)}),
        requests_total=_number(data, "requestsTotal"),
    )


def parse_samples(data: Any, *, after: int) -> list[Sample]:
    """Of the `samples` of a state, those newer than the cursor, oldest first. Raises ValueError."""
    if not isinstance(data, dict) or not isinstance(data.get("samples"), list):
        raise ValueError("samples: expected a list")
    try:
        found = [Sample.from_json(each) for each in data["samples"][-MAX_SAMPLES:]]
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"samples: {type(error).__name__} {_told(error, 64)}") from None
    for sample in found:
        _check(sample)
    return [each for each in found if each.seq > after]


def _check(sample: Sample) -> None:
    for each in fields(Sample):
        value = getattr(sample, each.name)
        if each.name in _NOT_NUMBERS or (value is None and each.name in _OPTIONAL):
            continue
        if not _is_number(value):
            raise ValueError(f"samples: {each.name}: expected a number, found {_told(value, 32)}")
    _shape(sample.shape.to_json())
    if sample.census is not None and not all(map(_is_number, astuple(sample.census))):
        raise ValueError("samples: census: expected numbers")
    if len(sample.latency) > LAST + 1 or not all(0 <= n <= LAST and 0 <= k < 2**31 for n, k in sample.latency):
        raise ValueError(f"samples: latency: expected counts of buckets 0 to {LAST}")
    if sample.seconds < SHORTEST_S:
        raise ValueError(f"samples: seconds: expected at least {SHORTEST_S}")
    if not isinstance(sample.settled, bool):
        raise ValueError("samples: settled: expected true or false")


def _change_json(change: ChangeProgress | None) -> dict[str, Any] | None:
    if change is None:
        return None
    return {"kind": change.kind, "to": change.to.to_json(), "seconds": round(change.seconds, 2)}


def _change(data: Any) -> ChangeProgress | None:
    if not isinstance(data, dict):
        return None
    return ChangeProgress(
        kind=_told(data.get("kind", ""), 16), to=_shape(data.get("to")), seconds=_number(data, "seconds")
    )


def _refused(data: Any) -> Refused | None:
    if not isinstance(data, dict):
        return None
    reason = data.get("reason")
    return Refused(
        # It becomes a metric's label and an Event's reason: no word that the pod chooses.
        reason=_REASONS.get(reason, RefusalReason.OTHER) if isinstance(reason, str) else RefusalReason.OTHER,
        message=_told(data.get("message", ""), MAX_MESSAGE),
        at=_number(data, "at"),
        version=version_of(data) if data.get("seq") is not None else None,
        shape=_desired_shape(data.get("shape")),
    )


def _desired_shape(data: Any) -> Shape | None:
    """None also where it is absurd: that is why it was refused, and no reason not to read the rest."""
    try:
        return _shape(data)
    except ValueError:
        return None


def _shape(data: Any) -> Shape:
    shape = Shape.from_json(data)
    if max(shape.processes, shape.threads) > MAX_PER_SHAPE:
        raise ValueError(f"a shape: expected at most {MAX_PER_SHAPE} processes and threads, found {shape}")
    return shape


def _is_number(value: Any) -> bool:
    # Comparing refuses nan and infinity, and does not choke on an int that is no float.
    return isinstance(value, int | float) and 0 <= value < 1e15


def _number(data: dict[str, Any], name: str) -> float:
    value = data.get(name)
    if not _is_number(value) or isinstance(value, bool):
        raise ValueError(f"{name}: expected a number, found {_told(value, 32)}")
    return float(value)  # type: ignore[arg-type]


def _whole(data: dict[str, Any], name: str) -> int:
    value = data.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > 2**53:
        raise ValueError(f"{name}: expected a whole number, found {_told(value, 32)}")
    return value


def _dict(data: dict[str, Any], name: str) -> dict[str, Any]:
    value = data.get(name)
    if not isinstance(value, dict):
        raise ValueError(f"{name}: expected a JSON object, found {type(value).__name__}")
    return value


def _list(data: dict[str, Any], name: str) -> list[Any]:
    value = data.get(name)
    if not isinstance(value, list):
        raise ValueError(f"{name}: expected a list, found {type(value).__name__}")
    return value


def _told(value: Any, longest: int) -> str:
    """The agent has hidden secrets already; the pod may have answered in its place. It ends in Events, logs, the status
    and NAME-tuning. At most `longest` bytes."""
    return safe(str(value)[:MAX_LETTERS], longest)
