"""One Sample a second from a simulated pod, with the noise that a real one has."""

from collections.abc import Mapping
from dataclasses import replace

from tests.simulator.look import Look
from tests.simulator.pod import Pod
from tests.simulator.weather import Weather
from tests.simulator.worker import Process
from uwsgi_autopilot.agent.signals.accesslog import TARGET_RATE
from uwsgi_autopilot.api.sample import Sample
from uwsgi_autopilot.report.histogram import bucket_of

LOOKS_PER_S = 10


class Observer:
    """`noise`: standard deviation of the machine's speed, which changes every second and is much like in the second
    before. `unseen`: fields that this machine cannot read, all None."""

    def __init__(
        self,
        pod: Pod,
        *,
        noise: float = 0.03,
        memory_limit: int | None = None,
        unseen: Mapping[str, None] | None = None,
    ) -> None:
        self.pod = pod
        self.weather = Weather(noise, pod.random)
        self.memory_limit = memory_limit
        self.unseen = unseen or {}
        self.seq = 0
        self.look = Look()
        self._last_shape = pod.shape
        self._worker_bytes = 0
        self._share = 1.0
        self._cpu: dict[Process, tuple[float, float]] = {}

    def second(self) -> Sample:
        pod, clock = self.pod, self.pod.clock
        pod.cpu.speed = self.weather.second()
        requests, errors, service, throttled = pod.done, pod.errors, pod.service_s, pod.cpu.throttled_s
        others = pod.front.account.cpu_s + pod.foreign.cpu_s
        pod.times.clear()
        before = {each: (each.account.cpu_s, each.account.waited_s) for each in (*pod.live, *pod.retiring)}
        queued = in_service = most = 0
        for _ in range(LOOKS_PER_S):
            clock.run_until(clock.now + 1 / LOOKS_PER_S)
            self.look.look(pod.serving)
            in_service += pod.in_service
            queued += len(pod.queue)
            most = max(most, len(pod.queue))
        self.seq += 1
        after = dict.fromkeys((*pod.live, *pod.retiring), (0.0, 0.0)) | before
        used = {each: each.account.cpu_s - cpu for each, (cpu, _) in after.items()}
        sample = Sample(
            seq=self.seq,
            at=1000.0 + clock.now,
            seconds=1.0,
            generation=pod.generation,
            shape=pod.shape,
            settled=self._settled(),
            requests=pod.done - requests,
            errors=pod.errors - errors,
            queue_mean=queued / LOOKS_PER_S,
            queue_max=most,
            busy=in_service / LOOKS_PER_S,
            service_s=pod.service_s - service,
            cpu_s=sum(used.values()),
            worker_cpu=max((cpu for each, cpu in used.items() if each in before), default=0.0),
            runqueue_s=sum(each.account.waited_s - waited for each, (_, waited) in after.items()),
            throttled_s=pod.cpu.throttled_s - throttled,
            foreign_cpu=pod.front.account.cpu_s + pod.foreign.cpu_s - others,
            cores=pod.cpu.usable,
            oldest_s=pod.oldest_s,
            memory_bytes=pod.memory_bytes,
            memory_limit=self.memory_limit or pod.memory_limit,
            worker_bytes=self._largest(),
            census=self.look.take(),
            **self._latency(),
        )
        self._last_shape = pod.shape
        return replace(sample, **self.unseen)

    def _settled(self) -> bool:
        """As in agent/observe.py."""
        pod = self.pod
        return pod.settled and pod.clock.now - pod.changes.last_at >= 1.0 and pod.shape == self._last_shape

    def _largest(self) -> int:
        self._worker_bytes = max(self._worker_bytes, self.pod.worker_bytes)
        return self._worker_bytes

    def _latency(self) -> dict[str, tuple[tuple[int, int], ...]]:
        """As in agent/signals/accesslog.py: nginx's milliseconds, of a random share of the requests."""
        pod = self.pod
        found: tuple[dict[int, int], dict[int, int]] = ({}, {})
        share, chance = self._share, pod.random.random
        for times in pod.times:
            if share >= 1.0 or chance() < share:
                for counts, seconds in zip(found, times, strict=True):
                    bucket = bucket_of(round(seconds, 3))
                    counts[bucket] = counts.get(bucket, 0) + 1
        self._share = min(1.0, TARGET_RATE / max(1, len(pod.times)))
        return {"latency": tuple(sorted(found[0].items())), "upstream": tuple(sorted(found[1].items()))}
