"""The history of an application's shape: one Entry for each decision, of which the last ten are kept."""

from dataclasses import dataclass
from enum import Enum

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.tuner.proposal import shortened

HISTORY = 10


class Kind(str, Enum):
    """What was decided. The words appear in status.decisions, Events and metrics."""

    TRY = "try"
    """The reference pod gets the shape on trial; where it does no harm, half of the pods and then all."""
    PROMOTE = "promote"
    """The trial succeeded: every pod keeps the shape, and new pods start with it."""
    BACK = "back"
    """The trial failed and is taken back."""
    UNDECIDED = "undecided"
    """The trial ended without a verdict and is taken back."""
    CHANGE = "change"
    """Every pod gets the shape without a trial: a pin, or new bounds."""
    REFUSE = "refuse"
    """A better shape is known, or was tried, but a limit forbids it."""
    RECOMMEND = "recommend"
    """Mode Recommend: this is what would be tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """`at`: seconds on the fleet's clock. from_shape: what served; None: unknown. reason: also a RefusalReason."""

    at: float
    kind: Kind
    from_shape: Shape | None
    to_shape: Shape
    reason: str
    message: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", shortened(self.message))
