"""A fleet of one pod, as plain as can be: it carries out what the tuner proposes, and asks for the verdict."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from uwsgi_autopilot.api.sample import Sample
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.report.reasons import Reason
from uwsgi_autopilot.tuner import outcome
from uwsgi_autopilot.tuner.judge import judge
from uwsgi_autopilot.tuner.limits import Limits
from uwsgi_autopilot.tuner.memory import Memory
from uwsgi_autopilot.tuner.proposal import Drop, Keep, Proposal, Refusal, TakeBack
from uwsgi_autopilot.tuner.propose import Proposed

LOST_S = 20.0  # a change that has not even begun after so long never will
FOREIGN_SAMPLES = 5  # of a shape that nobody asked for

Law = Callable[[Memory, Sequence[Sample], Limits], Proposed]


@dataclass(frozen=True, kw_only=True)
class Said:
    """What one second brought. kind: change, hold, refuse or recommend. numbers: of a proposal."""

    kind: str
    from_shape: Shape
    to_shape: Shape
    reason: Reason
    message: str
    numbers: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Pending:
    """Asked for, and not over yet. back: `proposal` was taken back, and the shape of before was asked for."""

    proposal: Proposal
    asked_at: float
    back: bool = False
    arrived_at: float | None = None

    @property
    def shape(self) -> Shape:
        return self.proposal.before.shape if self.back else self.proposal.shape


@dataclass(kw_only=True)
class LonePod:
    """`trial`: changes are tried; else (mode Recommend) they are only said."""

    law: Law
    limits: Limits
    trial: bool = True
    memory: Memory = field(default_factory=Memory)
    pending: Pending | None = None
    shape: Shape | None = None

    def second(self, samples: Sequence[Sample], refused: Shape | None = None) -> Said:
        """`samples` is not empty. refused: what was asked for last, and the agent would not take."""
        newest = samples[-1]
        if self.pending is not None and self.pending.arrived_at is None:
            said = self._awaited(samples, self.pending, refused)
            if said is not None:
                return said
        elif newest.shape != (self.shape or newest.shape):
            return self._foreign(samples)
        self.shape = self.shape or newest.shape
        if self.pending is not None:
            return self._judged(samples, self.pending)
        return self._proposed(samples)

    def survive_a_restart(self) -> None:
        """What is stored and read again is what was known."""
        self.memory = Memory.from_json(self.memory.to_json())
        if self.pending is not None:
            proposal = Proposal.from_json(self.pending.proposal.to_json())
            self.pending = replace(self.pending, proposal=proposal)

    def _awaited(self, samples: Sequence[Sample], pending: Pending, refused: Shape | None) -> Said | None:
        """None: it is there, go on."""
        newest = samples[-1]
        if refused == pending.shape:
            return self._not_done(newest, pending, Reason.REFUSED, f"the agent refused {pending.shape}")
        if newest.settled and newest.shape == pending.shape:
            self.shape, arrived_at = newest.shape, newest.at - newest.seconds
            self.pending = replace(pending, arrived_at=arrived_at)
            if pending.back:
                self.pending, self.memory = None, outcome.returned(self.memory, arrived_at)
            return None
        recent = samples[-FOREIGN_SAMPLES:]
        idle = all(each.settled and each.shape == newest.shape and each.at > pending.asked_at for each in recent)
        if idle and newest.at - pending.asked_at >= LOST_S:
            return self._not_done(newest, pending, Reason.CHANGE_LOST, f"{pending.shape} never came")
        return _hold(newest, Reason.CHANGE_IN_PROGRESS, f"{pending.shape} was asked for")

    def _not_done(self, newest: Sample, pending: Pending, reason: Reason, message: str) -> Said:
        self.memory = outcome.not_carried_out(self.memory, pending.proposal, pending.asked_at)
        self.pending, self.shape = None, newest.shape
        return _hold(newest, reason, message)

    def _foreign(self, samples: Sequence[Sample]) -> Said:
        newest, recent = samples[-1], samples[-FOREIGN_SAMPLES:]
        message = f"{newest.shape} serves where {self.shape} should"
        if len(recent) < FOREIGN_SAMPLES or not all(each.settled and each.shape == newest.shape for each in recent):
            return _hold(newest, Reason.WORKERS_MISSING, message)
        self.memory = outcome.shape_changed(self.memory, recent[0].at - recent[0].seconds)
        self.pending, self.shape = None, newest.shape
        return _hold(newest, Reason.SHAPE_CHANGED, message)

    def _judged(self, samples: Sequence[Sample], pending: Pending) -> Said:
        assert pending.arrived_at is not None
        judged = judge(self.memory, pending.proposal, samples, self.limits, arrived_at=pending.arrived_at)
        self.memory, verdict, newest = judged.memory, judged.verdict, samples[-1]
        if isinstance(verdict, TakeBack):
            if verdict.instead is not None:
                return self._ask(newest, verdict.instead)
            self.pending = Pending(proposal=pending.proposal, asked_at=newest.at, back=True)
            return _said("change", newest, self.pending.shape, verdict)
        if isinstance(verdict, Keep | Drop):
            self.pending = None
        return _hold(newest, verdict.reason, verdict.message)

    def _proposed(self, samples: Sequence[Sample]) -> Said:
        proposed = self.law(self.memory, samples, self.limits)
        self.memory, answer, newest = proposed.memory, proposed.answer, samples[-1]
        if isinstance(answer, Proposal):
            return self._ask(newest, answer) if self.trial else _said("recommend", newest, answer.shape, answer)
        if isinstance(answer, Refusal) and answer.first:
            return _said("refuse", newest, newest.shape, answer)
        return _hold(newest, answer.reason, answer.message)

    def _ask(self, newest: Sample, proposal: Proposal) -> Said:
        self.pending = Pending(proposal=proposal, asked_at=newest.at)
        return _said("change", newest, proposal.shape, proposal)


def _hold(newest: Sample, reason: Reason, message: str) -> Said:
    return Said(kind="hold", from_shape=newest.shape, to_shape=newest.shape, reason=reason, message=message)


def _said(kind: str, newest: Sample, shape: Shape, answer: Any) -> Said:
    return Said(
        kind=kind, from_shape=newest.shape, to_shape=shape, reason=answer.reason, message=answer.message,
        numbers=getattr(answer, "numbers", {}),
    )  # fmt: skip
