"""The one pending change of an application: a state machine, and this table is all of it.

    a shape worth a trial                                  a pin, new bounds
        │                                                          │
        ▼      ARRIVED                   KEPT                      ▼       COMPLETE
    STARTING ───────────► TRYING ─────────────────────────────► PROMOTING ──────────► done
        │  ▲                │ │                                                         ▲
        │  └────FURTHER─────┘ │                                            COMPLETE     │
        └─────────────────────┴──NOT_CARRIED_OUT, VOID, TAKEN_BACK──► REVERTING ────────┘

POD_GONE ends a trial at once: nobody is left to revert. Whatever becomes of the operator meanwhile, a trial ends by
itself in its pod, because the agent holds the deadline.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from uwsgi_autopilot.api.desired import DesiredShape, Version, version_of
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.fleet.compare import Baseline
from uwsgi_autopilot.tuner.proposal import Proposal


class Stage(str, Enum):
    STARTING = "Starting"  # one pod (or, when all are overloaded, every pod) is given the shape, on trial
    TRYING = "Trying"  # it serves there and is measured
    PROMOTING = "Promoting"  # every pod is given the shape for good
    REVERTING = "Reverting"  # the pods that tried are given the promoted shape again


class Event(str, Enum):
    """What has happened; `pending.py` finds out, and carries out what follows."""

    ARRIVED = "the shape serves in the pod that tries"
    KEPT = "the shape is good"
    FURTHER = "it is not, but the trial has shown another shape to try"
    TAKEN_BACK = "it is worse, or no better"
    NOT_CARRIED_OUT = "the agent refused it, or it never came"
    VOID = "no verdict is possible, or the manifest no longer allows the trial"
    POD_GONE = "the pod that tries is gone"
    COMPLETE = "every pod has what it should, or is not waited for"


DONE = None
NEXT: Mapping[tuple[Stage, Event], Stage | None] = {
    (Stage.STARTING, Event.ARRIVED): Stage.TRYING,
    (Stage.STARTING, Event.NOT_CARRIED_OUT): Stage.REVERTING,
    (Stage.STARTING, Event.VOID): Stage.REVERTING,
    (Stage.STARTING, Event.POD_GONE): DONE,
    (Stage.TRYING, Event.KEPT): Stage.PROMOTING,
    (Stage.TRYING, Event.FURTHER): Stage.STARTING,
    (Stage.TRYING, Event.TAKEN_BACK): Stage.REVERTING,
    (Stage.TRYING, Event.NOT_CARRIED_OUT): Stage.REVERTING,
    (Stage.TRYING, Event.VOID): Stage.REVERTING,
    (Stage.TRYING, Event.POD_GONE): DONE,
    (Stage.PROMOTING, Event.COMPLETE): DONE,
    (Stage.REVERTING, Event.COMPLETE): DONE,
}

# Long enough for a generation to start and be measured; renewed at half-time, so a slower start does no harm.
TRIAL_SECONDS = 90.0
# When every pod tries at once, their trials expire at different moments, spread over this many seconds.
JITTER_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """shape: the one that is tried, promoted or abandoned. before: the shape that was promoted when the change began.
    version: of the newest desired shape issued for it, at `issued_at`.

    pod: uid of the pod that tries it and whose samples decide; None: no trial. all_pods: every pod tries it at once,
    because all are overloaded. proposal: the tuner's; None: no trial. baseline: how that pod compared with the others
    just before. arrived_at: when the shape began to serve in `pod`. judged_back: the tuner found it worse.
    Times are seconds on the fleet's clock.
    """

    stage: Stage
    shape: Shape
    before: Shape
    version: Version
    issued_at: float
    pod: str | None = None
    all_pods: bool = False
    proposal: Proposal | None = None
    baseline: Baseline | None = None
    arrived_at: float | None = None
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
        return self.all_pods or self.pod == uid

    def trial_of(self, uid: str) -> DesiredShape:
        """What a pod on trial is given."""
        # Always the same for one pod, whichever process computes it.
        jitter = sum(uid.encode()) % 100 / 100 * JITTER_SECONDS if self.all_pods else 0.0
        return DesiredShape(version=self.version, shape=self.shape, uid=uid, trial_seconds=TRIAL_SECONDS + jitter)

    def to_json(self) -> dict[str, Any]:
        return {
            "stage": self.stage.value,
            "shape": self.shape.to_json(),
            "before": self.before.to_json(),
            **self.version._asdict(),
            "issued_at": self.issued_at,
            "pod": self.pod,
            "all_pods": self.all_pods,
            "proposal": self.proposal.to_json() if self.proposal else None,
            "arrived_at": self.arrived_at,
            "judged_back": self.judged_back,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Change":
        """Without the baseline: after a restart the tuner alone judges. Raises ValueError, KeyError."""
        return cls(
            stage=Stage(data["stage"]),
            shape=Shape.from_json(data["shape"]),
            before=Shape.from_json(data["before"]),
            version=version_of(dict(data)),
            issued_at=float(data["issued_at"]),
            pod=data["pod"],
            all_pods=bool(data["all_pods"]),
            proposal=Proposal.from_json(data["proposal"]) if data["proposal"] else None,
            arrived_at=data["arrived_at"],
            judged_back=bool(data["judged_back"]),
        )
