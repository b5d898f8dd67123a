"""The agent's own reading of its file, for the simulated pods."""

from pathlib import Path

from uwsgi_autopilot.api.agentstate import Refused
from uwsgi_autopilot.api.desired import UNVERSIONED, DesiredShape, Version, parse_desired
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.report.reasons import RefusalReason


class Following:
    def __init__(self, uid: str, path: Path, start: Shape) -> None:
        self.uid, self.path, self.target = uid, path, start
        self.version: Version = UNVERSIONED
        self.refused: Refused | None = None
        self.fallback: Shape | None = None
        self.ends: float | None = None
        self.accepted: DesiredShape | None = None

    @property
    def on_trial(self) -> bool:
        return self.ends is not None

    def step(self, now: float) -> None:
        if self.ends is not None and now >= self.ends:
            self.refused = Refused(
                reason=RefusalReason.TRIAL_EXPIRED, message="x", at=now, version=self.version, shape=self.target
            )
            self.target, self.ends, self.fallback = self.fallback, None, None
        if not self.path.exists():
            return
        desired = parse_desired(self.path.read_text())
        if desired.version <= self.version:
            return
        if desired.trial_seconds is not None:
            self.fallback = self.fallback or self.target
            self.ends = now + desired.trial_seconds
        else:
            self.fallback = self.ends = None
        self.version, self.target, self.accepted, self.refused = desired.version, desired.shape, desired, None

    def give_up(self, reason, message, back, now) -> None:
        self.refused = Refused(reason=reason, message=message, at=now, version=self.version, shape=self.target)
        self.target, self.ends, self.fallback = back, None, None
