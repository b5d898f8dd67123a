"""One pod: what the API server shows of it, what its agent reports, and what its samples add up to."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from uwsgi_autopilot.api.agentreader import parse_samples, parse_state
from uwsgi_autopilot.api.agentstate import AgentState
from uwsgi_autopilot.api.desired import UNVERSIONED, DesiredShape, Version
from uwsgi_autopilot.api.sample import Sample
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import ResourceLimits, UwsgiApp

KEPT = 130  # samples, one a second: the tuner looks back two minutes
# Of a pod without a load for as long as that: thousands are idle, and a sample takes some 700 bytes (estimated).
KEPT_IDLE = 15
# Requests a second; at most one in the pod at once. The kubelet's probes are no load.
LEAST_LOAD = 1.0
RECENT_S = 5.0
# Window of the latency that is shown to people.
LATENCY_S = 10.0
# The node was rebooted, or its clock was set: the offset to ours is measured again.
CLOCK_STEP_S = 5.0
# The agent makes a sample a second. None for this long: it was restarted and counts from 1 again.
NO_SAMPLES_S = 10.0
SILENT_S = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PodInfo:
    """A few fields of the Pod object. desired: our annotation; None: absent or unreadable. revision: its
    pod-template-hash. running: all of its containers run. leaving: it is being deleted, or has ended.

    ready_at, created_at: seconds since 1970; ready_at None while it is not ready.
    """

    uid: str
    name: str
    ip: str = ""
    ready: bool = True
    running: bool = True
    leaving: bool = False
    revision: str = ""
    desired: DesiredShape | None = None
    restarts: int = 0
    ready_at: float | None = 0.0
    created_at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Over some seconds. rps: answers a second. inside: requests in the pod at once. queue: those of them that wait.

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
        """Mean time that a request spends in the pod, by Little's law, which holds for any arrivals."""
        return self.inside / self.rps if self.rps > 0 else None


@dataclass(slots=True)
class Pod:
    """Written by whoever polls the agent, read by the plan.

    offset: turns the pod's clock into ours, so that samples of several nodes, and from before a restart of the
    operator, share one time line. cursor: seq of the newest sample; busy: of the newest with a load. heard_at: when it
    last answered; failed_since: since when it has not; problem: why not; incompatible: it answers, but with a state
    that we do not understand. All times are seconds on the fleet's clock (`plan.py`).
    """

    info: PodInfo
    state: AgentState | None = None
    samples: deque[Sample] = field(default_factory=lambda: deque(maxlen=KEPT))
    cursor: int = -1
    offset: float | None = None
    heard_at: float | None = None
    failed_since: float | None = None
    problem: str | None = None
    incompatible: bool = False
    fresh_at: float | None = None
    busy: int = -1

    @property
    def uid(self) -> str:
        return self.info.uid

    @property
    def name(self) -> str:
        return self.info.name

    def take(self, data: Any, now: float) -> int:
        """Take in an answer of the agent. Returns how many samples were new.

        Raises WrongPod, and ValueError with one sentence when it is not a state.
        """
        state = parse_state(data, uid=self.uid)
        if self.state is not None and state.pid != self.state.pid:
            # Another agent, which counts its samples from 1; those that it has made come with the next answer.
            self.forget_samples()
            self._heard(state, now)
            return 0
        offset = now - state.now
        if self.offset is not None and abs(offset - self.offset) <= CLOCK_STEP_S:
            offset = self.offset
        found = parse_samples(data, after=self.cursor, most=KEPT, later=offset, upstream=())
        self.offset = offset
        for sample in found:
            self.samples.append(sample)
            self.cursor = sample.seq
            if sample.requests > LEAST_LOAD * sample.seconds or sample.inside >= 1.0:
                self.busy = sample.seq
        if self.cursor - self.busy > KEPT:
            while len(self.samples) > KEPT_IDLE:
                self.samples.popleft()
        self._heard(state, now)
        if found or self.fresh_at is None:
            self.fresh_at = now
        elif now - self.fresh_at > NO_SAMPLES_S:
            self.forget_samples()
        return len(found)

    def _heard(self, state: AgentState, now: float) -> None:
        self.state, self.heard_at = state, now
        self.failed_since, self.problem, self.incompatible = None, None, False

    def forget_samples(self) -> None:
        self.cursor, self.offset, self.fresh_at, self.busy = -1, None, None, -1
        self.samples.clear()

    def failed(self, now: float, problem: str, *, incompatible: bool = False) -> None:
        """incompatible: it did answer, but not with a state."""
        self.failed_since = now if self.failed_since is None else self.failed_since
        self.problem, self.incompatible = problem, incompatible

    def silent(self, now: float) -> bool:
        """It has not answered for so long that nothing may be concluded. Silence is not zero load."""
        return self.heard_at is None or now - self.heard_at > SILENT_S

    @property
    def settled(self) -> bool:
        return bool(self.samples) and self.samples[-1].settled and self.state is not None and self.state.change is None

    @property
    def shape(self) -> Shape | None:
        return self.state.shape if self.state else None

    @property
    def accepted(self) -> Version:
        return self.state.accepted if self.state else UNVERSIONED

    @property
    def known(self) -> Version:
        """The greatest version in its annotation or accepted by its agent."""
        return max(self.accepted, self.info.desired.version if self.info.desired else UNVERSIONED)

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


Pods = Mapping[str, Pod]  # by uid


def as_told(app: UwsgiApp, pods: Pods) -> UwsgiApp:
    """The application with the limits that its pods have, once an agent has read them from its cgroup; the tuner asks
    the samples then. The manifest's are those of the Deployment, and somebody may have given a pod others: a
    VerticalPodAutoscaler at its admission or in place, a LimitRange."""
    newest = [pod.samples[-1] for pod in pods.values() if pod.samples]
    if not newest:
        return app
    unlimited = all(each.memory_limit is None for each in newest)
    return replace(app, limits=ResourceLimits(cpu=None, memory=app.limits.memory if unlimited else None))


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
