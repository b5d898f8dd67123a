"""The load, estimated from samples of one shape: rates, times per request, and what threads wait for.

Only settled samples of the newest generation count, from SETTLE_S after its last change: the first requests of a new
generation meet cold caches, and those around a swap belong to two shapes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

from uwsgi_autopilot.api.sample import Sample
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.tuner.times import busy_looks, times_of
from uwsgi_autopilot.tuner.trend import changing, drift, queue_growth, spread

SETTLE_S = 2.0
WINDOW_S = 8.0  # length of a window that holds ENOUGH requests
LONGEST_S = 60.0
ENOUGH = 100  # requests: the mean of a spread-out service time is then within about 10 %
FEW = 20  # requests: with five seconds of readings, enough for a rough estimate
BLIND = 4.0
GAP_S = 4.0  # readings further apart than this are two windows
# From this ratio of requests in the pod on, it is another load and not more of the same: health checks, then the first
# clients. Below FEW_INSIDE requests come and go by chance.
ANOTHER_LOAD = 4.0
FEW_INSIDE = 4.0
POOL_SHARE = 0.2  # share of busy threads at an application lock from which a pool limits the processes
CPU_FULL = 0.9  # share of the usable cores from which CPU counts as used up


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Means over a window. Times are seconds per request.

    throughput: answers a second that are not errors. in_service, queued: requests. service_s = wait_s (asleep in I/O)
    + cpu_s + lock_s (interpreter lock) + pool_s (other locks) + runqueue_s (ready, no core free).
    pool_size: how many requests of a process get past its application lock; None: none is noticed.
    worker_cpu: cores of the busiest worker. cores_used, cores: by us, and usable. spread: standard deviation of the
    throughput of one second, as a share of it. drift: ln(requests in the pod, newer half / older half). changing:
    the kind of requests is changing. queue_growth: requests a second.
    by_census: wait_s was observed, not inferred from service_s - cpu_s - runqueue_s.
    looks: of the census, at busy threads. queue_seen: `queued` was measured; else it is 0.
    """

    shape: Shape
    at: float
    samples: int
    requests: float
    throughput: float
    in_service: float
    queued: float
    service_s: float
    cpu_s: float
    wait_s: float
    lock_s: float
    pool_s: float
    runqueue_s: float
    pool_size: int | None
    worker_cpu: float
    cores_used: float
    cores: float
    foreign_cpu: float
    throttled: float
    error_share: float
    spread: float
    drift: float
    changing: bool
    queue_growth: float
    by_census: bool
    looks: float
    queue_seen: bool = True
    memory_bytes: int | None = None
    memory_limit: int | None = None
    worker_bytes: int | None = None
    master_bytes: int | None = None

    @property
    def inside(self) -> float:
        """Requests that are in the pod at once, in service or queued."""
        return self.in_service + self.queued

    @property
    def overrun(self) -> bool:
        """Requests come faster than they are served, and nobody waits for answers: the queue keeps growing."""
        return self.queued > self.in_service and self.queue_growth > 0.1 * self.throughput

    @property
    def demand(self) -> float:
        """Requests that would be in service at once if nobody queued.

        When the slots are full and the queue cannot be seen: BLIND times as many as are in service. Clients that wait
        for their answers are all inside. Where the queue keeps growing, its length says only for how long it has: then
        arrivals x time, and half as much again so that the queue shrinks.
        """
        if not self.queue_seen and self.in_service >= 0.75 * self.shape.slots:
            return BLIND * self.in_service
        if not self.overrun:
            return self.inside
        return min(self.inside, 1.5 * (self.throughput + self.queue_growth) * (self.wait_s + self.cpu_s) + 1.0)

    @property
    def wait_per_cpu(self) -> float:
        return self.wait_s / max(self.cpu_s, 1e-5)

    @property
    def cpu_full(self) -> bool:
        """No core is left. Where others share the cores, it shows in requests that wait for one."""
        starved = self.runqueue_s >= 0.7 * self.cpu_s and self.cores_used >= 0.6 * self.cores
        return starved or self.throttled > 0.1 or self.cores_used + self.foreign_cpu >= CPU_FULL * self.cores

    @property
    def slots_full(self) -> bool:
        return self.queued >= 1.0 or self.in_service >= 0.75 * self.shape.slots

    @property
    def pressed(self) -> bool:
        """Something in the pod is exhausted: another shape may serve more."""
        lock_bound = self.worker_cpu >= 0.8 and self.lock_s >= 0.3 * self.service_s
        pool_bound = self.pool_s >= POOL_SHARE * self.service_s > 0
        return self.slots_full or self.cpu_full or lock_bound or pool_bound


def window(samples: Sequence[Sample], *, since: float = -math.inf) -> list[Sample]:
    """The settled samples of the newest shape and generation, oldest first; [] while something is changing."""
    run: list[Sample] = []
    for sample in reversed(samples):
        newer = run[-1] if run else None
        broken = not sample.settled or (
            newer is not None
            and (sample.shape != newer.shape or sample.generation != newer.generation or newer.at - sample.at > GAP_S)
        )
        if broken:
            changed_at = sample.at
            run = [each for each in run if each.at - each.seconds >= changed_at + SETTLE_S - 0.5]
            break
        run.append(sample)
    run.reverse()
    return [each for each in run if each.at - each.seconds >= since - 0.5]


def load_of(
    samples: Sequence[Sample],
    *,
    since: float = -math.inf,
    seconds: float = WINDOW_S,
    cores: float | None = None,
    least_pool: int | None = None,
) -> Load | None:
    """Over the newest `seconds`, or more where they hold too few requests; None when that is not enough.

    `since`: only samples that began after it. `cores`: a limit on usable cores besides the samples' own.
    `least_pool`: the pool size of this workload, if it was noticed before.
    """
    settled = of_one_load(window(samples, since=since))
    chosen: list[Sample] = []
    for sample in reversed(settled):
        long_enough = settled[-1].at - sample.at >= seconds - 0.5
        requests = sum(each.requests for each in chosen)
        if (long_enough and requests >= ENOUGH) or settled[-1].at - sample.at > LONGEST_S:
            break
        chosen.append(sample)
    chosen.reverse()
    chosen = _without_ramp(chosen)
    requests = sum(each.requests for each in chosen)
    duration = sum(each.seconds for each in chosen)
    certain = requests >= ENOUGH and len(chosen) >= 3
    if not certain and (requests < FEW or duration < 4.5):
        return None
    load = _estimate(chosen, requests, duration, cores)
    return load if least_pool is None else replace(load, pool_size=max(least_pool, load.pool_size or 0))


def of_one_load(samples: list[Sample]) -> list[Sample]:
    """Without the samples before the load of the newest second: a mean over two loads describes neither."""
    total = 0.0
    for count, sample in enumerate(reversed(samples)):
        inside = sample.busy + (sample.queue_mean or 0.0)
        if count and another_load(inside, total / count):
            return samples[-count:]
        total += inside
    return samples


def another_load(one: float, other: float) -> bool:
    """Do these two numbers of requests in the pod belong to two different loads?"""
    return max(one, other) >= max(FEW_INSIDE, ANOTHER_LOAD * min(one, other))


def _without_ramp(samples: list[Sample]) -> list[Sample]:
    """Drop the seconds before the load came and the one in which it came."""
    if not samples:
        return samples
    usual = median(each.requests for each in samples[-5:])
    first = next((index for index, each in enumerate(samples) if each.requests >= 0.6 * usual), 0)
    return samples[first:]


def _estimate(samples: list[Sample], requests: float, duration: float, cores: float | None) -> Load:
    newest = samples[-1]
    times = times_of(samples, requests)
    in_service = sum(each.busy * each.seconds for each in samples) / duration
    queued = sum((each.queue_mean or 0.0) * each.seconds for each in samples) / duration
    errors = min(requests, sum(each.errors for each in samples))
    pool_size = None
    if times.pool_s >= POOL_SHARE * times.service_s > 0:
        # Seen between 2.6 and 3.0 for a pool of 3: a connection is handed on while its thread does a little CPU work.
        pool_size = max(1, round(times.in_io / newest.shape.processes + 0.3))
    usable = newest.cores if cores is None else min(cores, newest.cores)
    return Load(
        shape=newest.shape,
        at=newest.at,
        samples=len(samples),
        requests=requests,
        throughput=(requests - errors) / duration,
        in_service=in_service,
        queued=queued,
        service_s=times.service_s,
        cpu_s=times.cpu_s,
        wait_s=times.wait_s,
        lock_s=times.lock_s,
        pool_s=times.pool_s,
        runqueue_s=times.runqueue_s,
        pool_size=pool_size,
        worker_cpu=median(each.worker_cpu for each in samples),
        cores_used=sum(each.cpu_s for each in samples) / duration,
        cores=max(0.05, usable),
        foreign_cpu=sum(each.foreign_cpu * each.seconds for each in samples) / duration,
        throttled=sum(each.throttled_s for each in samples) / duration,
        error_share=errors / requests,
        spread=spread(samples),
        drift=drift(samples),
        changing=changing(samples),
        queue_growth=queue_growth(samples),
        by_census=times.by_census,
        looks=busy_looks(samples),
        queue_seen=any(each.queue_mean is not None for each in samples),
        memory_bytes=newest.memory_bytes,
        memory_limit=newest.memory_limit,
        worker_bytes=newest.worker_bytes,
        master_bytes=newest.master_bytes,
    )
