"""The change in progress. There is one at a time; `Changing.step` takes its next step.

             ┌──target is what serves──► nothing to do
             │                     (DONE)
target ≠ ────┼─► RESIZE, where threads and ceiling allow it ──► serves
what serves  │       └ (IMPOSSIBLE) ──in place only──► given up, likewise
             │            ▼          (accepts)
             └─────────► SWAP: a generation beside it ──► serves, the old one retires
                            └ any failure: given up, the old one goes on and is the target again

nothing serves ──► START what served last, backing off; requests wait in the socket's queue meanwhile

a reload, or the memory guard ──► SWAP to the same shape
                              └─► retire what serves; then, once it is gone or there is room, START
"""

from dataclasses import dataclass
from enum import Enum

from uwsgi_autopilot.agent.generation import Generation
from uwsgi_autopilot.agent.server import Resizing
from uwsgi_autopilot.api.desired import Version
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.report.reasons import RefusalReason


class Kind(str, Enum):
    START = "start"
    SWAP = "swap"
    RESIZE = "resize"


@dataclass(slots=True, kw_only=True)
class Change:
    """The one in progress. version: of the desired shape it is for; None: of none, it restarts what served. before: the
    shape that served when it began. in_place: a resize must not become a swap. recycles: asked for by the memory guard.
    generation: of a start or a swap; resizing: of a resize."""

    kind: Kind
    to: Shape
    since: float
    version: Version | None
    before: Shape
    in_place: bool = False
    recycles: bool = False
    generation: Generation | None = None
    resizing: Resizing | None = None


def no_way(change: Change, why: str, no_swap: str | None) -> tuple[RefusalReason, str]:
    """What is said of a change that is possible neither in place nor beside what serves. why: not in place, one clause,
    where the threads are right. no_swap: why no generation may run beside another; None: there are too few
    connections."""
    if change.before.threads != change.to.threads:
        why = f"it has {change.before.threads} threads per worker"
    reason, no_second = RefusalReason.CONNECTION_LIMIT, "maxConnections has no room for a second one"
    if no_swap is not None:
        reason, no_second = RefusalReason.NO_SECOND_GENERATION, f"there can be no second one: {no_swap}"
    return (
        reason,
        f"{change.before} cannot become {change.to} within the generation that serves ({why}), and {no_second}",
    )
