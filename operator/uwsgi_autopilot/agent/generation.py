"""One generation: an instance of the server, and where it is in its life.

    STARTING ──accepts──► SERVING ──retire()──► RETIRING ──ended──► GONE      (how long it may retire: _step_retiring)
       │ │                   └────────died─────────────────────────► ▲
       │ └─too slow: failure──────────► RETIRING                     │
       └───ended: failure────────────────────────────────────────────┘

All transitions are in `step` and the functions below it. A generation never decides to serve or to retire:
`lives.py` does.
"""

from enum import Enum

from uwsgi_autopilot.agent.log import log
from uwsgi_autopilot.agent.parked import ParkedWorkers
from uwsgi_autopilot.agent.server import Instance, Left
from uwsgi_autopilot.api.shape import Shape

LOOK_SECONDS = 1.0


class State(str, Enum):
    STARTING = "Starting"
    SERVING = "Serving"
    RETIRING = "Retiring"
    GONE = "Gone"


class Generation:
    """shape: its threads, and as many workers as it was last told to run; `live_shape` counts those that do, and those
    that are put away while nobody needs them (`parked`). failure:
    why it never served, one sentence; None: it did, or may yet. since: when it entered its state. streams: it has been
    retiring for longer than any request may be silent, and answers of it still move.

    request_seconds: how long it may retire. stream_seconds: how long while answers move; None: no longer."""

    def __init__(
        self, instance: Instance, number: int, shape: Shape, now: float, *,
        start_seconds: float, request_seconds: float, stream_seconds: float | None,
    ) -> None:  # fmt: skip
        self.instance, self.number, self.shape = instance, number, shape
        self.start_seconds, self.request_seconds, self.stream_seconds = start_seconds, request_seconds, stream_seconds
        self.streams = False
        self._looked_at = self._moved_at = self._held_at = 0.0
        self._held_with = 0  # requests that were waited for; 0: it cannot be seen when nginx lets go
        self.state = State.STARTING
        self.since = self.started_at = now
        self.failure: str | None = None
        # False: the state of its workers is no longer known, so only another generation can bring another number.
        self.resizable = True
        self.parked = ParkedWorkers(instance)

    @property
    def pids(self) -> list[int]:
        """The process ids of its live workers, as last reported."""
        return [worker.pid for worker in self.instance.workers if worker.live]

    @property
    def parked_count(self) -> int:
        return self.parked.count(len(self.pids), self.shape.processes)

    @property
    def live_shape(self) -> Shape:
        return Shape(len(self.pids) + self.parked_count or self.shape.processes, self.shape.threads)

    def step(self, now: float) -> None:
        """Make the next transition, if one is due."""
        alive = self.instance.alive()
        if self.state is State.STARTING and alive:
            if self.instance.accepts():
                self._enter(State.SERVING, now)
            elif now - self.since > self.start_seconds:
                self.failure = f"the new generation did not accept requests within {self.start_seconds:.0f} s"
                self._enter(State.RETIRING, now)
                self.instance.discard(now)
        elif self.state is State.STARTING:
            self.instance.kill()  # its workers, if only the master has ended
            output = self.instance.last_output()
            if output is not None:
                self.failure = f"the new generation {self.instance.ending()} before it accepted requests: {output}"
                self._end(now)
        elif self.state is State.RETIRING and alive:
            self._step_retiring(now)
        elif self.state is not State.GONE and not alive:
            self._end(now)

    def retire(self, now: float) -> None:
        if self.state is State.SERVING:
            self._enter(State.RETIRING, now)
            self.instance.retire(now)
        elif self.state is State.STARTING:
            self._enter(State.RETIRING, now)
            self.instance.discard(now)

    def _step_retiring(self, now: float) -> None:
        """Its requests finish, within `request_seconds`; beyond that as long as answers move, within `stream_seconds`.

        What is left then is cut so that its client sees an error. When a process is killed its connection just ends,
        and in the uwsgi protocol that is how an answer without a Content-Length is complete: nginx would end it well,
        and half a file would look like all of it. So the processes are held, nginx waits for its read timeout (which is
        less than `request_seconds`) and breaks the answer off, and then they are killed.
        """
        if not self._held_at:
            self.instance.step_retiring(now)
        if now - self._looked_at < LOOK_SECONDS:
            return
        left, self._looked_at = self.instance.left(), now
        if left.moves:
            self._moved_at = now
        if self._held_at:
            let_go = self._held_with and not left.waited_for
            if let_go or now - self._held_at > self.request_seconds:
                self.instance.kill()
            return
        seconds = now - self.since
        if seconds > self.request_seconds:
            self._step_streaming(left, seconds, now)

    def _step_streaming(self, left: Left, seconds: float, now: float) -> None:
        moves = now - self._moved_at <= self.request_seconds
        if self.stream_seconds is not None and moves and seconds <= self.stream_seconds:
            if not self.streams:
                self.streams = True
                log("info", f"generation {self.number} goes on: answers still move", requests=left.in_service)
            return
        count = max(left.in_service, left.waited_for)
        what = f"generation {self.number} has been finishing for {seconds:.0f} s: {count} requests are cut off"
        log("warning", what, waited_for=left.waited_for)
        if self.stream_seconds is not None and moves:
            self._held_at, self._held_with = now, left.waited_for
            self.instance.hold()
        else:
            self.instance.kill()

    def _end(self, now: float) -> None:
        # A master that ends gracefully takes its workers along; after a kill, make sure.
        self.instance.kill()
        self.instance.close()
        self._enter(State.GONE, now)

    def _enter(self, state: State, now: float) -> None:
        self.state, self.since = state, now
