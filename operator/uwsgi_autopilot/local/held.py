"""What holds the autopilot back, for the last line, the report, and a line while requests fail: pure."""

from typing import Any

from uwsgi_autopilot.fleet.state import Word
from uwsgi_autopilot.report.reasons import Reason

# What is said of a change that was proposed: then nothing holds it back.
CHANGES = frozenset(
    {
        Reason.FIRST_JUMP,
        Reason.MORE_THREADS,
        Reason.MORE_PROCESSES,
        Reason.FEWER_THREADS,
        Reason.FEWER_PROCESSES,
        Reason.BACKEND_LIMITED,
        Reason.REVERTED,
        Reason.NO_GAIN,
    }
)


class Held:
    """Call `step` with the autopilot's word; `last` is what holds it back now, None when nothing does."""

    def __init__(self) -> None:
        self.last: Word | None = None

    def step(self, word: Word | None) -> list[str]:
        """A sentence when it begins to wait because requests fail: without a panel nobody would see why."""
        before, self.last = self.last, None if word is None or word.reason in CHANGES else word
        if self.last is None or self.last.reason is not Reason.ERRORS_HIGH:
            return []
        if before is not None and before.reason is Reason.ERRORS_HIGH:
            return []
        return [f"{self.last.reason.value}: {self.last.message}"]

    def to_json(self) -> dict[str, Any] | None:
        return None if self.last is None else {"reason": self.last.reason.value, "message": self.last.message}
