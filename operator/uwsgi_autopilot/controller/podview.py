"""One pod as its agent tells it: the last state, the samples of two minutes, what they add up to.

The pod is untrusted: application code shares the agent's uid. Whatever it answers is checked here, cut to size, and
can move only its own application's shape.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, field, fields, replace
from typing import Any

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.controller.mirror import PodSeen
from uwsgi_autopilot.report.histogram import LAST
from uwsgi_autopilot.report.reasons import Reason, WishReason
from uwsgi_autopilot.tuner.sample import Sample

# State JSON's versions that this operator reads: its own and the one before.
VERSIONS = (0, 1)
KEEP = 130  # samples, one a second: the tuner looks back two minutes
RECENT_S = 5.0
LATENCY_S = 60.0
# Two boots of a node, or a step of the clock: the pod's clock is read anew.
CLOCK_STEP_S = 5.0
# The agent makes a sample a second. None for so long: its container began anew, and counts from the start again.
NO_SAMPLES_S = 10.0
SILENT_S = 15.0
MOST = 1024  # processes, threads: the manifest's own bound
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Of the last seconds. rps: answers a second. inside: requests in the pod at once. queue: those that wait.

    service_s: seconds in service per request; None without requests. errors: share of the answers.
    """

    rps: float
    inside: float
    queue: float
    service_s: float | None
    errors: float
    requests: float
    seconds: float

    @property
    def time_inside_s(self) -> float | None:
        """Mean time that a request spends in the pod, by Little's law: it holds for any arrivals."""
        return self.inside / self.rps if self.rps > 0 else None


@dataclass(slots=True)
class PodView:
    """`offset` turns the pod's clock into seconds since 1970 of ours: samples of several nodes, and those from before
    a restart of the operator, then stand on one line. heard_at, failed_since, fresh_at: our monotonic seconds.
    seen: the pod as the API server has it."""

    uid: str
    name: str
    ip: str
    cursor: int = -1
    offset: float | None = None
    state: AgentState | None = None
    samples: deque[Sample] = field(default_factory=lambda: deque(maxlen=KEEP))
    heard_at: float | None = None
    failed_since: float | None = None
    next_poll: float = 0.0
    fresh_at: float | None = None
    seen: PodSeen | None = None

    def take(self, data: Any, *, wall: float, monotonic: float) -> int:
        """Take an answer of the agent. Returns how many samples were new.

        Raises WrongPod, and ValueError with one sentence when it is no state.
        """
        state = parse_state(data, self.uid)
        offset = wall - state.now
        if self.offset is None or abs(offset - self.offset) > CLOCK_STEP_S:
            self.offset = offset
        found = parse_samples(data.get("samples", []), after=self.cursor)
        for sample in found:
            self.samples.append(replace(sample, at=sample.at + self.offset, upstream=()))
            self.cursor = sample.seq
        self.state, self.heard_at, self.failed_since = state, monotonic, None
        if found or self.fresh_at is None:
            self.fresh_at = monotonic
        elif monotonic - self.fresh_at > NO_SAMPLES_S:
            self.cursor, self.fresh_at = -1, None
            self.samples.clear()
        return len(found)

    def failed(self, monotonic: float) -> None:
        self.failed_since = monotonic if self.failed_since is None else self.failed_since

    def silent(self, monotonic: float) -> bool:
        """It has not answered for so long that nothing may be concluded from it. Silent is not zero load."""
        return self.heard_at is None or monotonic - self.heard_at > SILENT_S

    @property
    def settled(self) -> bool:
        return bool(self.samples) and self.samples[-1].settled and self.state is not None and not self.state.changing

    @property
    def shape(self) -> Shape | None:
        return self.state.shape if self.state else None

    def figures(self, seconds: float = RECENT_S, *, since: float = 0.0) -> Figures | None:
        """Of the newest `seconds` that began after `since`; None without such samples."""
        if not self.samples:
            return None
        newest = self.samples[-1].at
        return figures_of(
            each for each in self.samples if each.at > newest - seconds and each.at - each.seconds >= since - 0.5
        )

    def latencies(self) -> Iterable[tuple[int, int]]:
        newest = self.samples[-1].at if self.samples else 0.0
        for sample in self.samples:
            if sample.at > newest - LATENCY_S and sample.latency_lost < 0.05:
                yield from sample.latency


Pods = Mapping[str, PodView]  # by uid


def figures_of(samples: Iterable[Sample]) -> Figures | None:
    chosen = list(samples)
    seconds = sum(each.seconds for each in chosen)
    if seconds <= 0:
        return None
    requests = sum(each.requests for each in chosen)
    errors = sum(each.errors for each in chosen)
    queue = sum((each.queue_mean or 0.0) * each.seconds for each in chosen) / seconds
    return Figures(
        rps=requests / seconds,
        inside=queue + sum(each.busy * each.seconds for each in chosen) / seconds,
        queue=queue,
        service_s=sum(each.service_s for each in chosen) / requests if requests else None,
        errors=errors / requests if requests else 0.0,
        requests=requests,
        seconds=seconds,
    )


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
        version=plain(str(data.get("agent", "")), 32),
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
        message=plain(str(data.get("message", "")), 256),
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


def plain(text: str, longest: int) -> str:
    """Without control characters, cut to size: it ends in Events and in the status."""
    kept = "".join(each if each.isprintable() else " " for each in text)
    return kept if len(kept) <= longest else kept[: longest - 1] + "…"
