"""See what the application does: ten looks and one Sample a second.

A new signal is a field of api/sample.py:Sample and a collector in `signals/` that fills it.
"""

import time
from collections import deque
from typing import Any

from uwsgi_autopilot.agent.backoff import Backoff
from uwsgi_autopilot.agent.generations import Generations
from uwsgi_autopilot.agent.signals.accesslog import AccessLog
from uwsgi_autopilot.agent.signals.collector import Collector, Running, Window
from uwsgi_autopilot.agent.signals.cpu import Machine, WorkerCpu
from uwsgi_autopilot.agent.signals.memory import Memory
from uwsgi_autopilot.agent.signals.requests import Finished, SocketLoad
from uwsgi_autopilot.agent.signals.threads import Threads
from uwsgi_autopilot.api.agentconfig import AgentConfig
from uwsgi_autopilot.api.sample import Sample
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.kernel.cgroup import Cgroup

SAMPLE_SECONDS = 1.0
# How many samples it is remembered for how long the oldest request had been in service.
OLDEST_SAMPLES = 120
# How long before a sample is due the server is asked: it answers in about a millisecond, and nobody waits for it.
AHEAD_SECONDS = 0.15


class Observer:
    """`tick` ten times a second, `sample` once a second; both from the main loop."""

    def __init__(self, config: AgentConfig) -> None:
        """Raises OSError when the socket for nginx's log cannot be bound."""
        cgroup = Cgroup()
        self.socket = SocketLoad([config.socket, *config.more_sockets])
        self.finished = Finished()
        self.memory = Memory(cgroup, config.memory_limit)
        # In this order: each may use the fields of those before it.
        self.collectors: list[Collector] = [
            self.finished,
            self.socket,
            WorkerCpu(),
            Machine(cgroup, config.cores),
            self.memory,
            Threads(),
            *([AccessLog(config.log_socket, config.socket_owner)] if config.log_socket else []),
        ]
        self._parts = {each: Backoff(f"the signal {type(each).__name__}") for each in self.collectors}
        self._looking = [each for each in self.collectors if type(each).look is not Collector.look]
        self._last_at = time.monotonic()
        self._asked = False
        self._seq = 0
        self._last_shape: Shape | None = None
        self._last_parked = 0
        self._oldest: deque[float] = deque(maxlen=OLDEST_SAMPLES)

    @property
    def oldest_s(self) -> float:
        """Age of the oldest request that was in service lately."""
        return max(self._oldest, default=0.0)

    def answered(self, generations: Generations) -> bool:
        """The server has told what happened since the last Sample."""
        serving = generations.serving
        return serving is not None and serving.instance.answered_since(self._last_at)

    def tick(self, generations: Generations, now: float) -> None:
        running = Running(serving=generations.serving, all=generations.all())
        if not self._asked and now - self._last_at >= SAMPLE_SECONDS - AHEAD_SECONDS:
            self._asked = True
            for each in running.all:
                each.instance.look()
        for collector in self._looking:
            self._parts[collector].run(now, collector.look, running)

    def sample(self, generations: Generations, now: float, *, own: int = 0) -> Sample | None:
        """The Sample for the time since the last one; None before the first generation serves.

        Also None while the server does not answer: no answer is not the same as no requests. The next Sample spans the
        time without one, and its sums include all that happened in it.

        own: the agent's own questions begun since the last call: each becomes a request but is nobody's load.
        """
        self.finished.own += own
        seconds, serving, shape = now - self._last_at, generations.serving, generations.shape
        if serving is None or shape is None or seconds <= 0:
            return None
        if not self.answered(generations):
            self._asked = False
            return None
        self._last_at, self._asked = now, False
        running = Running(serving=serving, all=generations.all())
        found: dict[str, Any] = {"requests": 0.0}
        window = Window(now=now, seconds=seconds, running=running, fields=found)
        for collector, backoff in self._parts.items():
            backoff.run(now, collector.fill, window)
        still = now - generations.last_change_at >= max(SAMPLE_SECONDS, seconds)
        settled = generations.idle and still and shape == self._last_shape
        self._last_shape = shape
        # Also of the second in which they returned, most of which had fewer workers.
        parked, self._last_parked = max(self._last_parked, serving.parked_count), serving.parked_count
        self._oldest.append(found.get("oldest_s", 0.0))
        self._seq += 1
        return Sample(
            seq=self._seq,
            at=round(now, 3),
            seconds=round(seconds, 4),
            generation=serving.number,
            shape=shape,
            settled=settled,
            parked=parked,
            **found,
        )
