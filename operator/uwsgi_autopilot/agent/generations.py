"""All generations of one application, brought to the target without a lost request. Call `step` until `idle`.

Which there are is in `lives.py`, how one shape becomes another in `changing.py`, how one ends before the next one
starts in `exchange.py`; what is to happen next is decided here. `step` never blocks: it asks a child, a pipe or a
socket, and asks again at the next tick.
"""

from collections.abc import Callable
from dataclasses import replace

from uwsgi_autopilot.agent.change import Change
from uwsgi_autopilot.agent.changing import Changing
from uwsgi_autopilot.agent.follower import Follower
from uwsgi_autopilot.agent.generation import Generation
from uwsgi_autopilot.agent.lives import Lives
from uwsgi_autopilot.agent.log import log
from uwsgi_autopilot.agent.memoryguard import Recycle
from uwsgi_autopilot.agent.server import Server
from uwsgi_autopilot.api.agentstate import ChangeProgress, Recycled
from uwsgi_autopilot.api.headroom import MemoryUse


class Generations(Lives):
    """`now` is monotonic seconds everywhere. recycled: the last time that the memory guard asked for a fresh one."""

    def __init__(
        self, server: Server, follower: Follower, memory: Callable[[], MemoryUse | None], *,
        start_seconds: float, request_seconds: float, stream_seconds: float, no_swap: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(
            server, start_seconds=start_seconds, request_seconds=request_seconds, stream_seconds=stream_seconds,
            no_swap=no_swap,
        )  # fmt: skip
        self.follower = follower
        self.recycled: Recycled | None = None
        self._changing = Changing(self, follower, memory)
        self._reload_asked = False

    @property
    def change(self) -> Change | None:
        return self._changing.current

    @property
    def first_failure(self) -> str | None:
        """Why the very first generation never served; None: it did, or may yet."""
        return self._changing.first_failure

    @property
    def idle(self) -> bool:
        """Nothing changes; an old generation that goes on with a long answer is no change."""
        return self.change is None and not self.leaving and self.serving is not None

    @property
    def wants_nothing(self) -> bool:
        """Idle, and no change is asked for."""
        return self.idle and not self._reload_asked and self.shape == self.follower.target

    @property
    def may_recycle(self) -> bool:
        serving = self.serving
        return serving is not None and not (self.change or serving.parked.moving or self.crowded)

    def in_progress(self, now: float) -> ChangeProgress | None:
        """For the state."""
        if self.change is not None:
            return ChangeProgress(kind=self.change.kind.value, to=self.change.to, seconds=now - self.change.since)
        if self.leaving:
            since = min(each.since for each in self.leaving)
            return ChangeProgress(kind="retire", to=self.follower.target, seconds=now - since)
        return None

    def step(self, now: float) -> None:
        self.step_lives(now)
        if self.change is not None:
            self._changing.step(self.change, now)
        elif self.serving is None:
            self._changing.start_again(now)
        elif not self.crowded and (self._reload_asked or self.follower.target != self.serving.shape):
            if not self.serving.parked.all_back(self.serving.shape.processes, now):
                return  # a change starts from the shape, not from what is left of it at night
            if self._reload_asked:
                self._reload(self.serving, now)
            else:
                self._changing.begin(self.serving, now)

    def reload(self) -> None:
        """Reload the application, with the target's shape. If the new code does not start, the old code keeps serving,
        except where there may be no second generation."""
        self._reload_asked = True

    def _reload(self, serving: Generation, now: float) -> None:
        self._reload_asked = False
        if self.no_swap is None:
            self._changing.reload(serving, now)
        else:
            log("info", f"the application is reloaded once the old generation has ended: {self.no_swap}")
            self.end_first(serving, bool, now)

    def recycle(self, asked: Recycle, has_room: Callable[[], bool], now: float) -> None:
        """A fresh generation of the shape that serves, while `may_recycle`. has_room: whether one may start now."""
        serving = self.serving
        if serving is None or not self.may_recycle:
            return
        log("warning", f"memory: {asked.why}", generation=serving.number)
        self.recycled = Recycled(message=asked.why, at=now)
        self.counts = replace(self.counts, recycles=self.counts.recycles + 1)
        if asked.beside and self.no_swap is None:
            self._changing.recycle(serving, now)
        else:
            self.end_first(serving, has_room, now)

    def stop_all(self, now: float, *, gracefully: bool) -> None:
        """Stop serving; call `step_stopping` until that is done."""
        self.end_all(now, gracefully=gracefully)
        self._changing.current = None

    def step_stopping(self, now: float) -> bool:
        """True when no generation is left."""
        self.step_lives(now)
        return not self.retiring
