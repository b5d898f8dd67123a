"""A generation of workers, and how its idle threads share one accept queue.

With `thunder-lock` one thread at a time may take a request: it sleeps in epoll while there is none. It hands that right
to the thread that waited longest for it, of whichever worker, and that one has to get a core first.
"""

from collections import deque
from typing import TYPE_CHECKING

from tests.simulator.worker import ACCEPTS, Process, Thread

if TYPE_CHECKING:
    from tests.simulator.pod import Pod

CROWD = 16


class Generation:
    """leaving: workers that end with their requests. acceptor: the thread that may take the next request; asleep: it
    waits for one."""

    def __init__(self, pod: "Pod", number: int, processes: int, threads: int) -> None:
        self.pod = pod
        self.number = number
        self.threads = threads
        self.processes: list[Process] = []
        self.leaving: list[Process] = []
        self.idle: deque[Thread] = deque()
        self.acceptor: Thread | None = None
        self.asleep = self.retired = False
        self.more(processes)

    def more(self, processes: int) -> None:
        fresh = [Process(self, self.threads) for _ in range(processes)]
        self.processes += fresh
        # As long as few processes share a core's cache, one finds most of what it left there.
        cold_s = self.pod.physics.cold_s * self.pod.workload.footprint * min(1.0, (len(self.processes) - 1) / CROWD)
        for process in self.processes:
            process.account.cold_s = cold_s
        threads = [thread for process in fresh for thread in process.threads]
        self.pod.random.shuffle(threads)
        self.idle.extend(threads)
        if self.acceptor is None:
            self._hand_on()

    def let_go(self, process: Process) -> None:
        """It takes no more requests, and ends with those that it has."""
        self.processes.remove(process)
        process.gone = True
        self.idle = deque(thread for thread in self.idle if thread.process is not process)
        if self.asleep and self.acceptor is not None and self.acceptor.process is process:
            self._hand_on()
        if process.busy:
            self.leaving.append(process)

    def retire(self) -> None:
        self.retired = True
        self.idle.clear()

    @property
    def busy(self) -> int:
        return sum(len(process.busy) for process in (*self.processes, *self.leaving))

    def notice(self) -> None:
        """There is a request in the queue."""
        thread = self.acceptor
        if self.asleep and not self.retired and thread is not None:
            self._wake(thread)

    def _wake(self, thread: Thread) -> None:
        self.asleep = False
        thread.state = "run"
        thread.mode = ACCEPTS
        thread.left = self.pod.physics.accept_s
        self.pod.cpu.submit(thread)

    def _hand_on(self) -> None:
        """The next in line may take a request."""
        if self.idle:
            self.acceptor = self.idle.popleft()
            if self.pod.queue:
                self._wake(self.acceptor)
            else:
                self.asleep = True
        else:
            self.acceptor = None
            self.asleep = False

    def accept(self, thread: Thread) -> bool:
        """It has a core, and may take a request."""
        pod = self.pod
        if self.retired or thread.process.gone:
            thread.state = "idle"
            if not self.retired:
                self._hand_on()
            return False
        if not pod.queue:
            thread.state = "idle"
            self.asleep = True
            return False
        request = thread.request = pod.queue.popleft()
        self._hand_on()
        request.accepted_at = pod.clock.now
        process = thread.process
        request.steps = pod.draw(process)
        process.busy.add(thread)
        pod.in_service += 1
        thread.index = 0
        thread.state = "run"
        return thread.step()

    def finished(self, thread: Thread) -> bool:
        """Its request has been answered. True: it takes the next one at once."""
        pod, process = self.pod, thread.process
        process.busy.discard(thread)
        process.served += 1
        request, thread.request = thread.request, None
        assert request is not None
        thread.state = "idle"
        pod.answered(request, process)
        if self.retired:
            if not self.busy:
                pod.gone(self)
            return False
        if process.gone:
            if not process.busy:
                self.leaving.remove(process)
            return False
        if self.acceptor is not None:
            self.idle.append(thread)
            return False
        self.acceptor = thread
        if not pod.queue:
            self.asleep = True
            return False
        self.asleep = False
        thread.state = "run"
        thread.mode = ACCEPTS
        thread.left = pod.physics.accept_s
        return True
