"""One Sample a second from a simulated pod, with the noise that a real one has."""

from collections.abc import Mapping
from dataclasses import replace

from tests.simulator.pod import Pod, Process
from uwsgi_autopilot.api.sample import Census, Sample

LOOKS_PER_S = 20
STATES = ("run", "io", "lock", "pool")


class Observer:
    """`noise`: standard deviation of the machine's speed from one second to the next. `unseen`: fields that this
    machine cannot read, all None."""

    def __init__(
        self,
        pod: Pod,
        *,
        noise: float = 0.03,
        memory_limit: int | None = None,
        unseen: Mapping[str, None] | None = None,
    ) -> None:
        self.pod = pod
        self.noise = noise
        self.memory_limit = memory_limit
        self.unseen = unseen or {}
        self.seq = 0
        self._cpu: dict[Process, tuple[float, float]] = {}

    def second(self) -> Sample:
        pod, clock = self.pod, self.pod.clock
        pod.cpu.speed = max(0.5, pod.random.gauss(1.0, self.noise))
        settled = pod.settled
        generation, shape = pod.generation, pod.shape
        requests, service = pod.done, pod.service_s
        front, foreign = pod.front.cpu_s, pod.foreign.cpu_s
        self._cpu = {each: (each.account.cpu_s, each.account.waited_s) for each in (*pod.live, *pod.retiring)}
        counts = dict.fromkeys(STATES, 0)
        idle = queued = most = 0
        for _ in range(LOOKS_PER_S):
            clock.run_until(clock.now + 1 / LOOKS_PER_S)
            for process in (*pod.live, *pod.retiring):
                for thread in process.busy:
                    counts[thread.state] += 1
                idle += process.free
                if process not in self._cpu:
                    self._cpu[process] = (0.0, 0.0)
            queued += len(pod.queue)
            most = max(most, len(pod.queue))
        self.seq += 1
        used = {each: each.account.cpu_s - before[0] for each, before in self._cpu.items()}
        waited = sum(each.account.waited_s - before[1] for each, before in self._cpu.items())
        census = Census(
            running=counts["run"] / LOOKS_PER_S,
            io=counts["io"] / LOOKS_PER_S,
            interpreter_lock=counts["lock"] / LOOKS_PER_S,
            application_lock=counts["pool"] / LOOKS_PER_S,
            idle=idle / LOOKS_PER_S,
            looks=sum(counts.values()) + idle,
        )
        sample = Sample(
            seq=self.seq,
            at=1000.0 + clock.now,
            seconds=1.0,
            generation=pod.generation,
            shape=pod.shape,
            settled=settled and pod.settled and generation == pod.generation and shape == pod.shape,
            requests=pod.done - requests,
            queue_mean=queued / LOOKS_PER_S,
            queue_max=most,
            busy=census.busy,
            service_s=pod.service_s - service,
            cpu_s=sum(used.values()),
            worker_cpu=max(used.values(), default=0.0),
            runqueue_s=waited,
            foreign_cpu=(pod.front.cpu_s - front) / 2 + pod.foreign.cpu_s - foreign,
            cores=float(pod.cpu.cores),
            memory_bytes=12_000_000 + 25_000_000 * (len(pod.live) + len(pod.retiring)),
            memory_limit=self.memory_limit,
            worker_bytes=25_000_000,
            census=census,
        )
        return replace(sample, **self.unseen)
