"""The change in progress. There is one at a time; `Generations.step` takes its next step.

             ┌──target is what serves──► nothing to do
             │                     (DONE)
target ≠ ────┼─► RESIZE, where threads and ceiling allow it ──► serves
what serves  │       └ (IMPOSSIBLE) ──in place only──► given up, likewise
             │            ▼          (accepts)
             └─────────► SWAP: a generation beside it ──► serves, the old one retires
                            └ any failure: given up, the old one goes on and is the target again

nothing serves ──► START what served last, backing off; requests wait in the socket's queue meanwhile
"""

from dataclasses import dataclass
from enum import Enum

from uwsgi_autopilot.agent.generation import Generation
from uwsgi_autopilot.agent.server import Resizing
from uwsgi_autopilot.api.desired import Version
from uwsgi_autopilot.api.shape import Shape


class Kind(str, Enum):
    START = "start"
    SWAP = "swap"
    RESIZE = "resize"


@dataclass(slots=True, kw_only=True)
class Change:
    """The one in progress. version: of the desired shape it is for; None: of none, it restarts what served. before: the
    shape that served when it began. in_place: a resize must not become a swap. generation: of a start or a swap;
    resizing: of a resize."""

    kind: Kind
    to: Shape
    since: float
    version: Version | None
    before: Shape
    in_place: bool = False
    generation: Generation | None = None
    resizing: Resizing | None = None
