"""One generation: an instance of the server, and where it is in its life.

    STARTING ──accepts──► SERVING ──retire()──► RETIRING ──ended──► GONE
       │ │                   └────────died─────────────────────────► ▲
       │ └─too slow: failure──────────► RETIRING                     │
       └───ended: failure────────────────────────────────────────────┘

All transitions are in `step` and the functions below it. A generation never decides to serve or to retire:
`generations.py` does.
"""

from enum import Enum

from uwsgi_autopilot.agent.server import Instance
from uwsgi_autopilot.api.shape import Shape


class State(str, Enum):
    STARTING = "Starting"
    SERVING = "Serving"
    RETIRING = "Retiring"
    GONE = "Gone"


class Generation:
    """shape: its threads, and as many workers as it was last told to run; `live_shape` counts the live ones. failure:
    why it never served, one sentence; None: it did, or may yet. since: when it entered its state."""

    def __init__(
        self, instance: Instance, number: int, shape: Shape, now: float, *, start_seconds: float, request_seconds: float
    ) -> None:
        self.instance, self.number, self.shape = instance, number, shape
        self.start_seconds, self.request_seconds = start_seconds, request_seconds
        self.state = State.STARTING
        self.since = self.started_at = now
        self.failure: str | None = None
        # False: the state of its workers is no longer known, so only another generation can bring another number.
        self.resizable = True

    @property
    def pids(self) -> list[int]:
        """The process ids of its live workers, as last reported."""
        return [worker.pid for worker in self.instance.workers if worker.live]

    @property
    def live_shape(self) -> Shape:
        return Shape(len(self.pids) or self.shape.processes, self.shape.threads)

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
            if now - self.since > self.request_seconds:
                self.instance.kill()
            else:
                self.instance.step_retiring(now)
        elif self.state is not State.GONE and not alive:
            self._end(now)

    def retire(self, now: float) -> None:
        if self.state is State.SERVING:
            self._enter(State.RETIRING, now)
            self.instance.retire(now)
        elif self.state is State.STARTING:
            self._enter(State.RETIRING, now)
            self.instance.discard(now)

    def _end(self, now: float) -> None:
        # A master that ends gracefully takes its workers along; after a kill, make sure.
        self.instance.kill()
        self.instance.close()
        self._enter(State.GONE, now)

    def _enter(self, state: State, now: float) -> None:
        self.state, self.since = state, now
