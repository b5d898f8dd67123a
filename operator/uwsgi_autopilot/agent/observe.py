"""See what the application does: sub-samples ten times a second, one Sample a second.

Counters restart with each generation, and two run during an overlap. So every counter is kept per generation and
only what it grew is added: sums never go backwards.
"""

import os
import time

from uwsgi_autopilot.agent.accesslog import AccessLog, LogWindow
from uwsgi_autopilot.agent.change import Fleet
from uwsgi_autopilot.agent.memory import MemoryUse
from uwsgi_autopilot.api.agentconfig import AgentConfig
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.kernel.census import ThreadCensus
from uwsgi_autopilot.kernel.cgroup import Cgroup, usable_cores
from uwsgi_autopilot.kernel.process import MachineCpu, cpu_seconds, machine_cpu, pss_bytes, runqueue_seconds
from uwsgi_autopilot.kernel.sockdiag import SocketDiagnostics, UnixSocketLoad, proc_net_unix
from uwsgi_autopilot.tuner.sample import Census, Sample

# Measured: 12 looks cost 0.17 ms, so ten times a second a fifth of a percent of a core.
LOOKS_PER_TICK = 12
# schedstat of one thread costs about 0.02 ms.
SCHEDSTAT_THREADS = 64
PSS_SECONDS = 10.0


class _Growth:
    """The sum of what per-key counters grew since the last `take`."""

    def __init__(self) -> None:
        self._last: dict[object, float] = {}
        self._sum = 0.0

    def saw(self, key: object, value: float) -> float:
        """A first sight counts whole: counters start at 0 with their owner. Returns how much it grew."""
        grown = max(0.0, value - self._last.get(key, 0.0))
        self._last[key] = value
        self._sum += grown
        return grown

    def forget_all_but(self, keys: set[object]) -> None:
        self._last = {key: value for key, value in self._last.items() if key in keys}

    def take(self) -> float:
        grown, self._sum = self._sum, 0.0
        return grown


class Observer:
    """`tick` ten times a second, `sample` once a second; both from the main loop."""

    def __init__(self, config: AgentConfig) -> None:
        self.config = config
        self.cgroup = Cgroup()
        self.access_log = AccessLog(config.log_socket) if config.log_socket else None
        self.worker_bytes: int | None = None
        self.master_bytes = 0
        self.queue: int | None = None
        self.in_service: int | None = None
        self.total_requests = 0.0
        self.finished = 0.0  # of the last second, the agent's own among them
        self._diagnostics = _open_diagnostics()
        self._census = ThreadCensus()
        self._requests, self._service_us, self._cpu, self._runqueue = _Growth(), _Growth(), _Growth(), _Growth()
        self._pss: dict[int, int] = {}
        self._next_pss = 0.0
        self._queues: list[int] = []
        self._busies: list[int] = []
        self._machine: MachineCpu | None = None
        self._throttled: float | None = None
        self._cpu_before: dict[int, float] = {}
        self._last_at = time.monotonic()
        self._seq = 0
        self._last_shape: Shape | None = None
        self._runqueue_seen = True
        self._own = 0.0

    def tick(self, fleet: Fleet) -> None:
        load = self._socket_load()
        if load is not None:
            self.in_service = load.in_service
            if load.queue is not None:
                self.queue = load.queue
                self._queues.append(load.queue)
            self._busies.append(load.in_service)
        if fleet.serving is not None and fleet.serving.stats is not None:
            self._census.look(fleet.serving.workers(), LOOKS_PER_TICK, fleet.serving.shape.threads)

    def sample(self, fleet: Fleet, now: float, *, settled: bool, own: int = 0) -> Sample | None:
        """The Sample of the time since the last call; None before the first generation serves.

        own: questions that the agent itself has begun to ask meanwhile: each becomes a request, and nobody's load.
        """
        seconds = now - self._last_at
        if fleet.serving is None or fleet.shape is None or seconds <= 0:
            return None
        self._last_at = now
        oldest, in_request = self._read_generations(fleet)
        worker_cpu = self._read_workers(fleet, now)
        self.finished = self._requests.take()
        requests = self._without_own(self.finished, own)
        self.total_requests += requests
        log = self.access_log.take(requests, seconds) if self.access_log else LogWindow()
        foreign, steal, cpu = self._machine_load(seconds)
        queues, busies = self._queues or [0], self._busies
        if not any(busies):
            # The connections of an nginx in another network namespace cannot be seen; the stats know the requests.
            busies = [in_request]
            self.in_service = in_request
        cores = usable_cores(self.config.cores or self.cgroup.cpu_quota())
        self._seq += 1
        shape, before = fleet.shape, self._last_shape
        self._last_shape = shape
        sample = Sample(
            seq=self._seq,
            at=round(now, 3),
            seconds=round(seconds, 4),
            generation=fleet.serving.number,
            shape=shape,
            settled=settled and shape == before,
            requests=requests,
            errors=log.errors,
            queue_mean=sum(queues) / len(queues) if self._queues else None,
            queue_max=max(queues) if self._queues else None,
            busy=sum(busies) / len(busies),
            service_s=self._service_us.take() / 1e6,
            cpu_s=cpu,
            worker_cpu=worker_cpu / seconds,
            runqueue_s=self._runqueue.take() if self._runqueue_seen else None,
            throttled_s=self._throttled_growth(),
            foreign_cpu=felt(foreign, cores),
            steal=steal,
            cores=cores,
            oldest_s=oldest,
            memory_bytes=self._memory_used(),
            memory_limit=self.config.memory_limit or self.cgroup.memory_limit(),
            worker_bytes=self.worker_bytes,
            census=self._take_census(),
            latency=log.latency,
            upstream=log.upstream,
            latency_lost=log.lost,
        )
        self._queues, self._busies = [], []
        return sample

    def memory(self) -> MemoryUse | None:
        limit = self.config.memory_limit or self.cgroup.memory_limit()
        used = self._memory_used()
        if limit is None or used is None or not self.worker_bytes:
            return None
        return MemoryUse(used=used, limit=limit, worker=self.worker_bytes, master=self.master_bytes)

    def _without_own(self, requests: float, own: int) -> float:
        """Taken off when something finishes, because nobody can tell which request was ours: the sum is right."""
        self._own += own
        taken = min(requests, self._own)
        self._own -= taken
        return requests - taken

    def _socket_load(self) -> UnixSocketLoad | None:
        if self._diagnostics is not None:
            try:
                return self._diagnostics.unix_socket(self.config.socket)
            except OSError:
                self._diagnostics = None
        return proc_net_unix(self.config.socket)

    def _read_generations(self, fleet: Fleet) -> tuple[float, int]:
        """(age of the oldest request in service in seconds, requests in service) by the stats of all generations."""
        oldest, in_request, keys = 0.0, 0, set[object]()
        clock = time.time()
        for generation in fleet.generations():
            stats = generation.refresh()
            if stats is None:
                keys.update(
                    (generation.number, worker.id) for worker in generation.stats.workers
                ) if generation.stats else None
                continue
            for worker in stats.workers:
                key = (generation.number, worker.id)
                keys.add(key)
                self._requests.saw(key, worker.requests)
                self._service_us.saw(key, worker.running_time_us)
                if worker.live:
                    in_request += worker.in_service
                    if worker.oldest_request_start:
                        oldest = max(oldest, clock - worker.oldest_request_start)
        self._requests.forget_all_but(keys)
        self._service_us.forget_all_but(keys)
        return oldest, in_request

    def _read_workers(self, fleet: Fleet, now: float) -> float:
        """Returns CPU seconds of the busiest worker since the last call."""
        pids = [pid for generation in fleet.generations() for pid in generation.workers()]
        busiest = 0.0
        threads_each = max(1, SCHEDSTAT_THREADS // max(1, len(pids)))
        for pid in pids:
            used = cpu_seconds(pid)
            if used is None:
                continue
            known = pid in self._cpu_before
            grown = self._cpu.saw(pid, used)
            # A worker seen for the first time brings its start-up with it: no sign of load.
            busiest = max(busiest, grown if known else 0.0)
            self._cpu_before[pid] = used
            waited = runqueue_seconds(pid, threads_each)
            self._runqueue_seen = waited is not None
            if waited is not None:
                self._runqueue.saw(pid, waited)
        present: set[object] = set(pids)
        for growth in (self._cpu, self._runqueue):
            growth.forget_all_but(present)
        self._cpu_before = {pid: used for pid, used in self._cpu_before.items() if pid in present}
        self._read_one_pss(fleet, pids, now)
        return busiest

    def _read_one_pss(self, fleet: Fleet, pids: list[int], now: float) -> None:
        """One worker at a time: the kernel walks all of its pages."""
        if now < self._next_pss and len(self._pss) >= len(pids):
            return
        masters = [generation.pid for generation in fleet.generations()]
        self._pss = {pid: size for pid, size in self._pss.items() if pid in pids or pid in masters}
        missing = [pid for pid in (*masters, *pids) if pid not in self._pss]
        turn = missing or pids
        if not turn:
            return
        pid = turn[self._seq % len(turn)]
        size = pss_bytes(pid)
        if size is not None:
            self._pss[pid] = size
            if pid in masters:
                self.master_bytes = size
            else:
                self.worker_bytes = max(self.worker_bytes or 0, size)
        if not missing:
            self._next_pss = now + PSS_SECONDS / max(1, len(pids))

    def _memory_used(self) -> int | None:
        """Under a budget of the manifest the generations' own PSS; else what the cgroup counts."""
        if self.config.memory_limit is None:
            return self.cgroup.memory_usage()
        return sum(self._pss.values()) if self._pss else None

    def _machine_load(self, seconds: float) -> tuple[float, float, float]:
        """(cores used by others, share stolen by the hypervisor, CPU seconds of the workers)."""
        cpu = self._cpu.take()
        machine, before = machine_cpu(), self._machine
        self._machine = machine
        if before is None or machine is None:
            return 0.0, 0.0, cpu
        total = max(1e-9, machine.total_s - before.total_s)
        foreign = max(0.0, machine.busy_s - before.busy_s - cpu) / seconds
        return foreign, (machine.steal_s - before.steal_s) / total, cpu

    def _throttled_growth(self) -> float:
        now, before = self.cgroup.throttled_seconds(), self._throttled
        self._throttled = now
        return max(0.0, now - before) if now is not None and before is not None else 0.0

    def _take_census(self) -> Census | None:
        seen = self._census.take()
        if seen is None:
            return None
        return Census(
            running=seen.running,
            io=seen.io,
            interpreter_lock=seen.interpreter_lock,
            application_lock=seen.application_lock,
            idle=seen.idle,
            looks=seen.looks,
        )


def _open_diagnostics() -> SocketDiagnostics | None:
    """None where the kernel refuses netlink socket diagnostics, as some sandboxes do."""
    try:
        return SocketDiagnostics()
    except OSError:
        return None


def felt(foreign: float, cores: float, machine: float | None = None) -> float:
    """How many of the `cores` that the application may use others take, when they use `foreign` cores of the machine.

    They use what we may not first: with a limit of 1 core on a node of 64, neighbours that use 10 are not felt.
    """
    return max(0.0, foreign - max(0.0, (machine or os.cpu_count() or 1) - cores))
