"""Slots that are held by requests which do not end: streams, long polls, a wait of many seconds.

All slots are busy, requests queue, and too few end to estimate a rate or a time per request from. Nothing can be said
of what a shape would serve then, but how many slots it takes for those that are in the pod: that many are proposed, by
threads, since such requests mostly wait. Whether now is the time is asked as always (guards.py).
"""

import math
from collections.abc import Iterator, Sequence

from uwsgi_autopilot.api.sample import Sample
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.report.reasons import Reason
from uwsgi_autopilot.tuner import wording
from uwsgi_autopilot.tuner.candidates import slots_for
from uwsgi_autopilot.tuner.holds import no_room_in_budget
from uwsgi_autopilot.tuner.limits import Limits
from uwsgi_autopilot.tuner.load import FAIR, FEW, Load, load_unended
from uwsgi_autopilot.tuner.memory import Memory
from uwsgi_autopilot.tuner.point import Point
from uwsgi_autopilot.tuner.proposal import Answer, Hold, Proposal, Refusal
from uwsgi_autopilot.tuner.window import window

HELD = 0.9  # share of the slots that are busy: readings of a second differ a little
# Seconds in which fewer requests ended than there are slots; and in which fewer than FEW did.
NONE_ENDS_S, FEW_END_S = 5.0, 10.0
NEWEST = 3  # samples that tell how many requests there is to be room for
# Requests that compute get no more CPU by more threads. Cores of the busiest worker, for its interpreter lock; and FAIR
# of all cores, which we get whatever others do: that they use the rest does not matter to requests that wait.
COMPUTES = 0.7
LOCKED = 0.5  # share of the busy threads that wait for a lock: more threads would, too
UNKNOWN = 1.0  # ln: what requests do that were never seen to end nobody can tell


def held_slots(samples: Sequence[Sample], limits: Limits, *, since: float) -> Load | None:
    """The load while requests hold all slots, mostly waiting; its times per request are the least that they can be.
    None: they end, or none queues, or they compute or wait for a lock."""
    settled = window(samples, since=since)
    stretch = _stretch(settled, fewer=min(FEW, settled[-1].shape.slots), seconds=NONE_ENDS_S) if settled else []
    stretch = stretch or _stretch(settled, fewer=FEW, seconds=FEW_END_S)
    if not stretch:
        return None
    load = load_unended(stretch, newest=NEWEST, cores=limits.cores)
    computes = load.cores_used >= FAIR * load.cores or load.throttled > 0.1 or load.worker_cpu >= COMPUTES
    return None if computes or _locked(stretch) >= LOCKED else load


def _stretch(samples: list[Sample], *, fewer: int, seconds: float) -> list[Sample]:
    """The newest samples in which all slots were busy, requests queued, and fewer than `fewer` ended; [] if it is too
    short."""
    found: list[Sample] = []
    ended = 0.0
    for each in reversed(samples):
        ended += each.requests
        if ended >= fewer or each.busy < HELD * each.shape.slots or (each.queue_mean or 0.0) < HELD:
            break
        found.append(each)
    found.reverse()
    return found if sum(each.seconds for each in found) >= seconds - 0.5 else []


def _locked(samples: list[Sample]) -> float:
    seen = [each.census for each in samples if each.census is not None]
    busy = sum(each.busy for each in seen)
    return sum(each.interpreter_lock + each.application_lock for each in seen) / busy if busy else 0.0


def more_slots(memory: Memory, held: Load, limits: Limits) -> Answer:
    """Slots for all that are in the pod, or as many of them as the limits have room for."""
    needed = slots_for(held.inside)
    wish = Shape(held.shape.processes, math.ceil(needed / held.shape.processes))
    possible = [each for each in _larger(held.shape, needed, limits) if limits.fits(each, held)]
    possible = [each for each in possible if not memory.forbids(each)]
    if not possible:
        return limits.why_not(wish, held) or _refused(memory, held, wish)
    shape = max(possible, key=lambda each: (min(each.slots, needed), -each.processes, -each.threads))
    if not memory.affords(swap=shape.threads != held.shape.threads):
        return no_room_in_budget(held, shape)
    return Proposal(
        shape=shape,
        before=Point.of(held, began=memory.since or 0.0),
        at=held.at,
        reason=Reason.MORE_THREADS if shape.threads > held.shape.threads else Reason.MORE_PROCESSES,
        message=wording.held(held, shape),
        better=True,
        expected=held.throughput,
        gain=0.0,
        doubt=UNKNOWN,
    )


def _refused(memory: Memory, held: Load, wish: Shape) -> Answer:
    refused = memory.limit_of(wish)
    if refused is not None and refused.limit is not None:
        message = f"the agent refused {refused.shape}: {refused.why}"
        return Refusal(shape=wish, reason=refused.limit, message=message)
    message = f"{held.queued:.0f} requests queue; shapes with more slots than {held.shape} were tried and taken back"
    return Hold(reason=Reason.SETTLED, message=message, settled=True)


def _larger(here: Shape, needed: int, limits: Limits) -> Iterator[Shape]:
    for processes in range(here.processes, max(here.processes, limits.processes.max) + 1):
        most = min(limits.threads.max, math.ceil(needed / processes))
        for threads in range(here.threads, max(here.threads, most) + 1):
            if processes * threads > here.slots:
                yield Shape(processes, threads)
