"""Processes of threads behind one accept queue, clients in front, and changes of the shape that take time."""

import random
from collections import deque

from tests.simulator.machine import Account, Clock, Cpu, Task
from tests.simulator.workload import Native, Python, Step, Wait, Workload
from uwsgi_autopilot.api.shape import Shape

SWITCH_INTERVAL_S = 0.005  # sys.getswitchinterval()
# From the release of a wanted interpreter lock until the thread that sleeps for it runs: nobody of the process computes
# meanwhile, and with as many processes as cores a core is idle. Fitted to 20 ms wait + 2 ms CPU: 1x16 329 requests/s.
WAKE_S = 0.0002
# CPU lost when the lock is taken from a thread that wanted to go on while other threads wait for a core. Fitted to 5 ms
# of pure Python CPU on two cores: 1x8 serves as much as 1x1, but 4x8 a quarter less than 4x1.
FORCED_CROWDED_S = 0.0018


class Request:
    __slots__ = ("arrived", "client", "steps")

    def __init__(self, steps: list[Step], client: bool, arrived: float) -> None:
        self.steps = steps
        self.client = client
        self.arrived = arrived


class Process:
    """One worker: its threads, its interpreter lock, its pool."""

    def __init__(self, pod: "Pod", threads: int) -> None:
        self.pod = pod
        self.free = threads
        self.threads = threads
        self.account = Account()
        self.accepting = True
        self.lock_holder: Thread | None = None
        self.lock_waiters: deque[Thread] = deque()
        self.lock_since = 0.0
        self.pool_left = pod.workload.pool
        self.pool_waiters: deque[Thread] = deque()
        self.busy: set[Thread] = set()

    def take_lock(self, thread: "Thread") -> None:
        if self.lock_holder is None:
            self._own(thread, 0.0)
        else:
            thread.state = "lock"
            self.lock_waiters.append(thread)

    def _own(self, thread: "Thread", cost: float) -> None:
        self.lock_holder = thread
        self.lock_since = self.pod.clock.now
        thread.state = "run"
        thread.owns_lock(cost)

    def drop_lock(self, forced: bool = False) -> None:
        if not self.lock_waiters:
            self.lock_holder = None
            return
        heir = self.lock_holder = self.lock_waiters.popleft()
        cost = FORCED_CROWDED_S if forced and self.pod.cpu.crowded else 0.0
        self.pod.clock.after(WAKE_S, lambda: self._own(heir, cost))


class Thread:
    """One request in service."""

    __slots__ = ("index", "left", "process", "request", "started", "state")

    def __init__(self, process: Process, request: Request) -> None:
        self.process = process
        self.request = request
        self.index = -1
        self.left = 0.0
        self.state = "run"
        self.started = process.pod.clock.now

    def next(self) -> None:
        self.index += 1
        process = self.process
        if self.index >= len(self.request.steps):
            process.pod.finished(self)
            return
        step = self.request.steps[self.index]
        if isinstance(step, Python):
            self.left = step.seconds
            process.take_lock(self)
        elif isinstance(step, Native):
            self.state = "run"
            process.pod.cpu.submit(Task(step.seconds, process.account, self.next, None))
        elif step.pooled and process.pool_left is not None and process.pool_left <= 0:
            self.state = "pool"
            process.pool_waiters.append(self)
        else:
            if step.pooled and process.pool_left is not None:
                process.pool_left -= 1
            self.wait(step)

    def wait(self, step: Wait) -> None:
        pod = self.process.pod
        self.state = "io"
        pod.waits += 1
        factor = step.slowdown(pod.waits) if step.slowdown else 1.0
        pod.clock.after(step.seconds * factor * pod.wait_factor, lambda: self.waited(step))

    def waited(self, step: Wait) -> None:
        process = self.process
        process.pod.waits -= 1
        if step.pooled and process.pool_left is not None:
            if process.pool_waiters:
                heir = process.pool_waiters.popleft()
                heir_step = heir.request.steps[heir.index]
                assert isinstance(heir_step, Wait)
                heir.wait(heir_step)
            else:
                process.pool_left += 1
        self.next()

    def owns_lock(self, cost: float) -> None:
        task = Task(self.left + cost, self.process.account, self.computed, self.may_go_on)
        self.process.pod.cpu.submit(task)

    def may_go_on(self, task: Task) -> bool:
        process = self.process
        if not process.lock_waiters or process.pod.clock.now - process.lock_since < SWITCH_INTERVAL_S:
            return True
        self.left = task.left
        self.state = "lock"
        process.lock_waiters.append(self)
        process.drop_lock(forced=True)
        return False

    def computed(self) -> None:
        self.process.drop_lock()
        self.next()


class Pod:
    """`clients` closed-loop clients without think time, or Poisson arrivals at `rate` a second."""

    def __init__(
        self,
        workload: Workload,
        shape: Shape,
        *,
        clients: int = 0,
        rate: float = 0.0,
        cores: int = 2,
        front_s: float = 0.0001,
        seed: int = 1,
    ) -> None:
        self.random = random.Random(seed)
        self.clock = Clock()
        self.cpu = Cpu(self.clock, cores)
        self.workload = workload
        self.wait_factor = 1.0
        self.front_s = front_s
        self.front = Account()
        self.foreign = Account()
        self.running_neighbours = self.wanted_neighbours = 0
        self.waits = 0
        self.queue: deque[Request] = deque()
        self.generation = 1
        self.threads = shape.threads
        self.live = [Process(self, shape.threads) for _ in range(shape.processes)]
        self.retiring: list[Process] = []
        self.changing = False
        self.done = 0
        self.service_s = 0.0
        self.clients = 0
        self.wanted_clients = 0
        self.rate = 0.0
        self.set_clients(clients)
        self.set_rate(rate)

    @property
    def shape(self) -> Shape:
        return Shape(len(self.live), self.threads)

    @property
    def settled(self) -> bool:
        return not self.changing and not self.retiring

    def neighbours(self, count: int) -> None:
        """So many busy loops of somebody else on the same cores from now on."""
        self.wanted_neighbours = count
        while self.running_neighbours < count:
            self.running_neighbours += 1
            self._loop()

    def _loop(self) -> None:
        if self.running_neighbours > self.wanted_neighbours:
            self.running_neighbours -= 1
            return
        self.cpu.submit(Task(0.003, self.foreign, self._loop, None))

    def set_clients(self, clients: int) -> None:
        self.wanted_clients = clients
        while self.clients < clients:
            self.clients += 1
            self._arrive(client=True)

    def set_rate(self, rate: float) -> None:
        was, self.rate = self.rate, rate
        if rate > 0 and was <= 0:
            self._poisson()

    def _poisson(self) -> None:
        if self.rate <= 0:
            return
        self._arrive(client=False)
        self.clock.after(self.random.expovariate(self.rate), self._poisson)

    def _arrive(self, client: bool) -> None:
        work = self.front_s * self.random.uniform(0.7, 1.3)
        self.cpu.submit(Task(work, self.front, lambda: self._queued(client), None))

    def _queued(self, client: bool) -> None:
        self.queue.append(Request(self.workload.draw(self.random), client, self.clock.now))
        self.dispatch()

    def dispatch(self) -> None:
        """Whichever idle thread wakes first takes the request: any idle thread is as likely as any other."""
        while self.queue:
            free = [process for process in self.live if process.accepting and process.free > 0]
            if not free:
                return
            weights = [process.free for process in free]
            process = self.random.choices(free, weights)[0] if len(free) > 1 else free[0]
            process.free -= 1
            thread = Thread(process, self.queue.popleft())
            process.busy.add(thread)
            thread.next()

    def finished(self, thread: Thread) -> None:
        process = thread.process
        process.busy.discard(thread)
        process.free += 1
        self.done += 1
        self.service_s += self.clock.now - thread.started
        if process in self.retiring and not process.busy:
            self.retiring.remove(process)
        if thread.request.client:
            if self.clients > self.wanted_clients:
                self.clients -= 1
            else:
                self._arrive(client=True)
        self.dispatch()

    def change(self, shape: Shape, seconds: float = 1.0) -> None:
        """Ask for a shape: it serves after `seconds`. Same threads: workers come and go; else an overlap swap."""
        self.changing = True
        self.clock.after(seconds, lambda: self._changed(shape))

    def _changed(self, shape: Shape) -> None:
        self.changing = False
        if shape.threads == self.threads:
            gone, self.live = self.live[shape.processes :], self.live[: shape.processes]
            self.live += [Process(self, shape.threads) for _ in range(shape.processes - len(self.live))]
        else:
            self.generation += 1
            self.threads = shape.threads
            gone, self.live = self.live, [Process(self, shape.threads) for _ in range(shape.processes)]
        for process in gone:
            process.accepting = False
            if process.busy:
                self.retiring.append(process)
        self.dispatch()

    def set_workload(self, workload: Workload) -> None:
        """New requests do something else from now on; pools keep their size per process."""
        self.workload = workload
        for process in self.live:
            if workload.pool is None or process.pool_left is None:
                process.pool_left = workload.pool
