"""A change that was asked for: has it come, was it refused, did it get lost? And a shape that nobody here asked for."""

from dataclasses import replace

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.report.reasons import Reason
from uwsgi_autopilot.tuner.decision import Decision
from uwsgi_autopilot.tuner.memory import Memory
from uwsgi_autopilot.tuner.moment import Now, Result, hold
from uwsgi_autopilot.tuner.phases import Event

LOST_S = 20.0  # a change that has not even begun after so long never will
FOREIGN_SHAPE_S = 5  # samples of a shape that nobody here asked for: then it is somebody's wish, not a dead worker
NEVER_ENOUGH = 1e9  # demand: what the agent refused is not asked for again, however much load comes


def follow_up(memory: Memory, now: Now, refused: Shape | None) -> tuple[Memory, Decision | None]:
    """Has the change come? None: nothing is open, go on by phase."""
    asked = memory.asked
    if asked is not None and asked.arrived_at is None:
        if refused == asked.shape:
            return _not_done(memory, now, Reason.REFUSED, f"the agent refused {asked.shape}: {now.shape} stays")
        if now.newest.settled and now.shape == asked.shape:
            arrived = replace(asked, arrived_at=now.newest.at - now.newest.seconds)
            return replace(memory, asked=arrived, shape=asked.shape), None
        recent = now.samples[-FOREIGN_SHAPE_S:]
        idle = all(each.settled and each.shape == now.shape and each.at > asked.at for each in recent)
        if idle and now.newest.at - asked.at >= LOST_S:
            message = f"{asked.shape} was asked for {now.newest.at - asked.at:.0f} s ago and never came"
            return _not_done(memory, now, Reason.CHANGE_LOST, message)
        message = f"{asked.shape} was asked for {now.newest.at - asked.at:.0f} s ago; {now.shape} serves until it comes"
        return memory, hold(now.shape, Reason.CHANGE_IN_PROGRESS, message)

    if memory.shape is None:
        return replace(memory, shape=now.shape), None
    if memory.shape != now.shape:
        recent = now.samples[-FOREIGN_SHAPE_S:]
        lasting = all(each.settled and each.shape == now.shape for each in recent) and len(recent) == FOREIGN_SHAPE_S
        if lasting:
            message = f"{now.shape} serves instead of {memory.shape}, which was not asked for here"
            since = recent[0].at - recent[0].seconds
            forgot = replace(memory, shape=now.shape).forgetting(since).on(Event.SHAPE_CHANGED)
            return forgot, hold(now.shape, Reason.SHAPE_CHANGED, message)
        message = f"{now.shape} serves where {memory.shape} should"
        return memory, hold(now.shape, Reason.WORKERS_MISSING, message)
    return memory, None


def _not_done(memory: Memory, now: Now, reason: Reason, message: str) -> Result:
    asked = memory.asked
    assert asked is not None
    up = asked.shape.slots > asked.before.shape.slots
    memory = memory.with_rejected(asked.shape, up=up, demand=NEVER_ENOUGH).on(Event.NOT_DONE)
    memory = replace(memory, asked=None, shape=now.shape)
    return memory, hold(now.shape, reason, message)
