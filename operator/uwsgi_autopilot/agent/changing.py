"""The one change in progress, step by step, and what is said of one that fails. Its states are drawn in `change.py`.

Only the target and a generation's `shape` are compared, never the live workers: a respawn is no change.
"""

from collections.abc import Callable
from dataclasses import replace

from uwsgi_autopilot.agent.change import Change, Kind, no_way
from uwsgi_autopilot.agent.follower import Follower
from uwsgi_autopilot.agent.generation import Generation, State
from uwsgi_autopilot.agent.lives import Lives
from uwsgi_autopilot.agent.log import log
from uwsgi_autopilot.agent.server import Outcome
from uwsgi_autopilot.api.headroom import MemoryUse, added_by, why_not
from uwsgi_autopilot.report.reasons import RefusalReason


class Changing:
    """current: None: nothing changes. first_failure: why the very first generation never served; None: it did, or may
    yet. memory: None: without a limit or a reading nothing is refused for want of it."""

    def __init__(self, lives: Lives, follower: Follower, memory: Callable[[], MemoryUse | None]) -> None:
        self.lives, self.follower, self.memory = lives, follower, memory
        self.current: Change | None = None
        self.first_failure: str | None = None
        self._told: str | None = None

    # -- the ways into a change -------------------------------------------------------------------------------

    def begin(self, serving: Generation, now: float) -> None:
        """Towards the target: in place where that can be, else by a swap."""
        to = self.follower.target
        # Workers that do not accept are replaced even where it is to happen in place: they may never serve.
        same = serving.resizable and to.threads == serving.shape.threads
        kind = Kind.RESIZE if same and to.processes <= serving.instance.ceiling else Kind.SWAP
        in_place = self.lives.no_swap is not None or (same and self.follower.in_place)
        change = Change(
            kind=kind, to=to, since=now, version=self.follower.version, before=serving.shape, in_place=in_place
        )
        if kind is Kind.SWAP and in_place:
            self._give_up_swap(change, f"it has room for {serving.instance.ceiling} workers", now)
        elif not self._fits(change, now):
            return
        elif kind is Kind.RESIZE:
            change.resizing = serving.instance.resize(to.processes, now)
            self.current = change
        else:
            self._start(change, now)

    def reload(self, serving: Generation, now: float) -> None:
        """A swap to the target's shape, if there is enough memory."""
        change = Change(kind=Kind.SWAP, to=self.follower.target, since=now, version=None, before=serving.shape)
        if self._fits(change, now):
            self._start(change, now)
        else:
            log("warning", "the code was not reloaded: there is not enough memory for a second generation")

    def recycle(self, serving: Generation, now: float) -> None:
        """A swap to the shape that serves. The memory guard has seen that there is room."""
        shape = serving.shape
        self._start(Change(kind=Kind.SWAP, to=shape, since=now, version=None, before=shape, recycles=True), now)

    def start_again(self, now: float) -> None:
        """Where nothing serves: start what served last (its death is the first failure); if that does not start,
        alternate with the target."""
        lives = self.lives
        if not lives.may_start() or not lives.restarts.due(now):
            return
        target, last = self.follower.target, lives.served_last
        to = target if last is None or lives.restarts.failures % 2 == 0 else last
        version = None if to == last else self.follower.version
        self._start(Change(kind=Kind.START, to=to, since=now, version=version, before=last or to), now)

    # -- its steps --------------------------------------------------------------------------------------------

    def step(self, change: Change, now: float) -> None:
        """change: the current one."""
        new, serving = self.lives.starting, self.lives.serving
        if new is not None and new.state is State.SERVING:
            self.current = self._told = None
            self.lives.promote(new, now)
        elif new is not None and new.state is not State.STARTING:
            self.lives.drop(new)
            self._failed_start(change, new.failure or "it ended", now)
        elif change.resizing is not None and serving is None:
            self.current = None  # it died: a start comes next
        elif change.resizing is not None and serving is not None:
            patient = change.in_place and self.follower.target == change.to
            outcome = change.resizing.step(now, patient=patient)
            if outcome is not None:
                self.current = None
                self._resized(change, serving, outcome, now)

    def _start(self, change: Change, now: float) -> None:
        try:
            self.lives.start(change.to, now)
        except (OSError, ValueError) as error:
            self._failed_start(change, f"the server could not be started: {error}", now)
        else:
            self.current = change

    def _resized(self, change: Change, serving: Generation, outcome: Outcome, now: float) -> None:
        lives, seconds = self.lives, round(now - change.since, 2)
        if outcome is Outcome.DONE:
            lives.served_last = serving.shape = change.to
            lives.counts = replace(lives.counts, resizes=lives.counts.resizes + 1)
            lives.last_change_at = now
            log("info", "resized", shape=change.to, seconds=seconds)
            return
        serving.shape = serving.live_shape
        if outcome is Outcome.IMPOSSIBLE:
            self._swap_instead(change, serving, seconds, now)
        elif outcome is Outcome.NOT_ACCEPTING:
            # They may never accept, and `-` could take the ones that do: so never by `-`.
            serving.resizable = False
            message = f"the new workers of {change.to} did not accept requests within {lives.start_seconds:.0f} s"
            self._give_up(change, RefusalReason.START_FAILED, message, now)
        else:
            serving.shape = change.before
            message = f"uWSGI's master did not answer for {seconds:.0f} s, so {change.before} cannot become {change.to}"
            self._give_up(change, RefusalReason.NOT_ANSWERING, message, now)

    def _swap_instead(self, change: Change, serving: Generation, seconds: float, now: float) -> None:
        """seconds: how long the resize was tried."""
        if self.follower.target != change.to:
            return
        if change.in_place:
            self._give_up_swap(change, f"not enough workers were idle in {seconds:.0f} s", now)
            return
        log("info", "the number of workers cannot be changed in place now: swapping instead", shape=serving.shape)
        swap = replace(change, kind=Kind.SWAP, resizing=None)
        if self._fits(swap, now):
            self._start(swap, now)

    # -- what fails -------------------------------------------------------------------------------------------

    def _fits(self, change: Change, now: float) -> bool:
        """False: given up for want of memory."""
        use, here = self.memory(), self.lives.shape
        if use is None or here is None:
            return True
        problem = why_not(use, added_by(here, change.to, swap=change.kind is Kind.SWAP), f"{here} to {change.to}")
        if problem is not None:
            self._give_up(change, RefusalReason.MEMORY_LIMIT, problem, now)
        return problem is None

    def _give_up_swap(self, change: Change, why: str, now: float) -> None:
        reason, message = no_way(change, why, self.lives.no_swap)
        self._give_up(change, reason, message, now)

    def _failed_start(self, change: Change, message: str, now: float) -> None:
        lives, self.current = self.lives, None
        lives.exchange.end()
        lives.counts = replace(lives.counts, failed_starts=lives.counts.failed_starts + 1)
        if lives.served_last is None:
            self.first_failure = message  # the agent ends with it
            return
        if lives.serving is None:
            lives.restarts.failed(now)
        if change.version is not None:
            self._give_up(change, RefusalReason.START_FAILED, message, now)
        elif lives.serving is not None:
            what = (
                "the fresh generation did not start, so the old one"
                if change.recycles
                else "the reload failed, so the old code"
            )
            log("error", f"{what} keeps serving: {message}")
        elif message != self._told:
            self._told = message  # once: it may go on for hours
            log("warning", f"{change.to}, which used to serve, does not start any more: {message}")

    def _give_up(self, change: Change, reason: RefusalReason, message: str, now: float) -> None:
        if change.version is not None:
            self.follower.give_up(reason, message, now, version=change.version, shape=change.to, before=change.before)
