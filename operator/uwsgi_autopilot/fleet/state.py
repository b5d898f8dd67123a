"""All that is known about one application's shape: a frozen value, and the few ways to make the next one from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from uwsgi_autopilot.api.agentstate import Refused
from uwsgi_autopilot.api.desired import UNVERSIONED, DesiredShape, Version
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import UwsgiApp
from uwsgi_autopilot.fleet.change import Change
from uwsgi_autopilot.fleet.history import HISTORY, Entry, Kind
from uwsgi_autopilot.fleet.pod import Pod, PodInfo
from uwsgi_autopilot.report.reasons import Reason
from uwsgi_autopilot.tuner.limits import Limits
from uwsgi_autopilot.tuner.memory import Memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """The latest that was said about the shape, whether it changes or not."""

    reason: Reason
    message: str
    expected_gain: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What one pod is being given (delivery.py).

    desired: what it gets. since, at: when that was first and last written; None: not yet. refused_at, refused: when and
    why its agent gave it up; retries: how many times in a row it did. warned: somebody was told that it is late.
    """

    desired: DesiredShape
    since: float | None = None
    at: float | None = None
    refused_at: float | None = None
    refused: Refused | None = None
    retries: int = 0
    warned: bool = False


class Stretch(NamedTuple):
    """Seconds on the fleet's clock. last: when it was so last."""

    began: float
    last: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Autoscaler:
    """The HorizontalPodAutoscaler of that name may make `most` pods."""

    name: str
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetState:
    """app: the manifest. promoted: what every pod should have and new pods start with. stored: its version where new
    pods read it. last: the greatest version that was issued, or that any pod has reported.

    pods: those that run, by uid; whoever polls them writes the Pod objects. coming: those that do not run yet.
    autoscaler: who moves their number, None: nobody that is known of. ready: how many pods were ready at the last
    plan; left_at: when that number last fell. stretches: for how long pods have come and gone (guards.py).
    deliveries: what is being given to which pod. reference: uid of the pod whose samples stand for the application.
    judged: uid and seq of the newest sample that the tuner has seen. allowed: the limits at the last plan. word:
    the tuner's latest; hold: what keeps it from being asked, or None. told: entries that are recorded but not yet
    passed on. urgent_at: when a trial last began that was urgent.
    """

    app: UwsgiApp
    promoted: DesiredShape
    last: Version
    stored: Version = UNVERSIONED
    change: Change | None = None
    memory: Memory = field(default_factory=Memory)
    history: tuple[Entry, ...] = ()
    pods: Mapping[str, Pod] = field(default_factory=dict)
    coming: tuple[PodInfo, ...] = ()
    autoscaler: Autoscaler | None = None
    ready: int = 0
    left_at: float = float("-inf")
    stretches: Mapping[Reason, Stretch] = field(default_factory=dict)
    deliveries: Mapping[str, Delivery] = field(default_factory=dict)
    reference: str | None = None
    judged: tuple[str, int] | None = None
    allowed: Limits | None = None
    word: Word | None = None
    hold: Word | None = None
    told: tuple[Entry, ...] = ()
    urgent_at: float = float("-inf")

    @classmethod
    def begin(cls, app: UwsgiApp, promoted: DesiredShape | None = None) -> "FleetState":
        """For an application of which at most the promoted shape is known.

        Its epoch is greater than that of `promoted`: what the last writer issued afterwards is unknown.
        """
        known = promoted or DesiredShape(version=UNVERSIONED, shape=app.tuning.first)
        return cls(app=app, promoted=known, stored=known.version, last=Version(known.version.epoch + 1, 0))

    @property
    def shape(self) -> Shape:
        """The promoted one."""
        return self.promoted.shape

    @property
    def limits(self) -> Limits:
        """Of one pod. Those that will run in a moment count too: there must be room for their connections. So do all
        that an autoscaler may make: a shape that shrank as they came would do so in the spike that called for them."""
        cores = max((pod.samples[-1].cores for pod in self.pods.values() if pod.samples), default=None)
        pods = len(self.pods) + sum(not each.leaving for each in self.coming)
        scaler = self.autoscaler
        if scaler is None or scaler.most <= pods:
            return Limits.of(self.app, pods, cores)
        why = f", the most that HorizontalPodAutoscaler {scaler.name} may make"
        return Limits.of(self.app, scaler.most, cores, why=why)

    def inside(self, shape: Shape) -> Shape:
        """`shape` moved into the manifest's bounds and under its number of connections."""
        return self.limits.connected(self.app.tuning.inside(shape))

    def with_next_version(self) -> "FleetState":
        return replace(self, last=self.last.next())

    def with_stored(self, version: Version) -> "FleetState":
        return replace(self, stored=version)

    def recorded(
        self, now: float, kind: Kind, before: Shape | None, after: Shape, reason: str, message: str
    ) -> "FleetState":
        entry = Entry(at=now, kind=kind, from_shape=before, to_shape=after, reason=reason, message=message)
        return replace(self, history=(*self.history, entry)[-HISTORY:], told=(*self.told, entry))

    def reset(self) -> "FleetState":
        """Forget all but the promoted shape, the versions and the history: after an error of our own."""
        for pod in self.pods.values():
            pod.forget_samples()
        return replace(
            FleetState(app=self.app, promoted=self.promoted, last=self.last, stored=self.stored),
            history=self.history, pods=self.pods, coming=self.coming, deliveries=self.deliveries,
            autoscaler=self.autoscaler,
        )  # fmt: skip
