"""Time, and cores that runnable threads share in slices."""

import random
from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush

from tests.simulator.physics import Physics

PERIOD_S = 0.1  # of a cgroup's CPU quota
TICK_S = 0.004  # CONFIG_HZ=250
# Over which time the kernel takes the mean of what is in use, and from which share on it does not look for idle cores.
MEMORY_S = 0.03
CHILL_AFTER_S = 0.005  # a core that was idle for so long has forgotten everything
NOTHING_LEFT = 1e-9


class Clock:
    """The event queue. `now` only grows."""

    __slots__ = ("_events", "_number", "now")

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[[], object]]] = []
        self._number = 0

    def at(self, when: float, action: Callable[[], object]) -> None:
        number = self._number = self._number + 1
        heappush(self._events, (when, number, action))

    def after(self, seconds: float, action: Callable[[], object]) -> None:
        number = self._number = self._number + 1
        heappush(self._events, (self.now + seconds, number, action))

    def run_until(self, end: float) -> None:
        events, pop = self._events, heappop
        while events and events[0][0] <= end:
            self.now, _, action = pop(events)
            action()
        self.now = end


class Account:
    """CPU seconds and run-queue seconds of one process. limited: its cgroup has a quota. cold_s: CPU that it needs more
    on a core where another process computed last."""

    __slots__ = ("cold_s", "cpu_s", "limited", "waited_s")

    def __init__(self, *, limited: bool = False, cold_s: float = 0.0) -> None:
        self.cold_s = cold_s
        self.cpu_s = 0.0
        self.waited_s = 0.0
        self.limited = limited


class Task:
    """What can compute. Each method is called on a core, and True means that it computes on for `left` seconds, at
    once; False: it leaves the core."""

    __slots__ = ("account", "core", "left", "queued_at")
    # False: it uses so little of its share that the kernel lets it go before the others, and on.
    gives_way = True

    def __init__(self, account: Account, left: float = 0.0) -> None:
        self.account = account
        self.left = left
        self.queued_at = 0.0
        self.core: Core | None = None

    def begin(self) -> bool:
        """It got a core."""
        return True

    def over(self) -> bool:
        """`left` has been computed."""
        return False

    def paused(self) -> bool:
        """A part of `left` has been computed."""
        return True


class Core:
    """It has a run queue of its own: who was woken goes before those that had to make way shortly before.

    began: when the task that computes got the core. steady: it computes, and nothing else is being done here.
    """

    __slots__ = (
        "_cost", "_due", "_since", "_task", "_turn_ends", "began", "computed", "cpu", "idle", "idle_since", "last",
        "rest", "steady", "woken",
    )  # fmt: skip

    def __init__(self, cpu: "Cpu") -> None:
        self.cpu = cpu
        self.idle = True
        self.idle_since = 0.0
        self.steady = False
        self.woken: deque[Task] = deque()
        self.rest: deque[Task] = deque()
        self.last: Task | None = None
        self._task: Task | None = None
        self.began = self._turn_ends = self._since = self._cost = self._due = 0.0
        self.computed = self._computed

    def wake(self, task: Task) -> None:
        """An idle core is given work."""
        self.idle = False
        self.cpu.idle.remove(self)
        self._task = task
        clock, physics = self.cpu.clock, self.cpu.physics
        slept = (clock.now - self.idle_since) / CHILL_AFTER_S
        self._cost += physics.chill_s * (slept if slept < 1.0 else 1.0)
        clock.after(physics.wake_s, self._woken)

    def _woken(self) -> None:
        task = self._task
        assert task is not None
        if not self._turn_to(task):
            self._next()

    def _turn_to(self, task: Task) -> bool:
        """False: it did not want the core after all, and the way there was for nothing."""
        cpu = self.cpu
        if task is not self.last:
            self._cost += cpu.physics.switch_s
            if self.last is None or self.last.account is not task.account:
                self._cost += task.account.cold_s
            self.last = task
        task.core = self
        now = self._since = self.began = cpu.clock.now
        task.account.waited_s += now - task.queued_at
        if not task.begin():
            return False
        self._task = task
        self._turn_ends = now + cpu.turn()
        self._compute(task, now)
        return True

    def _compute(self, task: Task, now: float) -> None:
        """As much as its turn allows; the cost comes on top."""
        cpu = self.cpu
        due = now + (task.left + self._cost) / cpu.speed
        if due > self._turn_ends:
            due = self._turn_ends if self._turn_ends > now else now
        self._due = due
        self.steady = True
        cpu.clock.at(due, self.computed)

    def _account(self, task: Task, now: float) -> None:
        cpu = self.cpu
        used = now - self._since
        self._since = now
        task.account.cpu_s += used
        if task.account.limited:
            cpu.budget -= used
        used = used * cpu.speed - self._cost
        if used >= 0.0:
            task.left -= used
            self._cost = 0.0
        else:
            self._cost = -used

    def _computed(self) -> None:
        cpu, task = self.cpu, self._task
        now = cpu.clock.now
        if now != self._due or not self.steady:
            return  # it had to make way before that
        assert task is not None
        self.steady = False
        self._account(task, now)
        if not (task.over() if task.left <= NOTHING_LEFT else task.paused()):
            self._next()
            return
        if self.woken or self.rest or cpu.budget <= 0.0:
            ran = now - self.began
            if (now >= self._turn_ends or (self.woken and ran >= cpu.physics.protected_s)) and task.gives_way:
                task.queued_at = now
                self.rest.append(task)
                self._next()
                return
        if now >= self._turn_ends:
            self.began = now
            self._turn_ends = now + cpu.turn()
        self._compute(task, now)

    @property
    def gives_way(self) -> bool:
        return self._task is not None and self._task.gives_way

    def make_way(self) -> None:
        """Somebody was woken."""
        task = self._task
        assert task is not None
        now = self.cpu.clock.now
        self.steady = False
        self._account(task, now)
        if task.left <= NOTHING_LEFT:
            task.left = NOTHING_LEFT
        task.queued_at = now
        self.rest.append(task)
        self._next()

    def _next(self) -> None:
        cpu = self.cpu
        woken, rest, grace_s = self.woken, self.rest, cpu.physics.grace_s
        while True:
            if woken and not (rest and rest[0].queued_at + grace_s < woken[0].queued_at):
                task = woken.popleft()
            elif rest:
                task = rest.popleft()
            else:
                found = cpu.pull()
                if found is None:
                    break
                task = found
            if cpu.budget <= 0.0 and task.account.limited:
                cpu.throttle(task)
            elif self._turn_to(task):
                return
        self._task = None
        self.idle = True
        self.idle_since = cpu.clock.now
        cpu.idle.append(self)


class Cpu:
    """`cores` cores. `speed` may change with time. quota: cores that the accounts which are `limited` may use together,
    in periods of 100 ms as the kernel does it; None: no limit.

    Who is woken goes to the core where it ran last, or to one that is idle; but while most of the CPU is in use the
    kernel does not always look for that (kernel/sched/fair.c:select_idle_cpu, SIS_UTIL). A core that runs out of work
    takes what was woken elsewhere, and each tick puts work on idle cores.
    """

    def __init__(
        self, clock: Clock, cores: int, physics: Physics, random_: random.Random, quota: float | None = None
    ) -> None:
        self.clock = clock
        self.cores = cores
        self.physics = physics
        self.speed = 1.0
        self.quota = quota
        self.budget = float("inf") if quota is None else quota * PERIOD_S
        self.throttled_s = 0.0
        self.all = [Core(self) for _ in range(cores)]
        self.idle = list(self.all)
        self._used = 0.0  # the share of the cores in use, of late
        self.polls = 0.0  # a second, of late: looks at an interpreter lock that was not free
        self.polled = 0
        self._chance = random_.random
        self._throttled: list[Task] = []
        self._throttled_since = 0.0
        clock.after(TICK_S, self._tick)
        if quota is not None:
            clock.after(PERIOD_S, self._refill)

    @property
    def usable(self) -> float:
        return self.cores if self.quota is None else min(self.cores, self.quota)

    def submit(self, task: Task) -> None:
        task.queued_at = self.clock.now
        if self.budget <= 0.0 and task.account.limited:
            self.throttle(task)
            return
        core = task.core
        if core is not None and core.idle:
            core.wake(task)
        elif self.idle and (core is None or self._used < self.physics.busy or self._chance() >= self.physics.stay):
            self.idle[-1].wake(task)
        else:
            core = core or min(self.all, key=lambda each: len(each.woken) + len(each.rest))
            if task.gives_way:
                core.woken.append(task)
            else:
                core.woken.appendleft(task)
            if core.steady and self.clock.now - core.began >= self.physics.protected_s and core.gives_way:
                core.make_way()

    def turn(self) -> float:
        """How long a task computes until the kernel looks whether others wait: until the next tick, or until somebody
        is woken for a moment; of those who look for the interpreter lock, `submit` is not told."""
        rate = self.polls / self.cores
        tick_s = self.physics.slice_s
        if rate <= 0.0:
            return tick_s
        turn = self.physics.protected_s + 1 / rate
        return turn if turn < tick_s else tick_s

    def pull(self) -> Task | None:
        """What waits elsewhere to run."""
        for core in self.all:
            if core.woken:
                return core.woken.popleft()
        return None

    def _tick(self) -> None:
        self.clock.after(TICK_S, self._tick)
        self.polls += (self.polled / TICK_S - self.polls) * TICK_S / MEMORY_S
        self.polled = 0
        self._used += (1 - len(self.idle) / self.cores - self._used) * TICK_S / MEMORY_S
        waiting = [len(each.woken) + len(each.rest) for each in self.all]
        most = max(waiting)
        if not most:
            return
        busiest = self.all[waiting.index(most)]
        if self.idle:
            self._spread()
        elif most - min(waiting) > 1:
            moved = busiest.rest.pop() if busiest.rest else busiest.woken.pop()
            self.all[waiting.index(min(waiting))].rest.append(moved)

    def _spread(self) -> None:
        """Each idle core takes one task from the longest run queue."""
        while self.idle:
            busiest = max(self.all, key=lambda each: len(each.woken) + len(each.rest))
            if not (busiest.woken or busiest.rest):
                return
            task = (busiest.woken or busiest.rest).popleft()
            since = task.queued_at
            self.idle[-1].wake(task)
            task.queued_at = since

    def throttle(self, task: Task) -> None:
        if not self._throttled:
            self._throttled_since = self.clock.now
        self._throttled.append(task)

    def _refill(self) -> None:
        assert self.quota is not None
        self.clock.after(PERIOD_S, self._refill)
        amount = self.quota * PERIOD_S
        self.budget = min(amount, self.budget + amount)
        if self.budget > 0.0 and self._throttled:
            self.throttled_s += self.clock.now - self._throttled_since
            waiting, self._throttled = self._throttled, []
            for task in waiting:
                since = task.queued_at
                self.submit(task)
                task.queued_at = since
