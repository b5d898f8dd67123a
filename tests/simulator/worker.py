"""A worker: its threads, its interpreter lock and its pool of connections.

CPython 3.11's lock (Python/ceval_gil.h): who lets go of it wakes the one that waits longest, but whoever of the process
gets a core first takes it, and the other sleeps again. Who has waited 5 ms asks for it, and the holder gives it up.
"""

from collections import deque
from typing import TYPE_CHECKING

from tests.simulator.machine import Account, Task
from tests.simulator.physics import SWITCH_INTERVAL_S
from tests.simulator.workload import Native, Python, Step, Wait

if TYPE_CHECKING:
    from tests.simulator.generation import Generation

# What a thread does when it gets a core.
COMPUTES, LOCKS, STEPS, ACCEPTS = range(4)


class Request:
    """sent_at: when it was due. queued_at: since when it waits for a worker. accepted_at: since when it is in service.
    abandoned: nobody waits for it any more. lost: its worker was killed."""

    __slots__ = (
        "abandoned", "accepted_at", "answered", "closed_loop", "lost", "queued_at", "sent_at", "steps", "tries",
    )  # fmt: skip

    def __init__(self, sent_at: float, *, closed_loop: bool, tries: int = 1) -> None:
        self.sent_at = sent_at
        self.closed_loop = closed_loop
        self.tries = tries
        self.abandoned = self.answered = self.lost = False
        self.queued_at = self.accepted_at = 0.0
        self.steps: list[Step] = []


class Process:
    """busy: its threads that serve a request. gone: it is to take no more of them."""

    def __init__(self, generation: "Generation", threads: int) -> None:
        self.pod = generation.pod
        self.generation = generation
        self.account = Account(limited=True)
        self.threads = [Thread(self) for _ in range(threads)]
        self.busy: set[Thread] = set()
        self.holder: Thread | None = None
        self.waiters: deque[Thread] = deque()
        self.give_up_at = 0.0
        self.pool_left = self.pod.workload.pool
        self.pool_waiters: deque[Thread] = deque()
        self.served = self.leaked = 0
        self.gone = False

    def take_lock(self, thread: "Thread") -> bool:
        now = self.pod.clock.now
        if self.holder is None:
            self.holder = thread
            self.give_up_at = now + SWITCH_INTERVAL_S
            return True
        if not self.waiters:
            self.give_up_at = max(self.give_up_at, now + SWITCH_INTERVAL_S)
        thread.state = "lock"
        thread.mode = LOCKS
        thread.waits_since = now
        self.waiters.append(thread)
        return False

    def drop_lock(self) -> None:
        self.holder = None
        if self.waiters:
            heir = self.waiters.popleft()
            heir.state = "run"
            polls = int((self.pod.clock.now - heir.waits_since) / SWITCH_INTERVAL_S)
            if polls:
                heir.left += self.pod.physics.poll_s * polls
                self.pod.cpu.polled += polls
            self.pod.cpu.submit(heir)


class Thread(Task):
    """One slot. state: what the census calls it."""

    __slots__ = ("index", "mode", "process", "request", "state", "waits_since")

    def __init__(self, process: Process) -> None:
        super().__init__(process.account)
        self.process = process
        self.request: Request | None = None
        self.index = 0
        self.mode = ACCEPTS
        self.state = "idle"
        self.waits_since = 0.0

    # What a core asks

    def begin(self) -> bool:
        mode = self.mode
        if mode == COMPUTES:
            return True
        if mode == LOCKS:
            if not self.process.take_lock(self):
                return False
            self.mode = COMPUTES
            return True
        if mode == STEPS:
            return self.step()
        return True

    def over(self) -> bool:
        if self.mode == ACCEPTS:
            return self.process.generation.accept(self)
        process = self.process
        if process.holder is self:
            process.drop_lock()
        self.index += 1
        return self.step()

    def paused(self) -> bool:
        process = self.process
        if process.holder is not self or not process.waiters or process.pod.clock.now < process.give_up_at:
            return True
        process.holder = None
        heir = process.waiters[0]
        process.drop_lock()
        self.state = "lock"
        self.mode = LOCKS
        self.waits_since = process.pod.clock.now
        process.waiters.append(self)
        assert heir is not self
        return False

    # What the request asks

    def step(self) -> bool:
        """Begin the request's next step. True: it computes."""
        request, process = self.request, self.process
        assert request is not None
        steps = request.steps
        if self.index >= len(steps):
            return process.generation.finished(self)
        step = steps[self.index]
        kind = step.__class__
        if kind is Python:
            self.left = step.seconds
            self.mode = COMPUTES
            return process.take_lock(self)
        if kind is Native:
            self.left = step.seconds
            self.mode = COMPUTES
            return True
        assert isinstance(step, Wait)
        if step.pooled and process.pool_left is not None:
            if process.pool_left <= 0:
                self.state = "pool"
                process.pool_waiters.append(self)
                return False
            process.pool_left -= 1
        self.wait(step)
        return False

    def wait(self, step: Wait) -> None:
        pod = self.process.pod
        self.state = "io"
        self.mode = STEPS
        if step.limited and pod.limit_left is not None:
            if pod.limit_left <= 0:
                pod.limit_waiters.append(self)
                return
            pod.limit_left -= 1
        backend = pod.backend
        backend.waits += 1
        factor = step.slowdown(backend.waits) * pod.wait_factor if step.slowdown else pod.wait_factor
        pod.clock.after(step.seconds * factor, self.waited)

    def waited(self) -> None:
        request, process = self.request, self.process
        assert request is not None
        pod = process.pod
        step = request.steps[self.index]
        assert isinstance(step, Wait)
        pod.backend.waits -= 1
        if step.limited and pod.limit_left is not None:
            pod.limit_left += 1
            if pod.limit_waiters:
                _begin_wait(pod.limit_waiters.popleft())
        if step.pooled and process.pool_left is not None:
            process.pool_left += 1
            if process.pool_waiters:
                process.pool_left -= 1
                _begin_wait(process.pool_waiters.popleft())
        self.index += 1
        self.state = "run"
        pod.cpu.submit(self)


def _begin_wait(thread: Thread) -> None:
    """Its turn has come; that it has to be woken for that is left out."""
    request = thread.request
    assert request is not None
    step = request.steps[thread.index]
    assert isinstance(step, Wait)
    thread.wait(step)
