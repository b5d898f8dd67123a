"""Which shape next? Candidates, one objective, and three questions; the first that has an answer gives the shape.

  1. jump.py: is one expected to be clearly better?  The best of them.
  2. probedown.py: with far fewer requests at once, does the backend answer sooner?
     Asked first where more of them are known to slow it down.
  3. probe.py: is one worth a look?  The one with the greatest expected improvement over the best that is known.

Every answer is a Proposal, or says why there is none. Whether now is the time is asked elsewhere (guards.py).
"""

import math

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.report.reasons import Reason
from uwsgi_autopilot.tuner import wording
from uwsgi_autopilot.tuner.candidates import Candidate, candidates, surface_of
from uwsgi_autopilot.tuner.holds import alternates, nothing, too_dear
from uwsgi_autopilot.tuner.jump import best, clearly_better, worth_a_jump, worth_an_alternation
from uwsgi_autopilot.tuner.limits import Limits
from uwsgi_autopilot.tuner.load import Load
from uwsgi_autopilot.tuner.memory import Memory
from uwsgi_autopilot.tuner.model import Work
from uwsgi_autopilot.tuner.objective import Objective
from uwsgi_autopilot.tuner.point import Point
from uwsgi_autopilot.tuner.probe import worth_a_probe
from uwsgi_autopilot.tuner.probedown import PROBE_DOWN, PROBE_ON, probe_down
from uwsgi_autopilot.tuner.proposal import Answer, Hold, Proposal, Refusal
from uwsgi_autopilot.tuner.work import slowed_above, work_of
from uwsgi_autopilot.tuner.worth import affordable, could_gain, price

BASELINE = 5  # samples of the present shape before a probe: without them nothing can be compared


def next_shape(memory: Memory, load: Load, limits: Limits) -> Answer:
    work = work_of(load, memory.of_this_workload)
    surface = surface_of(memory, load, work)
    every = candidates(surface, load, work, limits)
    possible = [each for each in every if not memory.forbids(each.shape) and limits.fits(each.shape, load)]
    if memory.alternating and not worth_an_alternation(load, possible):
        return alternates(load)
    slowed = slowed_above(load, memory.of_this_workload)
    down = probe_down(memory, load, work, limits, by=PROBE_ON if slowed else PROBE_DOWN)
    if down is not None and slowed:
        # The knee may be anywhere below: a model that puts it here would have us try more slots.
        return down
    if (found := clearly_better(memory, load, possible)) is not None:
        return _proposal(memory, load, found, work) if affordable(memory, load, work, found) else too_dear(load, found)
    if down is not None:
        return down
    probe = worth_a_probe(memory, load, work, possible) if could_gain(load) else None
    if probe is not None and load.samples >= BASELINE:
        return _proposal(memory, load, probe, work)
    if probe is not None:
        message = (
            f"{load.shape} has served for {load.samples} s; {BASELINE} s are needed to compare {probe.shape} with it"
        )
        return Hold(reason=Reason.OBSERVING, message=message)
    if load.pressed and (refusal := _forbidden(memory, load, limits, every)) is not None:
        return refusal
    beyond = candidates(surface, load, work, limits.widened()) if load.pressed else []
    return _forbidden(memory, load, limits, beyond) or nothing(load, possible)


def _forbidden(memory: Memory, load: Load, limits: Limits, wished: list[Candidate]) -> Refusal | None:
    """A shape that would be a jump, were it not for a limit, which the agent may know better, or all pods."""
    wish = best(load, [each for each in wished if memory.limit_of(each.shape) or not memory.forbids(each.shape)])
    if wish is None or not worth_a_jump(load, wish):
        return None
    refused = memory.limit_of(wish.shape)
    if refused is not None and refused.limit is not None:
        message = f"the agent refused {refused.shape}: {refused.why}"
        if refused.most is not None:
            message = f"{refused.shape} was too much, {refused.most} slots of each pod are not: {refused.why}"
        return Refusal(shape=wish.shape, reason=refused.limit, message=message)
    return limits.why_not(wish.shape, load)


def _proposal(memory: Memory, load: Load, found: Candidate, work: Work) -> Proposal:
    expected = load.throughput * math.exp(found.gain)
    if Objective.of(load) is Objective.TIME:
        expected = load.throughput
    slower = work.slowdown is not None and found.shape.slots < load.shape.slots
    reason = Reason.BACKEND_LIMITED if slower and not load.cpu_full else _reason(memory, load.shape, found.shape)
    return Proposal(
        shape=found.shape,
        before=memory.known(Point.of(load, began=memory.since or 0.0)),
        at=load.at,
        reason=reason,
        message=wording.proposal(load, work, found),
        better=price(load.shape, found.shape) > 0,
        expected=expected,
        gain=found.gain,
        doubt=found.error,
    )


def _reason(memory: Memory, here: Shape, there: Shape) -> Reason:
    if not memory.jumped:
        return Reason.FIRST_JUMP
    if there.processes / here.processes >= there.threads / here.threads:
        return Reason.MORE_PROCESSES if there.processes > here.processes else Reason.FEWER_THREADS
    return Reason.MORE_THREADS if there.threads > here.threads else Reason.FEWER_PROCESSES
