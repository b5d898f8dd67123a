"""The autopilot of one application: a fleet of one pod. Twice a second it plans, and writes what the plan asks for.

It decides nothing: that is fleet/ and tuner/. Its clock is the agent's, and what it steers is an argument: a session of
this machine, or a recording of one (replay/).
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from uwsgi_autopilot.api.desired import DesiredShape
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import Mode, UwsgiApp
from uwsgi_autopilot.fleet import delivery
from uwsgi_autopilot.fleet.actions import Action, Record, StorePromoted, WriteDesired
from uwsgi_autopilot.fleet.history import Entry, Kind
from uwsgi_autopilot.fleet.plan import plan
from uwsgi_autopilot.fleet.pod import Pod
from uwsgi_autopilot.fleet.state import FleetState, Word
from uwsgi_autopilot.report.reasons import Reason

# Those that changed what serves.
CHANGES = frozenset({Kind.TRY, Kind.CHANGE, Kind.BACK, Kind.UNDECIDED})


def entry_json(entry: Entry) -> dict[str, Any]:
    """An entry of the report's `decisions`."""
    return {
        "at_s": round(entry.at, 1),
        "kind": entry.kind.value,
        "from": entry.from_shape.to_json() if entry.from_shape else None,
        "to": entry.to_shape.to_json(),
        "reason": entry.reason,
        "message": entry.message,
    }


class Steered(Protocol):
    """What an autopilot reads and writes. pod: written by whoever asks the agent."""

    app: UwsgiApp
    start_shape: Shape
    pod: Pod

    @property
    def run(self) -> Path | str:
        """Where the shapes are written, for people."""

    def write_desired(self, desired: DesiredShape) -> None:
        """Raises OSError."""

    def write_promoted(self, desired: DesiredShape) -> None:
        """Raises OSError."""


class Autopilot:
    """Call `step` when the agent may have answered. history: every entry, in seconds since serving began.

    planned_at: the agent's clock at the last plan. written: what that plan had written for the pod; unwritten: why
    something could not be."""

    def __init__(self, session: Steered, *, mode: Mode, pinned: Shape | None = None) -> None:
        self.session = session
        self.history: list[Entry] = []
        self.planned_at: float | None = None
        self.written: list[DesiredShape] = []
        self.unwritten: str | None = None
        app = replace(session.app, tuning=replace(session.app.tuning, mode=mode, pin=pinned, start=session.start_shape))
        self.state = FleetState.begin(app)
        self._began: float | None = None

    @property
    def word(self) -> Word | None:
        """What holds it back, else the tuner's latest conclusion."""
        return self.state.hold or self.state.word

    @property
    def busy(self) -> bool:
        """A change is pending, or the tuner still searches. On a busy machine its guards may hold it for a while."""
        return self.state.change is not None or not self.state.memory.settled

    def step(self) -> list[Entry]:
        """New entries of the history."""
        pod = self.session.pod
        if pod.state is None or pod.state.now == self.planned_at:
            return []
        now = self.planned_at = pod.state.now
        self.written, self.unwritten = [], None
        self._began = now if self._began is None else self._began
        before = len(self.history)
        # The agent is a child of this process: while it is away there is nobody to talk about.
        self.state = replace(self.state, pods={pod.uid: pod})
        self.state, actions = plan(self.state, now)
        for action in actions:
            if not self._carry_out(action, now):
                break
        return self.history[before:]

    def _carry_out(self, action: Action, now: float) -> bool:
        """False if it could not be done, so that what follows must wait."""
        if isinstance(action, Record):
            self._add(action.entry)
        elif isinstance(action, StorePromoted):
            if not self._written(self.session.write_promoted, action.desired, now):
                return False
            self.state = self.state.with_stored(action.desired.version)
        elif isinstance(action, WriteDesired):
            if not self._written(self.session.write_desired, action.desired, now):
                return False
            self.written.append(action.desired)
            self.state = delivery.written(self.state, action.uid, action.desired, now)
        else:
            self.state = delivery.warned(self.state, action.uid)
        return True

    def _written(self, write: Callable[[DesiredShape], None], desired: DesiredShape, now: float) -> bool:
        try:
            write(desired)
        except OSError as error:
            # A full disk must not end what serves. Said once for each shape, tried again at each step.
            self.unwritten = error.strerror or str(error)
            serving = self.session.pod.shape
            message = f"{self.session.run} cannot be written ({self.unwritten}): {serving} keeps serving"
            last = self.history[-1] if self.history else None
            if last is None or (last.reason, last.to_shape) != (Reason.SHAPE_NOT_WRITTEN.value, desired.shape):
                self._add(
                    Entry(
                        at=now, kind=Kind.REFUSE, from_shape=serving, to_shape=desired.shape,
                        reason=Reason.SHAPE_NOT_WRITTEN.value, message=message,
                    )
                )  # fmt: skip
            return False
        return True

    def _add(self, entry: Entry) -> None:
        self.history.append(replace(entry, at=entry.at - (self._began or 0.0)))
