"""The file with the desired shape, read when it changes. `following.py` decides what follows from it."""

import os
from dataclasses import dataclass

from uwsgi_autopilot.agent.following import bounds_problem
from uwsgi_autopilot.api.agentconfig import AgentConfig
from uwsgi_autopilot.api.desired import (
    ALL_PODS,
    MAX_DESIRED_BYTES,
    DesiredShape,
    InvalidDesiredShape,
    Version,
    parse_desired,
)
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.report.reasons import RefusalReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Unusable:
    """A file without a usable desired shape. version, shape: as far as its text gives them."""

    reason: RefusalReason
    message: str
    version: Version | None = None
    shape: Shape | None = None


class DesiredFile:
    """The file at config.desired, and the promoted one beside it."""

    def __init__(self, config: AgentConfig) -> None:
        self.config = config
        self._signature: tuple[int, ...] | None = None

    def read_promoted(self) -> DesiredShape | None:
        """What a new pod starts from: the promoted shape or the desired one, whichever has the higher version. Read
        once, at startup. A trial is no starting point: the pod that tried it is gone."""
        empty, before = self._is_empty(), self._signature
        self._changed()  # before reading: what arrives in between is for `poll`
        promoted = _read(self.config.promoted) if self.config.promoted else None
        desired = _read(self.config.desired)
        # The kubelet creates an empty file for a pod without the annotation. One that becomes empty later is refused.
        if not empty and not (isinstance(desired, DesiredShape) and desired.trial_seconds is not None):
            self._signature = before  # `poll` must look at everything but these two
        found = [
            each
            for each in (promoted, desired)
            if isinstance(each, DesiredShape)
            and each.trial_seconds is None
            and each.uid in (ALL_PODS, self.config.uid)
            and bounds_problem(each.shape, self.config) is None
        ]
        return max(found, key=lambda each: each.version, default=None)

    def poll(self) -> DesiredShape | Unusable | None:
        """What the file says, if it has changed since it was last read; None: nothing new."""
        return _read(self.config.desired) if self._changed() else None

    def _is_empty(self) -> bool:
        try:
            return os.stat(self.config.desired).st_size == 0
        except OSError:
            return False

    def _changed(self) -> bool:
        """os.stat follows the links of a Kubernetes volume, whose target is replaced atomically at each update."""
        try:
            seen = os.stat(self.config.desired)
        except OSError:
            return False
        signature = (seen.st_ino, seen.st_mtime_ns, seen.st_size)
        changed = signature != self._signature
        self._signature = signature
        return changed


def _read(path: str) -> DesiredShape | Unusable | None:
    """None: there is no such file."""
    try:
        with open(path, "rb") as file:
            text = file.read(MAX_DESIRED_BYTES + 1).decode("utf-8", errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        return Unusable(reason=RefusalReason.UNREADABLE, message=f"{path} cannot be read: {error.strerror}")
    try:
        return parse_desired(text)
    except InvalidDesiredShape as error:
        return Unusable(
            reason=RefusalReason.INVALID_SHAPE, message=str(error), version=error.version, shape=error.shape
        )
