"""The load, estimated from samples of one shape: rates, times per request, and what threads wait for."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median, pstdev

from uwsgi_autopilot.api.sample import Sample
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.tuner.times import busy_looks, times_of
from uwsgi_autopilot.tuner.trend import changing, drift, queue_growth, spread
from uwsgi_autopilot.tuner.window import FEW_INSIDE, of_one_load, window, without_ramp

WINDOW_S = 8.0  # length of a window that holds ENOUGH requests
LONGEST_S = 60.0
FEWEST_SAMPLES = 3
ENOUGH = 100  # requests: the mean of a spread-out service time is then within about 10 %
FEW = 20  # requests: with five seconds of readings, enough for a rough estimate
BLIND = 4.0
POOL_SHARE = 0.15  # share of busy threads at an application lock from which a pool limits the processes
# Share of the usable cores that we get at least, whatever others do: the kernel shares them among all who want one, and
# two processes of ours get as much beside three busy loops.
FAIR = 0.4
CPU_FULL = 0.9  # share of the usable cores from which CPU counts as used up
# Clients that wait for their answers are always all inside: their number hardly differs from second to second.
CLOSED = 0.06  # standard deviation of the requests in the pod, as a share of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Means over a window. Times are seconds per request.

    throughput: answers a second that are not errors. in_service, queued: requests. service_s = wait_s (asleep in I/O)
    + cpu_s + lock_s (interpreter lock) + pool_s (other locks) + runqueue_s (ready, no core free).
    pool_size: how many requests of a process get past its application lock; None: none is noticed.
    worker_cpu: cores of the busiest worker. cores_used, cores: by us, and usable. spread: standard deviation of the
    throughput of one second, as a share of it; time_spread: of requests in the pod / throughput. closed: the clients
    wait for their answers. drift: ln(requests in the pod, newer half / older half). changing:
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
    time_spread: float
    closed: bool
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
    def cores_to_have(self) -> float:
        """What others leave, or our fair share where they leave less because we have not asked for it yet."""
        return max(self.cores - self.foreign_cpu, FAIR * self.cores)

    @property
    def cpu_full(self) -> bool:
        """No core is left. Where others share the cores, it shows in requests that wait for one."""
        starved = self.runqueue_s >= 0.7 * self.cpu_s and self.cores_used >= 0.6 * self.cores
        return starved or self.throttled > 0.1 or self.cores_used + self.foreign_cpu >= CPU_FULL * self.cores

    @property
    def slots_full(self) -> bool:
        return self.queued >= 1.0 or self.in_service >= 0.75 * self.shape.slots

    @property
    def time_s(self) -> float:
        """Seconds that a request spends in the pod, queueing included (Little's law)."""
        return self.demand / max(self.throughput, 1e-3)

    @property
    def avoidable(self) -> float:
        """Share of that time in which a request neither waits for I/O nor computes: all that another shape can save."""
        return max(0.0, 1.0 - (self.wait_s + self.cpu_s) / max(self.time_s, 1e-6))

    @property
    def pressed(self) -> bool:
        """Something in the pod is exhausted: another shape may serve more."""
        lock_bound = self.worker_cpu >= 0.8 and self.lock_s >= 0.3 * self.service_s
        pool_bound = self.pool_s >= POOL_SHARE * self.service_s > 0
        return self.slots_full or self.cpu_full or lock_bound or pool_bound


def load_over(samples: list[Sample], *, cores: float | None = None) -> Load | None:
    """Over exactly these samples, of one shape, settled or not; None without a request."""
    requests = sum(each.requests for each in samples)
    return _estimate(samples, requests, sum(each.seconds for each in samples), cores) if requests else None


def load_unended(samples: list[Sample], *, newest: int, cores: float | None = None) -> Load:
    """Over exactly these samples, in which hardly a request has ended: each takes at least as long as all were in
    service for. Of the requests in the pod, those of the `newest` samples count: more may keep coming."""
    requests = max(1.0, sum(each.requests for each in samples))
    load = _estimate(samples, requests, sum(each.seconds for each in samples), cores)
    last = samples[-newest:]
    service_s = sum(each.busy * each.seconds for each in samples) / requests
    ended = sum(each.requests - each.errors for each in samples)
    return replace(
        load,
        requests=sum(each.requests for each in samples),
        throughput=max(0.0, ended) / sum(each.seconds for each in samples),
        queued=sum(each.queue_mean or 0.0 for each in last) / len(last),
        service_s=service_s,
        wait_s=max(0.0, service_s - load.cpu_s),
    )


def load_of(
    samples: Sequence[Sample],
    *,
    since: float = -math.inf,
    seconds: float = WINDOW_S,
    cores: float | None = None,
    least_pool: int | None = None,
    fewest: int = FEWEST_SAMPLES,
) -> Load | None:
    """Over the newest `seconds`, or more where they hold too few requests; None when that is not enough.

    `since`: only samples that began after it. `cores`: a limit on usable cores besides the samples' own.
    `least_pool`: the pool size of this workload, if it was noticed before. `fewest`: samples that ENOUGH requests fill.
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
    chosen = without_ramp(chosen)
    requests = sum(each.requests for each in chosen)
    duration = sum(each.seconds for each in chosen)
    certain = requests >= ENOUGH and len(chosen) >= fewest
    if not certain and (requests < FEW or duration < 4.5):
        return None
    load = _estimate(chosen, requests, duration, cores)
    return load if least_pool is None else replace(load, pool_size=max(least_pool, load.pool_size or 0))


def _closed(samples: list[Sample]) -> bool:
    inside = [each.inside for each in samples]
    return fmean(inside) >= FEW_INSIDE and pstdev(inside) <= CLOSED * fmean(inside)


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
        spread=spread([each.requests / each.seconds for each in samples]),
        time_spread=spread([each.inside / each.requests for each in samples if each.requests]),
        closed=_closed(samples),
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
