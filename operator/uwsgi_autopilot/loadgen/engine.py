"""When requests start: one thread, one loop, the clock.

Time is what `time.monotonic` says. A closed-loop client is a connection that sends its next request when it has read
an answer. An open-loop arrival has an instant of its own: from there its latency and its timeout run, also while it
waits for a free connection.
"""

import errno
import random
import select
from collections.abc import Callable
from time import monotonic

from uwsgi_autopilot.loadgen.counts import Tally
from uwsgi_autopilot.loadgen.message import message
from uwsgi_autopilot.loadgen.plan import Arrival, LoadPhase
from uwsgi_autopilot.loadgen.running import RunningPhase
from uwsgi_autopilot.loadgen.sender import Sender

# Deadlines are checked ten times a second, so a timeout may be noticed up to this much late.
SWEEP_S = 0.1


class Engine:
    """Runs the phases; `tick` is called about every SWEEP_S and may call `stop`."""

    def __init__(
        self,
        address: tuple[int, tuple[str, int]],
        host: str,
        phases: list[LoadPhase],
        *,
        seed: int | None = None,
        tick: Callable[[float], None] = lambda now: None,
    ) -> None:
        """`address` is (family, socket address), already resolved; `host` the Host header. Raises UsageError: see
        message.py."""
        self.zero = monotonic()
        self._sender = Sender(address)
        self._phases = [RunningPhase(plan, message(plan, host=host), self.zero) for plan in phases]
        self._random = random.Random(seed)  # noqa: S311  # spaces requests, keeps no secret
        self._tick = tick
        self._stopping = False
        self._output = -1
        self._timed = any(plan.rate is not None for plan in phases)

    @property
    def tallies(self) -> list[Tally]:
        """One per phase, in the order given."""
        return [phase.tally for phase in self._phases]

    def watch_reader(self, fd: int) -> None:
        """Let `run` raise BrokenPipeError as soon as nobody reads from `fd`; a file has no reader and is ignored."""
        try:
            self._sender.epoll.register(fd, 0)  # EPOLLERR is always reported
        except PermissionError:
            return
        self._output = fd

    def stop(self) -> None:
        """Start no more requests; `run` returns when those in flight are finished."""
        self._stopping = True

    def run(self) -> None:
        """Return when every phase is over and nothing is in flight. Raises BrokenPipeError: see watch_reader."""
        sender, epoll, sweep_at = self._sender, self._sender.epoll, self.zero
        try:
            while True:
                now = monotonic()
                if now >= sweep_at:
                    self._sweep(now)
                    self._tick(now)
                    if all(phase.over and not phase.tally.in_flight for phase in self._phases):
                        return
                    sweep_at = self._next_sweep(now)
                if self._timed:
                    wake = min(sweep_at, self._arrivals(now))
                    # epoll counts in milliseconds, select in microseconds.
                    select.select([epoll], (), (), max(0.0, wake - monotonic()))
                    events = epoll.poll(0)
                else:
                    events = epoll.poll(max(0.0, sweep_at - now))
                for fd, _ in events:
                    if fd == self._output:
                        raise BrokenPipeError(errno.EPIPE, "nobody reads the output")
                    if connection := sender.connections.get(fd):
                        sender.ready(connection)
        finally:
            sender.close()

    # Starting and ending

    def _next_sweep(self, now: float) -> float:
        """On a grid from `zero`, so that lines come at whole seconds, and when a phase starts or ends."""
        grid = self.zero + (int((now - self.zero) / SWEEP_S) + 1) * SWEEP_S
        return min([grid, *(at for phase in self._phases for at in (phase.begin, phase.end) if at > now)])

    def _sweep(self, now: float) -> None:
        """What happens by the clock: phases start and end, rests end, deadlines pass."""
        for phase in self._phases:
            if not phase.started and now >= phase.begin and not self._stopping:
                phase.started = True
                phase.resting.extend([now] * (phase.plan.clients or 0))
            if not phase.over and (self._stopping or now >= phase.end):
                self._end(phase)
            while phase.resting and phase.resting[0] <= now:
                phase.resting.popleft()
                self._sender.begin(phase, now)
            for connection in [each for each in phase.connections if each.since is not None and each.deadline <= now]:
                self._sender.fail(connection, "timeout")
            while phase.waiting and phase.waiting[0] + phase.plan.timeout_s <= now:
                phase.waiting.popleft()
                phase.tally.fail("timeout")

    def _end(self, phase: RunningPhase) -> None:
        phase.over = True
        phase.resting.clear()
        if self._stopping:
            phase.tally.sent -= len(phase.waiting)
            phase.tally.unsent += len(phase.waiting)
            phase.waiting.clear()
        else:
            self._arrive(phase, phase.last_arrival)
        for connection in list(phase.connections):
            if connection.since is None:
                self._sender.drop(connection)

    # Open loop

    def _arrivals(self, now: float) -> float:
        """Start what is due; return the time of the next arrival."""
        soonest = now + SWEEP_S
        for phase in self._phases:
            if phase.plan.rate is not None and phase.started and not phase.over:
                self._arrive(phase, min(now, phase.last_arrival))
                soonest = min(soonest, phase.next_arrival)
        return soonest

    def _arrive(self, phase: RunningPhase, until: float) -> None:
        rate = phase.plan.rate
        if rate is None:
            return
        while phase.next_arrival < until:
            at = phase.next_arrival
            constant = phase.plan.arrival is Arrival.CONSTANT
            phase.next_arrival += 1 / rate if constant else self._random.expovariate(rate)
            now = monotonic()
            phase.tally.late(now - at)
            if phase.idle:
                phase.tally.sent += 1
                self._sender.send(phase.idle.pop(), at)
            elif len(phase.connections) < phase.plan.connections:
                self._sender.begin(phase, at)
            else:
                phase.tally.sent += 1
                phase.tally.no_connection += 1
                phase.waiting.append(at)
