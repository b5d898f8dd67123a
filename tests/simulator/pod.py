"""The pod: workers behind one accept queue, clients in front, and changes of the shape that take time."""

import random
from collections import deque

from tests.simulator.change import Changes
from tests.simulator.front import Clients, Front
from tests.simulator.generation import Generation
from tests.simulator.machine import Account, Clock, Cpu, Task
from tests.simulator.physics import PHYSICS, Physics
from tests.simulator.worker import Process, Request, Thread
from tests.simulator.workload import Python, Step, Workload
from uwsgi_autopilot.api.shape import Shape

BASE_BYTES = 12_000_000
WORKER_BYTES = 25_000_000
# The first requests of a worker find cold caches: each costs half of what the one before cost on top.
WARM_REQUESTS = 6
RESPAWN_S = 1.0


class Backend:
    """What the waits wait for; several pods may share one. waits: in progress."""

    def __init__(self) -> None:
        self.waits = 0


class Pod:
    """`clients` closed-loop clients without think time, or arrivals at `rate` a second. cores: of the machine; quota:
    those that the application may use (None: all). import_s: CPU that a new generation burns before it serves.
    warm_s: CPU that the first request of each worker costs more than the others; the next ones half of that each.
    """

    def __init__(
        self, workload: Workload, shape: Shape, *, clients: int = 0, rate: float = 0.0, evenly: bool = False,
        cores: int = 2, quota: float | None = None, front_s: float | None = None, seed: int = 1, retries: int = 0,
        patience_s: float | None = None, import_s: float = 0.25, warm_s: float = 0.01, memory_limit: int | None = None,
        backend: Backend | None = None, physics: Physics = PHYSICS,
    ) -> None:  # fmt: skip
        self.random = random.Random(seed)
        self.clock = Clock()
        self.physics = physics
        self.cpu = Cpu(self.clock, cores, physics, self.random, quota)
        self.workload = workload
        self.warm_s = warm_s
        self.memory_limit = memory_limit
        self.wait_factor = 1.0
        self.backend = backend or Backend()
        self.limit_left = workload.limit
        self.limit_waiters: deque[Thread] = deque()
        self.front = Front(self, physics.front_s if front_s is None else front_s)
        self.foreign = Account()
        self.running_neighbours = self.wanted_neighbours = 0
        self.queue: deque[Request] = deque()
        self.in_service = 0
        self.done = self.errors = self.timeouts = self.kills = 0
        self.service_s = 0.0
        self.times: list[tuple[float, float]] = []
        self.serving = Generation(self, 1, shape.processes, shape.threads)
        self.leaving: list[Generation] = []
        self.changes = Changes(self, import_s)
        self.load = Clients(self, retries=retries, patience_s=patience_s)
        self.set_clients(clients)
        self.set_rate(rate, evenly=evenly)

    @property
    def live(self) -> list[Process]:
        return self.serving.processes

    @property
    def retiring(self) -> list[Process]:
        """Workers that end with the requests that they have."""
        return [
            *self.serving.leaving,
            *(each for old in self.leaving for each in (*old.processes, *old.leaving) if each.busy),
        ]

    @property
    def threads(self) -> int:
        return self.serving.threads

    @property
    def generation(self) -> int:
        return self.serving.number

    @property
    def shape(self) -> Shape:
        return Shape(len(self.serving.processes), self.serving.threads)

    @property
    def changing(self) -> bool:
        return self.changes.in_progress

    @property
    def settled(self) -> bool:
        return not self.changes.in_progress and not self.leaving and not self.serving.leaving

    @property
    def worker_bytes(self) -> int:
        """The largest worker."""
        return WORKER_BYTES + max((each.leaked for each in self.live), default=0)

    @property
    def memory_bytes(self) -> int:
        workers = [*self.live, *self.retiring]
        return BASE_BYTES + sum(WORKER_BYTES + each.leaked for each in workers)

    @property
    def oldest_s(self) -> float:
        """Age of the oldest request in service."""
        since = [
            thread.request.accepted_at
            for process in (*self.live, *self.retiring)
            for thread in process.busy
            if thread.request is not None
        ]
        return self.clock.now - min(since, default=self.clock.now)

    @property
    def clients(self) -> int:
        return self.load.present

    # What happens to it

    def set_clients(self, clients: int) -> None:
        self.load.set_number(clients)

    def set_rate(self, rate: float, *, evenly: bool = False) -> None:
        self.load.set_rate(rate, evenly=evenly)

    def change(self, shape: Shape, seconds: float = 1.0) -> None:
        """That shape serves after `seconds`, whatever it takes; `changes.ask` does it as the agent can."""
        self.changes.force(shape, seconds)

    def set_workload(self, workload: Workload) -> None:
        """New requests do something else from now on; pools keep their size per process."""
        self.workload = workload
        if workload.limit is None or self.limit_left is None:
            self.limit_left = workload.limit
        for process in self.live:
            if workload.pool is None or process.pool_left is None:
                process.pool_left = workload.pool

    def neighbours(self, count: int) -> None:
        """So many busy loops of somebody else on the same cores from now on."""
        self.wanted_neighbours = count
        while self.running_neighbours < count:
            self.running_neighbours += 1
            self.cpu.submit(Neighbour(self))

    # What its parts tell it

    def arrived(self, requests: list[Request]) -> None:
        """nginx has connected for them."""
        now = self.clock.now
        for request in requests:
            request.queued_at = now
        self.queue.extend(requests)
        self.notice()

    def notice(self) -> None:
        """Somebody may take a request."""
        if self.queue:
            self.serving.notice()

    def draw(self, process: Process) -> list[Step]:
        """What a request does that this worker has accepted."""
        steps = self.workload.draw(self.random)
        if process.served < WARM_REQUESTS and self.warm_s > 0:
            steps.insert(0, Python(self.warm_s * 0.5**process.served))
        return steps

    def answered(self, request: Request, process: Process) -> None:
        now, workload = self.clock.now, self.workload
        self.in_service -= 1
        self.done += 1
        self.service_s += now - request.accepted_at
        failed = request.lost or (workload.errors > 0 and self.random.random() < workload.errors)
        self.errors += failed
        if not request.abandoned:
            self.times.append((now - request.sent_at, now - request.queued_at))
        if workload.leak_bytes:
            process.leaked += workload.leak_bytes
            if self.memory_limit is not None and self.memory_bytes > self.memory_limit:
                self._out_of_memory()
        self.load.got(request, failed=failed)

    def _out_of_memory(self) -> None:
        """The kernel kills the largest worker, and uWSGI starts another."""
        largest = max(self.live, key=lambda process: process.leaked)
        self.kills += 1
        for thread in largest.busy:
            if thread.request is not None:
                thread.request.lost = True
        self.serving.let_go(largest)
        largest.leaked = 0
        serving = self.serving
        self.clock.after(RESPAWN_S, lambda: None if serving.retired else serving.more(1))

    def gone(self, generation: Generation) -> None:
        """The last of its requests has been answered."""
        self.leaving.remove(generation)
        self.changes.last_at = self.clock.now


class Neighbour(Task):
    """A busy loop."""

    __slots__ = ("_pod",)

    def __init__(self, pod: Pod) -> None:
        super().__init__(pod.foreign, pod.physics.slice_s)
        self._pod = pod

    def over(self) -> bool:
        pod = self._pod
        if pod.running_neighbours > pod.wanted_neighbours:
            pod.running_neighbours -= 1
            return False
        self.left = pod.physics.slice_s
        return True
