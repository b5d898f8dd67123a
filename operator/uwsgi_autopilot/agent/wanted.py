"""Follow the wish's file: read it when it changes, accept what is sane, refuse the rest with a sentence.

Whatever stands in the file, the shape that serves goes on serving. A trial ends by itself.
"""

import os
from dataclasses import dataclass

from uwsgi_autopilot.api.agentconfig import AgentConfig
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.wish import EVERYONE, MAX_WISH_BYTES, Wish, WishError, parse_wish
from uwsgi_autopilot.report.reasons import WishReason
from uwsgi_autopilot.report.text import cut, readable

# The kubelet keeps 4,096 bytes of a container's termination message, which the first refusal may become.
MESSAGE_BYTES = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a wish is not followed. `seq` and `shape` None: the text did not even say.

    `message` may hold what the application printed or what stands in a file: secrets are hidden and it is cut here,
    before it is told anywhere.
    """

    reason: WishReason
    message: str
    seq: int | None = None
    shape: Shape | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", cut(readable(self.message), MESSAGE_BYTES))


def objection(wish: Wish, config: AgentConfig, last_seq: int) -> Refusal | None:
    """The first reason not to follow `wish`, or None. Pure."""

    def refuse(reason: WishReason, message: str) -> Refusal:
        return Refusal(reason=reason, message=message, seq=wish.seq, shape=wish.shape)

    if wish.uid not in (EVERYONE, config.uid):
        return refuse(WishReason.OTHER_POD, f"the wish is for the pod {wish.uid}, this one is {config.uid}")
    if wish.seq < last_seq:
        return refuse(WishReason.OLDER_THAN_LAST, f"seq {wish.seq} is older than the last one accepted, {last_seq}")
    bounds = (
        ("processes", wish.shape.processes, config.min_processes, config.max_processes),
        ("threads", wish.shape.threads, config.min_threads, config.max_threads),
    )
    for name, value, least, most in bounds:
        if not least <= value <= most:
            return refuse(WishReason.OUT_OF_BOUNDS, f"{name}: expected {least} to {most}, found {value}")
    return None


class WishFile:
    """The file at config.wanted. `accepted` is the wish being followed; `refused` the last refusal, None once a
    later wish was accepted."""

    def __init__(self, config: AgentConfig) -> None:
        self.config = config
        self.accepted: Wish | None = None
        self.refused: Refusal | None = None
        self._signature: tuple[int, ...] | None = None
        self._trial_ends: float | None = None
        self._before_trial: Shape | None = None

    @property
    def last_seq(self) -> int:
        return self.accepted.seq if self.accepted else -1

    def read_promoted(self) -> Wish | None:
        """The wish that a new pod starts from: the promoted file or the wanted one, whichever has the higher seq.
        Read once, at start. A trial is not a start: the pod that tried it is gone."""
        empty, before = self._empty(), self._signature
        self._changed()  # before it is read: what comes in between is for `poll`
        promoted = self._parse(self.config.promoted) if self.config.promoted else None
        wanted = self._parse(self.config.wanted)
        # The kubelet writes an empty file for a pod that carries no wish yet. One that becomes empty is refused.
        if not empty and not (isinstance(wanted, Wish) and wanted.trial_seconds is not None):
            self._signature = before  # `poll` is to look at anything but these two
        found = [
            wish
            for wish in (promoted, wanted)
            if isinstance(wish, Wish) and wish.trial_seconds is None and not objection(wish, self.config, -1)
        ]
        if not found:
            return None
        self.accepted = max(found, key=lambda wish: wish.seq)
        return self.accepted

    def poll(self, now: float, serving: Shape | None) -> Shape | None:
        """The shape to move to because of a new wish or the end of a trial; None when nothing is new.

        `now` is monotonic seconds; `serving` the shape to return to when a trial that begins now is not confirmed.
        """
        if self._trial_ends is not None and now >= self._trial_ends:
            back, self._trial_ends, self._before_trial = self._before_trial, None, None
            if self.accepted:
                self.refused = Refusal(
                    reason=WishReason.TRIAL_ENDED,
                    message=f"the trial of {self.accepted.shape} was not confirmed in time, back to {back}",
                    seq=self.accepted.seq,
                    shape=self.accepted.shape,
                )
            return back
        if not self._changed():
            return None
        wish = self._parse(self.config.wanted)
        if wish is None:
            return None
        if isinstance(wish, Refusal):
            self.refused = wish
            return None
        if wish == self.accepted:
            return None
        if refusal := objection(wish, self.config, self.last_seq):
            self.refused = refusal
            return None
        if wish.trial_seconds is None:
            self._trial_ends = self._before_trial = None
        else:
            self._before_trial = self._before_trial or serving
            self._trial_ends = now + wish.trial_seconds
        self.accepted, self.refused = wish, None
        return wish.shape

    def refuse(self, refusal: Refusal) -> None:
        self.refused = refusal

    def _empty(self) -> bool:
        try:
            return os.stat(self.config.wanted).st_size == 0
        except OSError:
            return False

    def _changed(self) -> bool:
        """os.stat follows the links of a Kubernetes volume, whose target is swapped as a whole at each update."""
        try:
            seen = os.stat(self.config.wanted)
        except OSError:
            return False
        signature = (seen.st_ino, seen.st_mtime_ns, seen.st_size)
        changed = signature != self._signature
        self._signature = signature
        return changed

    def _parse(self, path: str) -> Wish | Refusal | None:
        """None: there is no file, so there is no wish."""
        try:
            with open(path, "rb") as file:
                text = file.read(MAX_WISH_BYTES + 1).decode("utf-8", errors="replace")
        except FileNotFoundError:
            return None
        except OSError as error:
            return Refusal(reason=WishReason.UNREADABLE, message=f"{path} cannot be read: {error.strerror}")
        try:
            return parse_wish(text)
        except WishError as error:
            return Refusal(reason=WishReason.NOT_A_WISH, message=str(error))
