"""The one pending change of an application: a state machine, and this table is all of it.

    a shape worth a trial                                  a pin, new bounds
        │                                                          │
        ▼      ARRIVED                   KEPT                      ▼       COMPLETE
    STARTING ───────────► TRYING ─────────────────────────────► PROMOTING ──────────► done
        │  ▲                │ │                                                         ▲
        │  └─────MORE───────┘ │                                            COMPLETE     │
        └─────────────────────┴──NOT_CARRIED_OUT, VOID, TAKEN_BACK──► REVERTING ────────┘
                                 POD_GONE

One pod tries, then half of them (MORE), then all (MORE); KEPT is what all of them have. Whatever becomes of the
operator meanwhile, a trial ends by itself in each pod, because the agent holds the deadline.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from uwsgi_autopilot.api.desired import DesiredShape, Version, version_of
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.fleet.compare import Baseline
from uwsgi_autopilot.fleet.shared import Together
from uwsgi_autopilot.report.reasons import Reason
from uwsgi_autopilot.tuner.proposal import Proposal, Said


class Stage(str, Enum):
    STARTING = "Starting"  # one pod, half of them or all are given the shape, on trial
    TRYING = "Trying"  # it serves there, and is compared with before and with the pods that do not have it
    PROMOTING = "Promoting"  # every pod is given the shape for good
    REVERTING = "Reverting"  # the pods that tried are given the promoted shape again


class Event(str, Enum):
    """What has happened; `pending.py` finds out, and carries out what follows."""

    ARRIVED = "the shape serves in the pods that try, or these are not waited for"
    MORE = "it does no harm there: more pods are to try it"
    KEPT = "the shape is good, in all pods"
    TAKEN_BACK = "it is worse, or no better, or too much for what all pods share"
    NOT_CARRIED_OUT = "the agent refused it, or it never came"
    VOID = "no verdict is possible, or the manifest no longer allows the trial"
    POD_GONE = "the pod that tried first is gone"
    COMPLETE = "every pod has what it should, or is not waited for"


DONE = None
NEXT: Mapping[tuple[Stage, Event], Stage | None] = {
    (Stage.STARTING, Event.ARRIVED): Stage.TRYING,
    (Stage.STARTING, Event.NOT_CARRIED_OUT): Stage.REVERTING,
    (Stage.STARTING, Event.VOID): Stage.REVERTING,
    (Stage.STARTING, Event.POD_GONE): Stage.REVERTING,
    (Stage.TRYING, Event.MORE): Stage.STARTING,
    (Stage.TRYING, Event.KEPT): Stage.PROMOTING,
    (Stage.TRYING, Event.TAKEN_BACK): Stage.REVERTING,
    (Stage.TRYING, Event.NOT_CARRIED_OUT): Stage.REVERTING,
    (Stage.TRYING, Event.VOID): Stage.REVERTING,
    (Stage.TRYING, Event.POD_GONE): Stage.REVERTING,
    (Stage.PROMOTING, Event.COMPLETE): DONE,
    (Stage.REVERTING, Event.COMPLETE): DONE,
}

# Long enough for a generation to start and be measured; renewed at half-time, so a slower start does no harm.
TRIAL_SECONDS = 90.0
# When several pods try, their trials expire at different moments, spread over this many seconds.
JITTER_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """shape: the one that is tried, promoted or abandoned. before: the shape that was promoted when the change began.
    version: of the newest desired shape issued for it, at `issued_at`. entered_at: when the stage began.

    pod: uid of the pod that tries it first and whose samples decide; None: no trial. others: uids of those that try it,
    too. urgent: all pods were overloaded, so more of them are given it before the tuner has decided. proposal: the
    tuner's; None: no trial. baseline: how that pod compared with the others just before; together: how all of them did;
    peak: when they served the most, while fewer had the shape. arrived_at: when the shape began to serve in `pod`.
    kept: why the tuner keeps it; None: not yet. judged_back: the tuner found it worse. Times are seconds on the fleet's
    clock.
    """

    stage: Stage
    shape: Shape
    before: Shape
    version: Version
    issued_at: float
    entered_at: float = 0.0
    pod: str | None = None
    others: tuple[str, ...] = ()
    urgent: bool = False
    proposal: Proposal | None = None
    baseline: Baseline | None = None
    together: Together | None = None
    peak: Together | None = None
    arrived_at: float | None = None
    kept: Said | None = None
    judged_back: bool = False

    @property
    def on_trial(self) -> bool:
        return self.stage in (Stage.STARTING, Stage.TRYING)

    def fits(self, promoted: DesiredShape) -> bool:
        """Whether a stored change still stands beside the stored promoted shape.

        The promoted shape is written first: after a crash between the two writes the change is already over.
        """
        if self.on_trial:
            return self.shape != promoted.shape
        return self.stage is not Stage.PROMOTING or self.shape == promoted.shape

    def concerns(self, uid: str) -> bool:
        return uid == self.pod or uid in self.others

    def wider(self, uids: Collection[str]) -> tuple[str, ...]:
        """`others` of the next stage, when these pods are there: half of the pods, then all; () when all have it."""
        rest = [uid for uid in sorted(uids) if not self.concerns(uid)]
        having, half = len(uids) - len(rest), (len(uids) + 1) // 2
        return (*self.others, *(rest if having >= half else rest[: half - having])) if rest else ()

    def trial_of(self, uid: str) -> DesiredShape:
        """What a pod on trial is given."""
        # Always the same for one pod, whichever process computes it.
        jitter = sum(uid.encode()) % 100 / 100 * JITTER_SECONDS if self.others else 0.0
        return DesiredShape(version=self.version, shape=self.shape, uid=uid, trial_seconds=TRIAL_SECONDS + jitter)

    def to_json(self) -> dict[str, Any]:
        return {
            "stage": self.stage.value,
            "shape": self.shape.to_json(),
            "before": self.before.to_json(),
            **self.version._asdict(),
            "issued_at": self.issued_at,
            "entered_at": self.entered_at,
            "pod": self.pod,
            "others": list(self.others),
            "urgent": self.urgent,
            "proposal": self.proposal.to_json() if self.proposal else None,
            "baseline": self.baseline.to_json() if self.baseline else None,
            "together": self.together.to_json() if self.together else None,
            "peak": self.peak.to_json() if self.peak else None,
            "arrived_at": self.arrived_at,
            "kept": [self.kept.reason.value, self.kept.message] if self.kept else None,
            "judged_back": self.judged_back,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Change":
        """Raises ValueError, KeyError, TypeError."""
        return cls(
            stage=Stage(data["stage"]),
            shape=Shape.from_json(data["shape"]),
            before=Shape.from_json(data["before"]),
            version=version_of(dict(data)),
            issued_at=float(data["issued_at"]),
            entered_at=float(data["entered_at"]),
            pod=data["pod"],
            others=tuple(str(each) for each in data["others"]),
            urgent=bool(data["urgent"]),
            proposal=Proposal.from_json(data["proposal"]) if data["proposal"] else None,
            baseline=Baseline.from_json(data["baseline"]) if data["baseline"] else None,
            together=Together.from_json(data["together"]) if data["together"] else None,
            peak=Together.from_json(data["peak"]) if data["peak"] else None,
            arrived_at=data["arrived_at"],
            kept=Said(reason=Reason(data["kept"][0]), message=str(data["kept"][1])) if data["kept"] else None,
            judged_back=bool(data["judged_back"]),
        )
