"""All generations of one application, brought to the target without a lost request. Call `step` until `idle`.

The steps of a change are in `change.py`, the life of each generation is in `generation.py`. Only `target` and a
generation's `shape` are compared, never the live workers: a respawn is no change. `step` never blocks: it asks a child,
a pipe or a socket, and asks again at the next tick.
"""

from collections.abc import Callable
from dataclasses import replace

from uwsgi_autopilot.agent.backoff import Delays
from uwsgi_autopilot.agent.change import Change, Kind, no_way
from uwsgi_autopilot.agent.follower import Follower
from uwsgi_autopilot.agent.generation import Generation, State
from uwsgi_autopilot.agent.log import log
from uwsgi_autopilot.agent.server import Outcome, Server
from uwsgi_autopilot.api.agentstate import ChangeProgress, Counts
from uwsgi_autopilot.api.headroom import MemoryUse, added_by, why_not
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.report.reasons import RefusalReason

# At once the first time. A generation that served for HEALTHY_SECONDS counts as healthy: its death is a first one.
START_AGAIN_SECONDS = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
HEALTHY_SECONDS = 30.0
# Old generations that may still be finishing requests when the next change begins: one request that takes a minute must
# not keep the rest from being served better, but memory is finite.
MAX_RETIRING = 3


class Generations:
    """`now` is monotonic seconds everywhere. first_failure: why the very first generation never served; None: it did,
    or may yet. no_swap: why no generation may run beside another, one clause; None: one may."""

    def __init__(
        self, server: Server, follower: Follower, memory: Callable[[], MemoryUse | None], *,
        start_seconds: float, request_seconds: float, stream_seconds: float, no_swap: str | None = None,
    ) -> None:  # fmt: skip
        self.server, self.follower, self.memory = server, follower, memory
        self.start_seconds, self.request_seconds, self.stream_seconds = start_seconds, request_seconds, stream_seconds
        self.no_swap = no_swap
        self.serving: Generation | None = None
        self.retiring: list[Generation] = []
        self.change: Change | None = None
        self.counts = Counts()
        self.first_failure: str | None = None
        self.last_change_at = 0.0
        self._last_number = 0
        self._served_last: Shape | None = None
        self._restarts = Delays(START_AGAIN_SECONDS)
        self._told: str | None = None
        self._reload_asked = False

    @property
    def idle(self) -> bool:
        """Nothing changes; an old generation that goes on with a long answer is no change."""
        return self.change is None and not self._leaving and self.serving is not None

    @property
    def _leaving(self) -> list[Generation]:
        return [each for each in self.retiring if not each.streams]

    @property
    def shape(self) -> Shape | None:
        """What serves now: live workers and threads."""
        return self.serving.live_shape if self.serving else None

    def all(self) -> list[Generation]:
        starting = self.change.generation if self.change else None
        return [each for each in (self.serving, starting, *self.retiring) if each is not None]

    def in_progress(self, now: float) -> ChangeProgress | None:
        """For the state."""
        if self.change is not None:
            return ChangeProgress(kind=self.change.kind.value, to=self.change.to, seconds=now - self.change.since)
        if self._leaving:
            since = min(each.since for each in self._leaving)
            return ChangeProgress(kind="retire", to=self.follower.target, seconds=now - since)
        return None

    def step(self, now: float) -> None:
        self._step_lives(now)
        if self.change is not None:
            self._step_change(self.change, now)
        elif self.serving is None:
            if self.no_swap is None or not self.retiring:
                self._start_again(now)
        elif len(self.retiring) < MAX_RETIRING:
            if self._reload_asked:
                self._reload(self.serving, now)
            elif self.follower.target != self.serving.shape:
                self._begin(self.serving, now)

    def reload(self) -> None:
        """Reload the application, with the target's shape. If the new code does not start, the old code keeps serving,
        except where there may be no second generation."""
        self._reload_asked = True

    def stop_all(self, now: float, *, gracefully: bool) -> None:
        """Stop serving; call `step_stopping` until that is done."""
        for each in self.all():
            each.retire(now) if gracefully else each.instance.kill()
        self.retiring = self.all()
        self.serving = self.change = None

    def step_stopping(self, now: float) -> bool:
        """True when no generation is left."""
        self._step_lives(now)
        return not self.retiring

    # -- the change in progress -------------------------------------------------------------------------------

    def _begin(self, serving: Generation, now: float) -> None:
        to = self.follower.target
        # Workers that do not accept are replaced even where it is to happen in place: they may never serve.
        same = serving.resizable and to.threads == serving.shape.threads
        kind = Kind.RESIZE if same and to.processes <= serving.instance.ceiling else Kind.SWAP
        in_place = self.no_swap is not None or (same and self.follower.in_place)
        change = Change(
            kind=kind, to=to, since=now, version=self.follower.version, before=serving.shape, in_place=in_place
        )
        if kind is Kind.SWAP and in_place:
            self._give_up_swap(change, f"it has room for {serving.instance.ceiling} workers", now)
            return
        if not self._fits(change, now):
            return
        if kind is Kind.RESIZE:
            change.resizing = serving.instance.resize(to.processes, now)
            self.change = change
        else:
            self._start(change, now)

    def _reload(self, serving: Generation, now: float) -> None:
        self._reload_asked = False
        if self.no_swap is not None:
            # New requests wait in the socket's queue, as they do during uWSGI's own reload.
            log("info", f"the application is reloaded once the old generation has ended: {self.no_swap}")
            serving.retire(now)
            self.retiring.append(serving)
            self.serving = None
            self._restarts.at_once()
            return
        to = self.follower.target
        change = Change(kind=Kind.SWAP, to=to, since=now, version=None, before=serving.shape)
        if self._fits(change, now):
            self._start(change, now)
        else:
            log("warning", "the code was not reloaded: there is not enough memory for a second generation")

    def _start_again(self, now: float) -> None:
        """Start what served last (its death is the first failure); if that does not start, alternate with the
        target."""
        if not self._restarts.due(now):
            return
        target, last = self.follower.target, self._served_last
        to = target if last is None or self._restarts.failures % 2 == 0 else last
        version = None if to == last else self.follower.version
        self._start(Change(kind=Kind.START, to=to, since=now, version=version, before=last or to), now)

    def _start(self, change: Change, now: float) -> None:
        self._last_number += 1
        try:
            instance = self.server.start(self._last_number, change.to)
        except (OSError, ValueError) as error:
            self._failed_start(change, f"the server could not be started: {error}", now)
            return
        change.generation = Generation(
            instance, self._last_number, change.to, now,
            start_seconds=self.start_seconds, request_seconds=self.request_seconds,
            # Where no generation may replace another, nothing serves until this one is gone.
            stream_seconds=self.stream_seconds if self.no_swap is None else None,
        )  # fmt: skip
        self.change = change
        log("info", f"generation {self._last_number} starts", shape=change.to)

    def _step_change(self, change: Change, now: float) -> None:
        new, serving = change.generation, self.serving
        if new is not None and new.state is State.SERVING:
            self._promote(new, now)
        elif new is not None and new.state is not State.STARTING:
            self.retiring.append(new)
            self._failed_start(change, new.failure or "it ended", now)
        elif change.resizing is not None and serving is None:
            self.change = None  # it died: a start comes next
        elif change.resizing is not None and serving is not None:
            patient = change.in_place and self.follower.target == change.to
            outcome = change.resizing.step(now, patient=patient)
            if outcome is not None:
                self._resized(change, serving, outcome, now)

    def _promote(self, new: Generation, now: float) -> None:
        self.change = None
        old, self.serving = self.serving, new
        new.instance.takes_over()
        if old is not None:
            old.retire(now)
            self.retiring.append(old)
            self.counts = replace(self.counts, swaps=self.counts.swaps + 1)
        self._served_last, self._told = new.shape, None
        self.last_change_at = now
        log("info", f"generation {new.number} serves", shape=new.shape, seconds=round(now - new.started_at, 2))

    def _resized(self, change: Change, serving: Generation, outcome: Outcome, now: float) -> None:
        self.change = None
        seconds = round(now - change.since, 2)
        if outcome is Outcome.DONE:
            self._served_last = serving.shape = change.to
            self.counts = replace(self.counts, resizes=self.counts.resizes + 1)
            self.last_change_at = now
            log("info", "resized", shape=change.to, seconds=seconds)
            return
        serving.shape = serving.live_shape
        if outcome is Outcome.IMPOSSIBLE:
            if self.follower.target != change.to:
                return
            if change.in_place:
                self._give_up_swap(change, f"not enough workers were idle in {seconds:.0f} s", now)
                return
            log("info", "the number of workers cannot be changed in place now: swapping instead", shape=serving.shape)
            swap = replace(change, kind=Kind.SWAP, resizing=None)
            if self._fits(swap, now):
                self._start(swap, now)
        elif outcome is Outcome.NOT_ACCEPTING:
            # They may never accept, and `-` could take the ones that do: so never by `-`.
            serving.resizable = False
            message = f"the new workers of {change.to} did not accept requests within {self.start_seconds:.0f} s"
            self._give_up(change, RefusalReason.START_FAILED, message, now)
        else:
            serving.shape = change.before
            message = f"uWSGI's master did not answer for {seconds:.0f} s, so {change.before} cannot become {change.to}"
            self._give_up(change, RefusalReason.NOT_ANSWERING, message, now)

    # -- what fails -------------------------------------------------------------------------------------------

    def _fits(self, change: Change, now: float) -> bool:
        """False: given up for want of memory. Without a limit or a reading nothing is refused."""
        use, here = self.memory(), self.shape
        if use is None or here is None:
            return True
        problem = why_not(use, added_by(here, change.to, swap=change.kind is Kind.SWAP), f"{here} to {change.to}")
        if problem is not None:
            self._give_up(change, RefusalReason.MEMORY_LIMIT, problem, now)
        return problem is None

    def _give_up_swap(self, change: Change, why: str, now: float) -> None:
        reason, message = no_way(change, why, self.no_swap)
        self._give_up(change, reason, message, now)

    def _failed_start(self, change: Change, message: str, now: float) -> None:
        self.change = None
        self.counts = replace(self.counts, failed_starts=self.counts.failed_starts + 1)
        if self._served_last is None:
            self.first_failure = message  # the agent ends with it
            return
        if self.serving is None:
            self._restarts.failed(now)
        if change.version is not None:
            self._give_up(change, RefusalReason.START_FAILED, message, now)
        elif self.serving is not None:
            log("error", f"the reload failed, so the old code keeps serving: {message}")
        elif message != self._told:
            self._told = message  # once: it may go on for hours
            log("warning", f"{change.to}, which used to serve, does not start any more: {message}")

    def _give_up(self, change: Change, reason: RefusalReason, message: str, now: float) -> None:
        if change.version is not None:
            self.follower.give_up(reason, message, now, version=change.version, shape=change.to, before=change.before)

    # -- lives ------------------------------------------------------------------------------------------------

    def _step_lives(self, now: float) -> None:
        """Take each generation's next step, and deal with those that have ended."""
        for each in self.all():
            since = each.since
            each.step(now)
            if each.state is not State.GONE:
                continue
            if each is self.serving:
                self.serving = None
                self.counts = replace(self.counts, restarts=self.counts.restarts + 1)
                if now - since > HEALTHY_SECONDS:
                    self._restarts.failures = 0
                self._restarts.failed(now)
                log(
                    "warning",
                    f"generation {each.number} {each.instance.ending()}, while it was serving: starting it again",
                )
            elif each in self.retiring:
                self.retiring.remove(each)
                if not each.streams:
                    self.last_change_at = now
                log("info", f"generation {each.number} is gone")
