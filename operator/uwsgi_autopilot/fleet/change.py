"""The one change that is pending, as one table.

    STARTING ──(serves in the pod that tries)──► TRYING ──(kept)──► PROMOTING ──(every pod has it)──► done
        │  ▲                                      │ │
        │  └──────────(on to another shape)───────┘ │
        └──(refused, lost, void, forbidden)─────────┴──(worse, void, forbidden)──► REVERTING ──(back)──► done

A pin and new bounds enter at PROMOTING: there is nothing to try. Whatever becomes of the operator meanwhile, a pod's
trial ends by itself, because the agent holds its deadline.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from uwsgi_autopilot.api.desired import DesiredShape, Version, version_of
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.fleet.compare import Baseline
from uwsgi_autopilot.tuner.proposal import Proposal

# Long enough for a generation to start and be measured; renewed at half of it, so a longer start does no harm.
TRIAL_SECONDS = 90.0
# Trials of all pods end apart from each other, up to so much later.
JITTER_SECONDS = 30.0


class Stage(str, Enum):
    STARTING = "Starting"
    TRYING = "Trying"
    PROMOTING = "Promoting"
    REVERTING = "Reverting"


class Event(str, Enum):
    ARRIVED = "the shape serves"
    FURTHER = "another shape instead"
    KEPT = "kept"
    TAKEN_BACK = "taken back"
    NOT_CARRIED_OUT = "refused by the agent, or lost"
    VOID = "no verdict"
    FORBIDDEN = "the manifest now says otherwise"
    COMPLETE = "every pod has it"
    POD_GONE = "the pod that tries is gone"


DONE = None
NEXT: Mapping[tuple[Stage, Event], Stage | None] = {
    (Stage.STARTING, Event.ARRIVED): Stage.TRYING,
    (Stage.STARTING, Event.NOT_CARRIED_OUT): Stage.REVERTING,
    (Stage.STARTING, Event.VOID): Stage.REVERTING,
    (Stage.STARTING, Event.FORBIDDEN): Stage.REVERTING,
    (Stage.STARTING, Event.POD_GONE): DONE,
    (Stage.TRYING, Event.FURTHER): Stage.STARTING,
    (Stage.TRYING, Event.KEPT): Stage.PROMOTING,
    (Stage.TRYING, Event.TAKEN_BACK): Stage.REVERTING,
    (Stage.TRYING, Event.NOT_CARRIED_OUT): Stage.REVERTING,
    (Stage.TRYING, Event.VOID): Stage.REVERTING,
    (Stage.TRYING, Event.FORBIDDEN): Stage.REVERTING,
    (Stage.TRYING, Event.POD_GONE): DONE,
    (Stage.PROMOTING, Event.COMPLETE): DONE,
    (Stage.REVERTING, Event.COMPLETE): DONE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """stage: where it is in the table. shape: what is tried or promoted, or what is being left. before: the promoted
    shape when it began. version: of the newest desired shape that was given out for it, at `issued_at`.

    pod: uid of the one that tries, and that is judged by; None: nobody tries. all_pods: every pod tries at once,
    because all are overloaded. proposal: the tuner's; None: nobody tries. baseline: the pod beside the others just
    before. arrived_at: since when the shape serves in `pod`. judged_back: the tuner found it worse.
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
        """What a pod that tries is to be given."""
        # The same for a pod each time, whatever process computes it.
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
        """Without the baseline: after a restart of the operator the tuner alone judges. Raises ValueError, KeyError."""
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
