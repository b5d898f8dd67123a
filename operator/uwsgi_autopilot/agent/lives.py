"""Which generations there are: the one that serves, the one that starts, those that retire.

It starts and ends what others decide, and notices what ended by itself. The life of each is in `generation.py`, why one
takes the place of another in `changing.py`.
"""

from collections.abc import Callable
from dataclasses import replace

from uwsgi_autopilot.agent.backoff import Delays
from uwsgi_autopilot.agent.exchange import Exchange
from uwsgi_autopilot.agent.generation import Generation, State
from uwsgi_autopilot.agent.log import log
from uwsgi_autopilot.agent.server import Server
from uwsgi_autopilot.api.agentstate import Counts
from uwsgi_autopilot.api.shape import Shape

# At once the first time. A generation that served for HEALTHY_SECONDS counts as healthy: its death is a first one.
START_AGAIN_SECONDS = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
HEALTHY_SECONDS = 30.0
# Old generations that may still be finishing requests when the next change begins: one request that takes a minute must
# not keep the rest from being served better, but memory is finite.
MAX_RETIRING = 3


class Lives:
    """no_swap: why no generation may run beside another, one clause; None: one may. served_last: the shape that last
    began to serve; None: none ever did. restarts: when one may start again where none serves. last_change_at: when what
    serves, or what finishes requests beside it, was last another; monotonic seconds, as `now` is everywhere."""

    def __init__(
        self, server: Server, *, start_seconds: float, request_seconds: float, stream_seconds: float,
        no_swap: str | None = None,
    ) -> None:  # fmt: skip
        self.server = server
        self.start_seconds, self.request_seconds, self.stream_seconds = start_seconds, request_seconds, stream_seconds
        self.no_swap = no_swap
        self.serving: Generation | None = None
        self.starting: Generation | None = None
        self.retiring: list[Generation] = []
        self.exchange = Exchange()
        self.restarts = Delays(START_AGAIN_SECONDS)
        self.served_last: Shape | None = None
        self.counts = Counts()
        self.last_change_at = 0.0
        self._last_number = 0

    @property
    def shape(self) -> Shape | None:
        """What serves now: workers, live or put away, and threads."""
        return self.serving.live_shape if self.serving else None

    @property
    def leaving(self) -> list[Generation]:
        """Those that retire; an old one that goes on with a long answer is not counted."""
        return [each for each in self.retiring if not each.streams]

    @property
    def crowded(self) -> bool:
        """Too many retire for another change to begin."""
        return len(self.retiring) >= MAX_RETIRING

    @property
    def exchanging(self) -> bool:
        """None serves because one ends before the next one starts; requests wait for that one."""
        return self.serving is None and self.exchange.under_way

    def all(self) -> list[Generation]:
        return [each for each in (self.serving, self.starting, *self.retiring) if each is not None]

    def may_start(self) -> bool:
        """A generation, where none serves."""
        return self.exchange.may_start() if self.no_swap is None else not self.retiring

    def start(self, shape: Shape, now: float) -> None:
        """Raises OSError and ValueError when the server cannot be started."""
        self._last_number += 1
        instance = self.server.start(self._last_number, shape)
        self.starting = Generation(
            instance, self._last_number, shape, now,
            start_seconds=self.start_seconds, request_seconds=self.request_seconds,
            # Where no generation may replace another, nothing serves until this one is gone.
            stream_seconds=self.stream_seconds if self.no_swap is None else None,
        )  # fmt: skip
        log("info", f"generation {self._last_number} starts", shape=shape)

    def promote(self, new: Generation, now: float) -> None:
        """The one that started serves from now on; the old one retires."""
        self.exchange.end()
        old, self.serving, self.starting = self.serving, new, None
        new.instance.takes_over()
        if old is not None:
            old.retire(now)
            self.retiring.append(old)
            self.counts = replace(self.counts, swaps=self.counts.swaps + 1)
        self.served_last = new.shape
        self.last_change_at = now
        log("info", f"generation {new.number} serves", shape=new.shape, seconds=round(now - new.started_at, 2))

    def drop(self, new: Generation) -> None:
        """The one that started never serves."""
        self.starting = None
        self.retiring.append(new)

    def end_first(self, serving: Generation, has_room: Callable[[], bool], now: float) -> None:
        """Begin an exchange of the one that serves."""
        self.exchange.begin(serving, has_room, now)
        self.retiring.append(serving)
        self.serving = None
        self.restarts.at_once()

    def end_all(self, now: float, *, gracefully: bool) -> None:
        for each in self.all():
            each.retire(now) if gracefully else each.instance.kill()
        self.retiring = self.all()
        self.serving = self.starting = None

    def step_lives(self, now: float) -> None:
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
                    self.restarts.failures = 0
                self.restarts.failed(now)
                log(
                    "warning",
                    f"generation {each.number} {each.instance.ending()}, while it was serving: starting it again",
                )
            elif each in self.retiring:
                self.retiring.remove(each)
                if not each.streams:
                    self.last_change_at = now
                log("info", f"generation {each.number} is gone")
