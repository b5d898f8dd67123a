"""What was done with an application's shape, and why: one Entry each, the last ten are kept."""

from dataclasses import dataclass
from enum import Enum

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.tuner.proposal import shortened

HISTORY = 10


class Kind(str, Enum):
    """What became of a change. The words stand in status.decisions, in Events and in metrics."""

    TRY = "try"
    """The reference pod gets the shape for a while."""
    TRY_ALL = "try-all"
    """So does every pod, because all of them are overloaded."""
    PROMOTE = "promote"
    """The trial was good: every pod is to have the shape, and new pods start with it."""
    BACK = "back"
    """The trial was no good, and is taken back."""
    UNDECIDED = "undecided"
    """The trial ended without a verdict, and is taken back."""
    CHANGE = "change"
    """Every pod is to have the shape without a trial: a pin, or new bounds."""
    REFUSE = "refuse"
    """A better shape is known, or was tried, and a limit forbids it."""
    RECOMMEND = "recommend"
    """Mode Recommend: this would be tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """`at`: seconds on the fleet's clock. from_shape: what served; None: nobody knew. reason: also an agent's word."""

    at: float
    kind: Kind
    from_shape: Shape | None
    to_shape: Shape
    reason: str
    message: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", shortened(self.message))
