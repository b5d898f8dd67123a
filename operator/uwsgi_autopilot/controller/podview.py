"""One pod as its agent tells it: the last state, the samples of two minutes, what they add up to.

What it may say is agentstate.py.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.controller.agentstate import KEEP, AgentState, parse_samples, parse_state
from uwsgi_autopilot.controller.mirror import PodSeen
from uwsgi_autopilot.api.sample import Sample

RECENT_S = 5.0
LATENCY_S = 60.0
# Two boots of a node, or a step of the clock: the pod's clock is read anew.
CLOCK_STEP_S = 5.0
# The agent makes a sample a second. None for so long: its container began anew, and counts from the start again.
NO_SAMPLES_S = 10.0
SILENT_S = 15.0


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
