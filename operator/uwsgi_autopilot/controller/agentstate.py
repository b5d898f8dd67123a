"""What an agent may say: its answer checked field by field, cut to size.

The pod is untrusted: application code shares the agent's uid. Whatever it answers concerns that pod alone, and can move
only its own application's shape.
"""

from dataclasses import astuple, dataclass, fields
from typing import Any

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.report.histogram import LAST
from uwsgi_autopilot.report.reasons import Reason, WishReason
from uwsgi_autopilot.report.text import safe
from uwsgi_autopilot.tuner.sample import Sample

# State JSON's versions that this operator reads: its own and the one before.
VERSIONS = (0, 1)
KEEP = 130  # samples, one a second: the tuner looks back two minutes
MOST = 1024  # processes, threads: the manifest's own bound
MOST_LETTERS = 16 * 1024  # of a text that is looked at
SHORTEST_S = 0.01  # of a sample; what is divided by less has no end
REASONS = frozenset(each.value for each in WishReason)
NOT_NUMBERS = frozenset({"shape", "settled", "census", "latency", "upstream"})
MAY_BE_UNKNOWN = frozenset({"queue_mean", "queue_max", "runqueue_s", "memory_bytes", "memory_limit", "worker_bytes"})


class WrongPod(ValueError):
    """Another pod answered: the address was given away again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    reason: str
    message: str
    seq: int | None
    shape: Shape | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentState:
    """seq: of the wish that is followed; 0: none yet. changing: a change of the shape is on its way. now: its clock."""

    now: float
    serving: bool
    draining: bool
    shape: Shape | None
    target: Shape
    seq: int
    changing: bool
    refused: Refused | None
    version: str

    def gave_up(self, seq: int, shape: Shape) -> Refused | None:
        """Why `shape` could not be carried out after the wish `seq` for it was accepted: such a refusal has no seq."""
        said = self.refused
        return said if said is not None and said.seq is None and said.shape == shape and self.seq >= seq else None


def parse_state(data: Any, uid: str) -> AgentState:
    """Raises WrongPod, ValueError."""
    if not isinstance(data, dict) or data.get("version") not in VERSIONS:
        raise ValueError(f"expected a state of version {VERSIONS[-1]}")
    if data.get("uid") != uid:
        raise WrongPod(f"expected the pod {uid}, found {str(data.get('uid'))[:64]}")
    accepted = data.get("accepted")
    now = data.get("now")
    if not isinstance(now, int | float) or not _number(now):
        raise ValueError("now: expected seconds")
    return AgentState(
        now=float(now),
        serving=bool(data.get("serving")),
        draining=bool(data.get("draining")),
        shape=_shape(data["shape"]) if data.get("shape") else None,
        target=_shape(data.get("target")),
        seq=_whole(accepted.get("seq")) if isinstance(accepted, dict) else 0,
        changing=bool(data.get("change")),
        refused=_refused(data.get("refused")),
        version=_told(data.get("agent", ""), 32),
    )


def parse_samples(data: Any, *, after: int) -> list[Sample]:
    """Those newer than the cursor, oldest first. Raises ValueError."""
    if not isinstance(data, list):
        raise ValueError("samples: expected a list")
    try:
        found = [Sample.from_json(each) for each in data[-KEEP:]]
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"samples: {type(error).__name__} {error}") from None
    for sample in found:
        for each in fields(Sample):
            value = getattr(sample, each.name)
            if each.name in NOT_NUMBERS or (value is None and each.name in MAY_BE_UNKNOWN):
                continue
            if not _number(value):
                raise ValueError(f"samples: {each.name}: expected a number, found {str(value)[:32]}")
        if max(sample.shape.processes, sample.shape.threads) > MOST:
            raise ValueError(f"samples: shape: expected at most {MOST} of each")
        if sample.census is not None and not all(map(_number, astuple(sample.census))):
            raise ValueError("samples: census: expected numbers")
        if len(sample.latency) > LAST + 1 or not all(0 <= n <= LAST and 0 <= k < 2**31 for n, k in sample.latency):
            raise ValueError(f"samples: latency: expected counts of buckets 0 to {LAST}")
        if sample.seconds < SHORTEST_S:
            raise ValueError(f"samples: seconds: expected at least {SHORTEST_S}")
        if not isinstance(sample.settled, bool):
            raise ValueError("samples: settled: expected true or false")
    return [each for each in found if each.seq > after]


def _refused(data: Any) -> Refused | None:
    if not isinstance(data, dict):
        return None
    reason = data.get("reason")
    return Refused(
        # It becomes a metric's label and an Event's reason: no word that the pod chooses.
        reason=reason if isinstance(reason, str) and reason in REASONS else Reason.REFUSED.value,
        message=_told(data.get("message", ""), 256),
        seq=_whole(data.get("seq")) if data.get("seq") is not None else None,
        shape=_shape(data["shape"]) if data.get("shape") else None,
    )


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and 0 <= value < 1e15


def _shape(data: Any) -> Shape:
    shape = Shape.from_json(data)
    if max(shape.processes, shape.threads) > MOST:
        raise ValueError(f"a shape: expected at most {MOST} of each")
    return shape


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > 2**53:
        raise ValueError(f"expected a whole number, found {str(value)[:32]}")
    return value


def _told(value: Any, longest: int) -> str:
    """The agent has hidden secrets already; the pod may have answered in its place. It ends in Events, logs, the
    status and NAME-tuning."""
    return safe(str(value)[:MOST_LETTERS], longest)
