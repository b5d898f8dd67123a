"""When must a generation be replaced because its application leaks? Pure: what was seen comes in, once a second.

    ──fresh──► grows ──near the limit: LATE──► asked ──┬─ much was freed ────► fresh; if it grew steadily, it LEAKS
                 │                               ▲     ├─ little was freed ──► rests for minutes, then for longer
                 └──it LEAKS: EARLY──────────────┘     └─ no fresh one came ─► rests likewise

Late: the generation ends, its memory comes back, a fresh one starts; requests wait in the socket's queue meanwhile.
That needs no memory, so it can wait until the limit is near, and an application that fills its caches and stops below
that is left alone. Early: a fresh generation beside the old one, without a pause, while there is room for both. That
may be at half the limit, so it is for what was seen to grow up to the limit, and where the pause would be too long.

A shape that takes nearly all memory when it is fresh is no leak: another generation of it would be as large.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from uwsgi_autopilot.agent.backoff import Delays
from uwsgi_autopilot.api.headroom import BUDGET, MIB, Held

# Shares of the limit. Beyond LATE nothing is planned: the last twentieth is for one second that is worse than those
# before. A generation that holds less than LEAST more than when it was fresh is not worth replacing.
LATE = 0.95
LEAST = 0.05
# Growth below this, from the first half of a window to the second, is the noise of a heap.
NOISE = 0.005
# The growth is the greater one of two: a leak that has just begun, and a slow one.
WINDOWS = (10.0, 120.0)
LEAST_POINTS = 4
# What leaks too slowly to be seen in these windows needs ten minutes for LEAST, and in so long adds half as much again.
UNSEEN_SECONDS = 900.0
# Growth at the end, as a ratio to that of the whole life: neither one burst nor what is about to stop.
STEADY = (0.5, 2.0)
# Early only for what would reach the limit in so long: a slower leak costs a pause once in hours.
SOON_SECONDS = 600.0
# Seconds between two looks, and what uWSGI needs to end when it has no request (`q` acts in steps of a second).
LOOK_SECONDS = 1.0
END_SECONDS = 1.5
# A longer pause is avoided even if the application may be about to stop growing: nginx waits for 60 s by default.
PAUSE_SECONDS = 20.0
# Between two replacements, at least.
INTERVAL_SECONDS = 3.0
# After one in vain: a leak outside of the application, such as files in a tmpfs.
REST_SECONDS = (300.0, 1800.0, 7200.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """now: monotonic seconds. held: None: no limit, or nothing measured. generation, workers: of what serves.
    parked: how many of these workers are put away.

    alone: nothing else of the application runs, not even an old generation that finishes a request.
    start_seconds: how long the one that serves took until it accepted. longest_seconds: age of the oldest request of
    late. beside: another generation may run beside it, memory aside. changed_at: when anything last changed.
    """

    now: float
    held: Held | None
    generation: int
    workers: int
    alone: bool
    start_seconds: float
    longest_seconds: float
    beside: bool
    changed_at: float
    parked: int = 0


@dataclass(frozen=True, slots=True)
class Recycle:
    """Replace it by a fresh one of the same shape: `beside` it, or once it has ended. why: one sentence."""

    why: str
    beside: bool


@dataclass(frozen=True, slots=True)
class Rest:
    """Replacing it does not help, so it is left alone for a while. why: one sentence."""

    why: str


@dataclass(frozen=True, slots=True)
class _Asked:
    """at: when. generation: that was to go. used: bytes in use then. gain: how many of them were expected back. steady:
    it grew up to the limit, at one rate."""

    at: float
    generation: int
    used: int
    gain: int
    steady: bool


class MemoryGuard:
    """outside: bytes in use before the first generation was started. need: what a fresh generation takes; None: it was
    never alone."""

    def __init__(self, outside: int) -> None:
        self.outside = outside
        self.need: int | None = None
        self._of: tuple[str, int] | None = None
        self._generation: int | None = None
        self._workers = self._parked = self._fresh = self._used = 0
        self._whole = True  # no worker of this generation was ever put away
        self._since = 0.0
        self._points: deque[tuple[float, int]] = deque()
        self._before = 0.0  # growth before the points began
        self._alone = True
        self._asked: _Asked | None = None
        self._leaks = False
        self._grew = 0.0  # bytes a second, when one was asked for
        self._rests = Delays(REST_SECONDS)

    def step(self, seen: Seen) -> Recycle | Rest | None:
        """Once a second while a generation serves and no change is in progress."""
        held = seen.held
        if held is None:
            return None
        self._take(seen, held)
        if (rest := self._judged(seen, held)) is not None:
            return rest
        latest = max(seen.changed_at, self._asked.at if self._asked else seen.changed_at)
        if seen.now - latest < INTERVAL_SECONDS or not self._rests.due(seen.now):
            return None
        gain, growth = held.used - self._fresh, self.growth(held.limit)
        if gain < LEAST * held.limit:
            return None
        beside = self._beside(seen, held, growth)
        if not beside and not self._late(seen, held, growth):
            return None
        self._grew = growth
        average = gain / max(1.0, seen.now - self._since)
        steady = not beside and STEADY[0] <= growth / average <= STEADY[1]
        self._asked = _Asked(seen.now, seen.generation, held.used, gain, steady)
        return Recycle(self._sentence(seen, held, gain, growth, beside=beside), beside)

    def has_room(self, held: Held | None) -> bool:
        """Whether a fresh generation may start now, after one was asked for. It will grow, too, for a moment in which
        nothing more is asked for. What is not known keeps nobody from serving."""
        growing = self._grew * (INTERVAL_SECONDS + 2 * LOOK_SECONDS)
        return held is None or held.used + (self.need or 0) + growing <= LATE * held.limit

    def growth(self, limit: int) -> float:
        """Bytes a second, 0 when it is none; from the least of one half of a window to the least of the other, so that
        what a request takes and gives back does not count."""
        if len(self._points) < LEAST_POINTS:
            return self._before
        return max(_slope([each for each in self._points if each[0] >= self._newest - span], limit) for span in WINDOWS)

    @property
    def _newest(self) -> float:
        return self._points[-1][0] if self._points else 0.0

    def _take(self, seen: Seen, held: Held) -> None:
        if (held.of, held.limit) != self._of:
            # Another measure, or a pod that was resized: what is known of the old one does not compare.
            self._of, self._generation, self._asked = (held.of, held.limit), None, None
        if seen.workers != self._workers or (seen.generation != self._generation and self._asked is None):
            self.need = None  # of another shape, or of other code
        if seen.generation != self._generation:
            self._generation, self._fresh, self._since, self._before = seen.generation, held.used, seen.now, 0.0
            self._points.clear()
            self._whole = True
        elif (seen.workers, seen.parked) != (self._workers, self._parked):
            self._fresh += max(0, held.used - self._used)  # the new workers are fresh
            self._points.clear()
        elif seen.alone and not self._alone:
            # What an old generation gave back just now is no slower leak.
            self._before = self.growth(held.limit)
            self._points.clear()
        self._alone = seen.alone
        # It falls while the generation before it ends.
        self._fresh = min(self._fresh, held.used)
        self._whole = self._whole and not seen.parked
        if seen.alone and self._whole:
            need = max(0, self._fresh - (self.outside if held.of == "cgroup" else 0))
            self.need = need if self.need is None else min(need, self.need)
        self._workers, self._parked, self._used = seen.workers, seen.parked, held.used
        self._points.append((seen.now, held.used))
        while self._points[0][0] < seen.now - max(WINDOWS):
            self._points.popleft()

    def _judged(self, seen: Seen, held: Held) -> Rest | None:
        """What came of the last one. It is not known while an old generation goes on with a long answer."""
        asked = self._asked
        if asked is None or (seen.generation != asked.generation and not seen.alone):
            return None
        self._asked = None
        # What it has leaked again meanwhile was freed, too.
        freed = asked.used - held.used + int(self._grew * (seen.now - self._since))
        if seen.generation != asked.generation and freed >= asked.gain / 2:
            self._leaks, self._rests.failures = self._leaks or asked.steady, 0
            return None
        self._leaks = False
        self._rests.failed(seen.now)
        minutes = REST_SECONDS[min(self._rests.failures, len(REST_SECONDS)) - 1] / 60
        what = "no fresh generation came"
        if seen.generation != asked.generation:
            what = f"a fresh generation freed {max(0, freed) / MIB:.0f} MiB where {asked.gain / MIB:.0f} were expected"
        return Rest(f"{what}: memory is not guarded for {minutes:.0f} minutes, and the application may run out of it")

    def _beside(self, seen: Seen, held: Held, growth: float) -> bool:
        """It is time for a fresh one beside it, and there is room."""
        pause = seen.start_seconds + seen.longest_seconds
        if not seen.beside or self.need is None or not (self._leaks or pause > PAUSE_SECONDS):
            return False
        if held.limit - held.used > growth * SOON_SECONDS:
            return False
        seconds = held.age + seen.start_seconds + seen.longest_seconds + END_SECONDS
        peak = held.used + self.need + growth * seconds
        return peak <= LATE * held.limit and peak + growth * LOOK_SECONDS > BUDGET * held.limit

    def _late(self, seen: Seen, held: Held, growth: float) -> bool:
        """The limit is near. Where nothing seems to be added any more, it may stay where it is for a while."""
        near = held.used + growth * (held.age + LOOK_SECONDS) > LATE * held.limit
        return near and (growth > 0 or seen.now - self._since >= UNSEEN_SECONDS)

    def _sentence(self, seen: Seen, held: Held, gain: int, growth: float, *, beside: bool) -> str:
        how = "once it has ended, and requests wait meanwhile"
        if beside:
            how = f"while there is room for both: a fresh one takes {(self.need or 0) / MIB:.0f} MiB"
        return (
            f"{held.used / MIB:.0f} of {held.limit / MIB:.0f} MiB are in use, {gain / MIB:.0f} more than when "
            f"generation {seen.generation} was fresh, and {growth / MIB:.1f} are added each second, so it is replaced "
            f"{how}"
        )


def _slope(points: Sequence[tuple[float, int]], limit: int) -> float:
    if len(points) < LEAST_POINTS:
        return 0.0
    middle = len(points) // 2
    early, late = (min(half, key=lambda each: each[1]) for half in (points[:middle], points[middle:]))
    added = late[1] - early[1]
    return added / (late[0] - early[0]) if added >= NOISE * limit else 0.0
