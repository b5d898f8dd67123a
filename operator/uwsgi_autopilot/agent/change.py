"""Bring the generations to the wanted shape, without a lost request. Level-triggered: `step` until `idle`.

same threads, more or fewer processes ──► resize: `+`/`-` through the FIFO ──(not done in time)──┐
other threads ────────────────────────────────────────────────────────────────────────────────► swap
swap: start a generation beside the old one ─► all its workers accept ─► retire the old one
                                            └► it cannot start ─► refuse, the old one never noticed
the serving generation died ─► start it again, backing off; requests wait in the socket's queue meanwhile
"""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from uwsgi_autopilot.agent.generation import Generation, State
from uwsgi_autopilot.agent.log import log
from uwsgi_autopilot.agent.memory import MemoryUse, does_not_fit
from uwsgi_autopilot.agent.wanted import Refusal
from uwsgi_autopilot.api.agentconfig import AgentConfig
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.report.reasons import WishReason
from uwsgi_autopilot.uwsgi.ini import most_workers

# The master acts on `+` and `-` at each event, and every poke is one: growing takes some tenths of a second.
GROW_SECONDS = 4.0
# Shrinking needs an idle worker when it looks, 50 times a second: found none for so long, there will be none, because
# with threads one busy thread makes the worker busy. Then a swap does it.
SHRINK_SECONDS = 1.5
BACKOFF_SECONDS = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
# A generation that served this long counts as healthy: its death starts the backing off anew.
HEALTHY_SECONDS = 30.0
# Old generations that may still be finishing requests when the next change begins: one that serves a minute-long
# request must not keep the others from being served better, and memory is not without end.
MAX_RETIRING = 3


@dataclass(slots=True)
class Resize:
    target: int
    since: float


@dataclass(slots=True)
class Counts:
    swaps: int = 0
    resizes: int = 0
    refused: int = 0
    restarts: int = 0
    failed_starts: int = 0


class Fleet:
    """All generations of one application. `now` is monotonic seconds everywhere."""

    def __init__(self, config: AgentConfig, listener: socket.socket, memory: Callable[[], MemoryUse | None]) -> None:
        self.config = config
        self.target = config.start
        self.serving: Generation | None = None
        self.starting: Generation | None = None
        self.retiring: list[Generation] = []
        self.counts = Counts()
        self.refused: Refusal | None = None
        self.first_failure: str | None = None
        self.last_change_at = 0.0
        self._listener = listener
        self._memory = memory
        self._resize: Resize | None = None
        self._started_at = 0.0
        self._served_since = 0.0
        self._last_number = 0
        self._failures = 0
        self._next_start = 0.0

    @property
    def idle(self) -> bool:
        return not (self.starting or self.retiring or self._resize) and self.serving is not None

    @property
    def shape(self) -> Shape | None:
        """What serves now: live workers and threads."""
        if self.serving is None:
            return None
        live = len(self.serving.workers())
        return Shape(live, self.serving.shape.threads) if live else self.serving.shape

    def generations(self) -> list[Generation]:
        return [each for each in (self.serving, self.starting, *self.retiring) if each is not None]

    def change(self, now: float) -> dict[str, Any] | None:
        """The change in progress, for the state."""
        if self.starting is not None:
            kind, to, since = "swap", self.starting.shape, self._started_at
        elif self._resize is not None and self.serving is not None:
            kind, to, since = "resize", Shape(self._resize.target, self.serving.shape.threads), self._resize.since
        elif self.retiring:
            kind, to, since = "retire", self.target, self._served_since
        else:
            return None
        return {"kind": kind, "to": to.to_json(), "seconds": round(now - since, 2)}

    def want(self, shape: Shape) -> None:
        if shape != self.target:
            log("info", f"wanted shape {shape}", wanted=str(shape), serving=str(self.shape))
        self.target = shape
        self.refused = None

    def step(self, now: float) -> None:
        self._step_retiring(now)
        if self.starting is not None:
            self._step_starting(now)
        elif self.serving is None or not self.serving.alive():
            self._replace_dead(now)
        elif self._resize is not None:
            self._step_resize(now)
        elif self.target != self.serving.shape and len(self.retiring) < MAX_RETIRING:
            self._begin(now)

    def stop_all(self, now: float, *, gracefully: bool) -> None:
        for generation in self.generations():
            if not gracefully:
                generation.kill()
            elif generation.state is State.SERVING:
                generation.retire(now)
            elif generation.state is State.STARTING:
                generation.discard(now)
        self.retiring += [each for each in (self.serving, self.starting) if each is not None]
        self.serving = self.starting = None

    def step_stopping(self, now: float) -> bool:
        """True when no generation is left."""
        self._step_retiring(now)
        return not self.retiring

    # -- swap -------------------------------------------------------------------------------------------------

    def _begin(self, now: float) -> None:
        assert self.serving is not None
        if self.target.threads == self.serving.shape.threads and self.target.processes <= self.serving.ceiling:
            self._begin_resize(now)
        else:
            self._begin_swap(now)

    def _begin_swap(self, now: float) -> None:
        what = f"a swap from {self.shape} to {self.target}"
        if problem := does_not_fit(self._memory(), processes=self.target.processes, what=what):
            self._give_up(WishReason.MEMORY_LIMIT, problem)
            return
        self._start(self.target, now)

    def _start(self, shape: Shape, now: float) -> None:
        self._last_number += 1
        ceiling = min(max(shape.processes, self.config.ceiling), most_workers(self.config))
        try:
            self.starting = Generation(self.config, self._last_number, shape, ceiling, self._listener.fileno())
        except (OSError, ValueError) as error:
            self._start_failed(f"{self.config.uwsgi[0]} could not be started: {error}", now)
            return
        self._started_at = now
        log("info", f"generation {self._last_number} starts", shape=str(shape))

    def _step_starting(self, now: float) -> None:
        new = self.starting
        assert new is not None
        if not new.alive():
            tail = new.last_words(now)
            if tail is None:
                return
            code = new.process.returncode
            how = f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
            new.close()
            self.starting = None
            self._start_failed(f"the new generation {how} before it accepted requests: {tail}", now)
        elif new.accepts():
            self._promote(new, now)
        elif now - self._started_at > self.config.start_seconds:
            new.discard(now)
            self.retiring.append(new)
            self.starting = None
            self._start_failed(
                f"the new generation did not accept requests within {self.config.start_seconds:.0f} s", now
            )

    def _promote(self, new: Generation, now: float) -> None:
        old, self.serving, self.starting = self.serving, new, None
        new.state = State.SERVING
        self._link_stats(new)
        if old is not None and old.alive():
            old.retire(now)
            self.retiring.append(old)
            self.counts.swaps += 1
        self._served_since = self.last_change_at = now
        log("info", f"generation {new.number} serves", shape=str(new.shape), seconds=round(now - self._started_at, 2))

    def _start_failed(self, message: str, now: float) -> None:
        self.counts.failed_starts += 1
        self._failures += 1
        self._next_start = now + BACKOFF_SECONDS[min(self._failures, len(BACKOFF_SECONDS) - 1)]
        refused = self._give_up(WishReason.START_FAILED, message)
        if self._last_number and self.serving is None and self._served_since == 0.0:
            self.first_failure = refused.message

    def _give_up(self, reason: WishReason, message: str) -> Refusal:
        """The serving generation goes on; the wish is refused until another one comes."""
        self.counts.refused += 1
        self.refused = refused = Refusal(reason=reason, message=message, shape=self.target)
        if self.serving is not None and self.serving.alive():
            self.target = self.serving.shape
        log("warning", f"{reason.value}: {refused.message}", wanted=str(refused.shape), serving=str(self.shape))
        return refused

    # -- resize -----------------------------------------------------------------------------------------------

    def _begin_resize(self, now: float) -> None:
        assert self.serving is not None
        if self.serving.refresh() is None:
            return
        difference = self.target.processes - len(self.serving.workers())
        if difference > 0:
            what = f"growing from {self.shape} to {self.target}"
            if problem := does_not_fit(self._memory(), processes=difference, what=what, extra_workers=True):
                self._give_up(WishReason.MEMORY_LIMIT, problem)
                return
        sent = self.serving.fifo.more(difference) if difference > 0 else self.serving.fifo.fewer(-difference)
        if sent or difference == 0:
            self._resize = Resize(self.target.processes, now)

    def _step_resize(self, now: float) -> None:
        resize, serving = self._resize, self.serving
        assert resize is not None
        assert serving is not None
        serving.fifo.poke()
        stats = serving.refresh()
        if stats is None:
            if now - resize.since > GROW_SECONDS:
                self._resize = None
            return
        live = len(serving.workers())
        serving.hang_up_lingering()
        if live == resize.target and not all(worker.accepting for worker in stats.live_workers):
            # With lazy-apps each new worker imports the application first.
            if now - resize.since > self.config.start_seconds:
                self._resize = None
                self._give_up(
                    WishReason.START_FAILED, f"new workers did not accept within {self.config.start_seconds:.0f} s"
                )
        elif live == resize.target:
            serving.shape = Shape(live, serving.shape.threads)
            self.counts.resizes += 1
            self.last_change_at = now
            self._resize = None
            log("info", "resized", shape=str(serving.shape), seconds=round(now - resize.since, 2))
        elif now - resize.since > (GROW_SECONDS if live < resize.target else SHRINK_SECONDS):
            self._resize = None
            wanted = Shape(resize.target, serving.shape.threads)
            log("info", "no worker is idle, so the FIFO cannot do it: swapping instead", shape=str(self.shape))
            serving.shape = Shape(max(1, live), serving.shape.threads)
            if self.target == wanted:
                self._begin_swap(now)
            if self.starting is None:
                # Letters that were not served are remembered for ever: take them back.
                left = resize.target - live
                serving.fifo.fewer(left) if left > 0 else serving.fifo.more(-left)

    # -- death and farewell -------------------------------------------------------------------------------------

    def _replace_dead(self, now: float) -> None:
        dead = self.serving
        if dead is not None:
            code = dead.process.returncode
            log("warning", f"generation {dead.number} died", status=code)
            if now - self._served_since > HEALTHY_SECONDS:
                self._failures = 0
            self._next_start = now + BACKOFF_SECONDS[min(self._failures, len(BACKOFF_SECONDS) - 1)]
            self._failures += 1
            self.counts.restarts += 1
            self.target = dead.shape if self.target == dead.shape else self.target
            dead.close()
            self.serving = self._resize = None
        if now >= self._next_start:
            self._start(self.target, now)

    def _step_retiring(self, now: float) -> None:
        for old in list(self.retiring):
            if old.alive():
                old.step_retiring(now) if old.state is State.RETIRING else None
            else:
                # Its workers are gone with a graceful master; after a kill make sure.
                old.kill()
                old.close()
                self.retiring.remove(old)
                self.last_change_at = now
                log("info", f"generation {old.number} is gone")

    def _link_stats(self, generation: Generation) -> None:
        """`stats.sock`, a stable path for uwsgitop: replaced in one step."""
        stable = generation.stats_path.with_name("stats.sock")
        fresh = stable.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(generation.stats_path.name)
        fresh.rename(stable)
