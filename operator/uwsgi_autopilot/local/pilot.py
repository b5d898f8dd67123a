"""The tuner behind one session: once a second samples in, a decision out, the wish written. Keeps the history.

It decides nothing: that is tuner/decide.py. It looks at no clock but the samples'.
"""

from dataclasses import replace
from typing import Any

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import Mode
from uwsgi_autopilot.local.session import Session
from uwsgi_autopilot.report.reasons import Reason
from uwsgi_autopilot.tuner.decide import decide, recommend
from uwsgi_autopilot.tuner.decision import Decision, Entry, Kind
from uwsgi_autopilot.tuner.limits import Limits
from uwsgi_autopilot.tuner.memory import Memory


def entry_json(entry: Entry) -> dict[str, Any]:
    """As it stands in a report's `decisions`."""
    return {
        "at_s": round(entry.at, 1),
        "kind": entry.kind,
        "from": entry.from_shape.to_json() if entry.from_shape else None,
        "to": entry.to_shape.to_json(),
        "reason": entry.reason,
        "message": entry.message,
    }


class Pilot:
    """`step` after each `session.step`. `last` is the tuner's latest word, a hold included."""

    def __init__(self, session: Session, *, mode: Mode, pinned: Shape | None = None) -> None:
        self.session = session
        self.mode = mode
        self.pinned = pinned
        self.history: list[Entry] = []
        self.last: Decision | None = None
        self.memory = Memory()
        self.limits = Limits.of(session.app)
        self._seen = 0
        self._began: float | None = None
        self._refusal_seen: dict[str, Any] | None = None
        self._refused_shape: Shape | None = None

    def step(self) -> list[Entry]:
        """New entries of the history."""
        state = self.session.state
        if state is None:
            return []
        self._began = state["now"] if self._began is None else self._began
        before = len(self.history)
        self._note_refusal(state)
        if self.session.samples and self.session.samples[-1].seq != self._seen:
            self._seen = self.session.samples[-1].seq
            self._decide(state)
        return self.history[before:]

    def _decide(self, state: dict[str, Any]) -> None:
        if self.mode is Mode.DISABLED or self.pinned is not None:
            return
        samples = list(self.session.samples)
        if self.mode is Mode.RECOMMEND:
            step = recommend(self.memory, samples, self.limits)
        else:
            step = decide(self.memory, samples, self.limits, refused=self._refused_shape)
        self._refused_shape = None
        self.memory, decision = step.memory, step.decision
        self.last = decision
        if decision.kind is Kind.HOLD:
            return
        if self.mode is Mode.AUTO and decision.kind is Kind.CHANGE:
            self._ask_for(decision, state)
        else:
            self._add(state, "refuse" if decision.kind is Kind.REFUSE else "recommend", decision)

    def _ask_for(self, decision: Decision, state: dict[str, Any]) -> None:
        try:
            self.session.wish(decision.to_shape)
        except OSError as error:
            # A full disk must not end what serves.
            message = f"{self.session.run} cannot be written ({error.strerror}): {decision.from_shape} stays"
            decision = replace(decision, reason=Reason.WISH_NOT_WRITTEN, message=message)
            self._refused_shape = decision.to_shape
            self._add(state, "refuse", decision)
        else:
            self._add(state, "change", decision)

    def _add(self, state: dict[str, Any], kind: str, decision: Decision) -> None:
        self.history.append(Entry.of(decision, at=self._at(state), kind=kind))

    def _at(self, state: dict[str, Any]) -> float:
        """Seconds since the session served."""
        now: float = state["now"]
        return now - (self._began or 0.0)

    def _note_refusal(self, state: dict[str, Any]) -> None:
        """The agent's refusal of a wish is part of the history, and the tuner must not ask again."""
        refused = state.get("refused")
        if refused == self._refusal_seen:
            return
        self._refusal_seen = refused
        if not refused or not refused.get("shape"):
            return
        shape = Shape.from_json(refused["shape"])
        self._refused_shape = shape
        self.history.append(
            Entry(
                at=self._at(state),
                kind="refuse",
                from_shape=self.session.shape,
                to_shape=shape,
                reason=refused["reason"],
                message=refused["message"],
            )
        )
