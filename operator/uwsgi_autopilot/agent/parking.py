"""How many workers of the shape does the load need now? Pure: what was seen comes in ten times a second.

    all live ──fewer needed for `quiet_seconds`──► one is put away ──a tenth of that later──► one more, down to the need
       ▲                                                 │
       └──── a queue, or half of the threads busy ───────┘   all of them, at once

The need is that of the worst moment of the last `quiet_seconds`, twice over, and one worker more. Returning is not a
forecast: what is put away comes back for the first moment that is worse than all of these.
"""

import math
from collections import deque
from dataclasses import dataclass

from uwsgi_autopilot.api.shape import Shape

# Busy threads, and CPU, are counted so many times: as many more requests as there were at the worst moment find a
# thread without anything having to come back.
SPARE = 2
# Cores that a worker is planned for. Requests that compute side by side in one process wait for its interpreter lock;
# at an eighth of this, in the mean second, that is rare.
CORES_EACH = 0.25
# Cores used for each live worker from which all return: one of them is then at its interpreter lock's limit, or near.
CORES_FULL = 0.5
# Two, where the shape has two: one worker may be recycled, or be busy for a while.
LEAST = 2
# A queue that lasts for two looks; at one of them a request may just be on its way to an idle thread.
QUEUE_SECONDS = 0.09
STEPS = 10  # a tenth of quiet_seconds between two that are put away


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """now: monotonic seconds. shape: of what serves, put away or not. live: how many of its workers are not put away.

    busy: requests in service. queue: requests that wait; None: it cannot be seen. cpu: cores used in the last second.
    still: nothing changes, and nothing is on trial. room: there is memory for all to return.
    """

    now: float
    shape: Shape
    live: int
    busy: float
    queue: int | None
    cpu: float
    still: bool = True
    room: bool = True


@dataclass(frozen=True, slots=True)
class Wanted:
    """live: how many workers. why: they return, one clause; None: nothing to say."""

    live: int
    why: str | None = None


def needed(shape: Shape, busy: float, cpu: float) -> int:
    """How many workers of `shape` are enough when so many requests were in service, and cores in use, at the worst."""
    threads, cores = math.ceil(SPARE * busy / shape.threads), math.ceil(cpu / CORES_EACH)
    return min(shape.processes, max(LEAST, max(threads, cores) + 1))


class Parking:
    def __init__(self, quiet_seconds: float) -> None:
        self.quiet_seconds = quiet_seconds
        self._shape: Shape | None = None
        self._since = self._moved_at = 0.0
        self._queued_since: float | None = None
        # (second, most busy threads in it, most cores in it)
        self._worst: deque[tuple[int, float, float]] = deque()

    def step(self, seen: Seen) -> Wanted:
        if seen.shape != self._shape or not seen.still or not self._worst:
            self._shape = seen.shape
            self._forget(seen.now)
        self._remember(seen)
        if (why := self._surge(seen)) is not None:
            self._forget(seen.now)
            self._remember(seen)
            return Wanted(seen.shape.processes, why)
        quiet = seen.now - self._since >= self.quiet_seconds
        if not quiet or seen.now - self._moved_at < self.quiet_seconds / STEPS:
            return Wanted(seen.live)
        need = needed(seen.shape, max(each[1] for each in self._worst), max(each[2] for each in self._worst))
        if need == seen.live:
            return Wanted(seen.live)
        self._moved_at = seen.now
        return Wanted(seen.live - 1) if need < seen.live else Wanted(need, "the load has grown")

    def _surge(self, seen: Seen) -> str | None:
        """Why all have to return now."""
        if seen.live >= seen.shape.processes:
            return None
        if not seen.room:
            return "memory was about to be too short for them"
        if seen.queue is None:
            return "the queue cannot be seen any more"
        threads = seen.live * seen.shape.threads
        queued = self._queued_since is not None and seen.now - self._queued_since >= QUEUE_SECONDS
        if seen.queue > threads or queued:
            return f"{seen.queue} requests were in the queue"
        if SPARE * seen.busy > threads:
            return f"{seen.busy:.0f} of {threads} threads were busy"
        if seen.cpu > CORES_FULL * seen.live:
            return f"{seen.live} workers used {seen.cpu:.1f} cores"
        return None

    def _remember(self, seen: Seen) -> None:
        if not seen.queue:
            self._queued_since = None
        elif self._queued_since is None:
            self._queued_since = seen.now
        busy, second = seen.busy + (seen.queue or 0), math.floor(seen.now)
        if self._worst and self._worst[-1][0] == second:
            _, before, cpu = self._worst.pop()
            self._worst.append((second, max(before, busy), max(cpu, seen.cpu)))
        else:
            self._worst.append((second, busy, seen.cpu))
        while self._worst[0][0] < seen.now - self.quiet_seconds - 1:
            self._worst.popleft()

    def _forget(self, now: float) -> None:
        self._since = self._moved_at = now
        self._worst.clear()
