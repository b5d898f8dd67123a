"""Does the backend answer sooner with far fewer requests at once? Nobody can tell but by trying: the probe downwards.

Once for a workload, and again if that was the better shape and its requests are still many.
"""

import math

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.report.reasons import Reason
from uwsgi_autopilot.tuner import wording
from uwsgi_autopilot.tuner.limits import Limits
from uwsgi_autopilot.tuner.load import Load
from uwsgi_autopilot.tuner.memory import Memory
from uwsgi_autopilot.tuner.model import Work
from uwsgi_autopilot.tuner.point import Point
from uwsgi_autopilot.tuner.proposal import Proposal
from uwsgi_autopilot.tuner.work import APART, unknown_below
from uwsgi_autopilot.tuner.worth import fewest

UNKNOWN = 1.0  # ln: what fewer requests at once do nobody can tell
PROBE_DOWN = 3.0  # by what factor fewer requests at once
PROBE_ON = 2.0  # and where it is known by now that more of them slow the backend down
UNLOCKED = 0.1  # interpreters that the requests keep busy: one process could serve several times as many


def probe_down(memory: Memory, load: Load, work: Work, limits: Limits, *, by: float) -> Proposal | None:
    """For a workload that mostly waits and was only ever seen with many requests at once: once, and again if that was
    the better shape and they are still many."""
    if memory.probed or load.cpu_full or not load.closed or not unknown_below(load, memory.of_this_workload, work):
        return None
    slots = max(2, round(load.in_service / by))
    processes = min(load.shape.processes, max(2, round(load.cores)), slots)
    shape = limits.clamp(Shape(processes, max(1, round(slots / processes))))
    # By fewer processes alone where that makes the difference: the way back then takes no import.
    workers = limits.clamp(Shape(math.ceil(slots / load.shape.threads), load.shape.threads))
    enough = workers.processes >= fewest(load) or load.throughput * work.lock_s < UNLOCKED
    if workers.slots * APART <= load.in_service and enough:
        shape = workers
    if shape.slots >= load.in_service or memory.forbids(shape) or not limits.fits(shape, load):
        return None
    message = wording.probe_down(load, shape)
    return Proposal(
        shape=shape, before=memory.known(Point.of(load, began=memory.since or 0.0)), at=load.at,
        reason=Reason.BACKEND_PROBE, message=message, better=False, expected=load.throughput,
        gain=0.0, doubt=UNKNOWN,
    )  # fmt: skip
