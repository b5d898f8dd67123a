"""Time, and cores that runnable threads share in slices."""

import heapq
import itertools
from collections import deque
from collections.abc import Callable

# Linux's base slice on two cores (EEVDF: 0.75 ms * (1 + log2(cores)), rounded up to what a tick of 250 Hz enforces).
SLICE_S = 0.003


class Clock:
    """The event queue. `now` only grows."""

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._number = itertools.count()

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now + seconds, next(self._number), action))

    def run_until(self, end: float) -> None:
        events = self._events
        while events and events[0][0] <= end:
            self.now, _, action = heapq.heappop(events)
            action()
        self.now = end


class Account:
    """CPU seconds and run-queue seconds of one process."""

    __slots__ = ("cpu_s", "waited_s")

    def __init__(self) -> None:
        self.cpu_s = 0.0
        self.waited_s = 0.0


class Task:
    """A piece of CPU work. `slice_over` is asked after each slice whether the work goes on."""

    __slots__ = ("account", "done", "left", "queued_at", "slice_over")

    def __init__(
        self, left: float, account: Account, done: Callable[[], None], slice_over: "Callable[[Task], bool] | None"
    ) -> None:
        self.left = left
        self.account = account
        self.done = done
        self.slice_over = slice_over
        self.queued_at = 0.0


class Cpu:
    """`cores` cores, one run queue, round robin. `speed` may change with time: it is the machine's noise."""

    def __init__(self, clock: Clock, cores: int) -> None:
        self.clock = clock
        self.cores = cores
        self.speed = 1.0
        self._running = 0
        self._queue: deque[Task] = deque()

    @property
    def crowded(self) -> bool:
        return bool(self._queue)

    def submit(self, task: Task) -> None:
        task.queued_at = self.clock.now
        if self._running < self.cores:
            self._running += 1
            self._start(task)
        else:
            self._queue.append(task)

    def _start(self, task: Task) -> None:
        task.account.waited_s += self.clock.now - task.queued_at
        ran = min(SLICE_S, task.left)
        self.clock.after(ran / self.speed, lambda: self._slice_done(task, ran))

    def _slice_done(self, task: Task, ran: float) -> None:
        task.account.cpu_s += ran / self.speed
        task.left -= ran
        finished = task.left <= 1e-9
        goes_on = not finished and (task.slice_over is None or task.slice_over(task))
        if goes_on and not self._queue:
            task.queued_at = self.clock.now
            self._start(task)
            return
        if goes_on:
            task.queued_at = self.clock.now
            self._queue.append(task)
        if self._queue:
            self._start(self._queue.popleft())
        else:
            self._running -= 1
        if finished:
            task.done()
