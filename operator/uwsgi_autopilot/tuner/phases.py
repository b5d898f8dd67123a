"""In what phase the tuner is, and what leads from one to another: one table.

START ─► OBSERVE ─(change asked)─► VERIFY ─(kept)─► REFINE ─(nothing left)─► HOLD
            ▲ │                      │                 ▲ │                    │ │
            │ └─(nothing to gain)────┼─────────────────┼─┼────────────────────┘ │
            │                        └─(worse)─► BACK ─┘ └─(change asked)─► VERIFY
            └── workload changed, or the shape changed by somebody else ◄───────┘
"""

from collections.abc import Mapping
from enum import Enum


class Phase(str, Enum):
    OBSERVE = "Observe"  # a workload that is not known yet
    VERIFY = "Verify"  # a change was asked for: has it come, and what did it bring?
    BACK = "Back"  # a change is being taken back
    REFINE = "Refine"  # the last change was good: is there more?
    HOLD = "Hold"  # nothing to gain that is known


class Event(str, Enum):
    CHANGE_ASKED = "change asked"
    KEPT = "kept"
    WORSE = "worse"
    RETURNED = "returned"  # the shape of before serves again
    NOT_DONE = "not done"  # the agent refused, or the change never came
    NOT_TRIED = "not tried"  # mode Recommend
    NOTHING_LEFT = "nothing left"
    ROOM_SEEN = "room seen"  # the load has grown into a limit of the shape
    WORKLOAD_CHANGED = "workload changed"
    SHAPE_CHANGED = "shape changed by somebody else"


TRANSITIONS: Mapping[tuple[Phase, Event], Phase] = {
    (Phase.OBSERVE, Event.CHANGE_ASKED): Phase.VERIFY,
    (Phase.OBSERVE, Event.NOTHING_LEFT): Phase.HOLD,
    (Phase.VERIFY, Event.KEPT): Phase.REFINE,
    (Phase.VERIFY, Event.CHANGE_ASKED): Phase.VERIFY,
    (Phase.VERIFY, Event.WORSE): Phase.BACK,
    (Phase.VERIFY, Event.NOT_DONE): Phase.REFINE,
    (Phase.VERIFY, Event.NOT_TRIED): Phase.HOLD,
    (Phase.BACK, Event.RETURNED): Phase.REFINE,
    (Phase.BACK, Event.NOT_DONE): Phase.HOLD,
    (Phase.REFINE, Event.CHANGE_ASKED): Phase.VERIFY,
    (Phase.REFINE, Event.NOTHING_LEFT): Phase.HOLD,
    (Phase.HOLD, Event.ROOM_SEEN): Phase.REFINE,
    **{(phase, Event.WORKLOAD_CHANGED): Phase.OBSERVE for phase in Phase},
    **{(phase, Event.SHAPE_CHANGED): Phase.OBSERVE for phase in Phase},
}


def after(phase: Phase, event: Event) -> Phase:
    """The phase that follows. Raises KeyError for an event that cannot happen in `phase`."""
    return TRANSITIONS[phase, event]
