"""The decision, once a second: what was measured and what is remembered in, one Decision and the new memory out.

    follow up what was asked for ─► act by phase: observe, verify, back, refine, hold ─► Step

The caller applies a `change` and passes on when the agent refused one. Asked twice about the same newest sample,
the answer is the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.report.reasons import Reason
from uwsgi_autopilot.tuner.decision import Decision, Kind
from uwsgi_autopilot.tuner.limits import Limits
from uwsgi_autopilot.tuner.memory import Memory
from uwsgi_autopilot.tuner.moment import Now, hold
from uwsgi_autopilot.tuner.pending import follow_up
from uwsgi_autopilot.tuner.phases import Event
from uwsgi_autopilot.api.sample import Sample
from uwsgi_autopilot.tuner.search import differs
from uwsgi_autopilot.tuner.steps import BY_PHASE


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    memory: Memory
    decision: Decision


def decide(memory: Memory, samples: Sequence[Sample], limits: Limits, refused: Shape | None = None) -> Step:
    """`samples`: those of the last two minutes, oldest first; may be empty, unsettled, with gaps.

    refused: the shape that was asked for last and that the agent would not take.
    """
    if not samples:
        shape = memory.shape or limits.clamp(Shape(1, 1))
        return Step(memory=memory, decision=hold(shape, Reason.NO_READINGS, "nothing was measured yet"))
    newest = samples[-1]
    if refused is None and memory.decision is not None and (newest.seq, newest.at) == (memory.seq, memory.at):
        return Step(memory=memory, decision=memory.decision)
    if memory.at is not None and newest.at < memory.at:
        memory = Memory()  # the clock began anew: another boot, another pod
    now = Now(samples=samples, limits=limits)
    memory, decision = follow_up(memory, now, refused)
    if decision is None:
        memory, decision = BY_PHASE[memory.phase](memory, now)
    memory = replace(memory, seq=newest.seq, at=newest.at, decision=decision)
    return Step(memory=memory, decision=decision)


def recommend(memory: Memory, samples: Sequence[Sample], limits: Limits) -> Step:
    """Mode Recommend: what `decide` would ask for now, said once (kind `recommend`), then held; never verified.

    A figure that it names is the model's, from the load as it is: nobody tried the shape.
    """
    step = decide(memory, samples, limits)
    would = step.decision
    if would.kind is not Kind.CHANGE:
        return step
    said = memory.recommended is not None and not differs(memory.recommended, would.to_shape)
    decision = replace(
        would,
        kind=Kind.HOLD if said else Kind.RECOMMEND,
        to_shape=would.from_shape if said else would.to_shape,
        reason=Reason.RECOMMENDED if said else would.reason,
        message=would.message if not said else f"{memory.recommended} is recommended: {would.message}",
    )
    known = replace(
        step.memory.on(Event.NOT_TRIED),
        asked=None,
        changes=memory.changes,
        recommended=memory.recommended if said else would.to_shape,
        decision=decision,
    )
    return Step(memory=known, decision=decision)
