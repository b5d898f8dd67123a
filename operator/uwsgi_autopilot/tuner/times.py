"""Where the time of a request goes: CPU, I/O, locks, waiting for a core. From the counters and the thread census."""

import math
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from uwsgi_autopilot.api.sample import Sample

FEWEST_LOOKS = 8.0  # at busy threads; fewer tell nothing about shares
MANY_LOOKS = 30.0  # at busy threads: the standard deviation of a share is then at most 0.09


class Times(NamedTuple):
    """Seconds per request, as in Load. in_io: mean number of threads asleep in I/O. looks: at busy ones; 0: none.

    Among a thousand threads most looks find idle ones, which say nothing about where the time of requests goes.
    """

    service_s: float
    cpu_s: float
    runqueue_s: float
    wait_s: float
    lock_s: float
    pool_s: float
    in_io: float
    looks: float

    @property
    def by_census(self) -> bool:
        return self.looks > 0


def times_of(samples: Sequence[Sample], requests: float) -> Times:
    """Where the time of `requests` finished requests (> 0) went.

    A census that contradicts the CPU clock is not believed: the share of threads seen running must give about the
    CPU and run-queue time that the kernel counted, within the precision of that many looks.
    """
    service_s = sum(each.service_s for each in samples) / requests
    cpu_s = sum(each.cpu_s for each in samples) / requests
    runqueue_s = sum(each.runqueue_s or 0.0 for each in samples) / requests
    seen = [each.census for each in samples if each.census is not None]
    busy = sum(each.busy for each in seen)
    looks = busy_looks(samples)
    if busy > 0 and looks >= FEWEST_LOOKS:
        running_s = sum(each.running for each in seen) / busy * service_s
        if all(each.runqueue_s is None for each in samples):
            runqueue_s = max(0.0, running_s - cpu_s)
        counted_s = cpu_s + runqueue_s
        chance = service_s / math.sqrt(looks)  # two standard deviations of a share of one half
        if abs(running_s - counted_s) <= max(0.25 * service_s, 0.5 * counted_s) + chance:
            io = sum(each.io for each in seen)
            return Times(
                service_s=service_s,
                cpu_s=cpu_s,
                runqueue_s=runqueue_s,
                wait_s=io / busy * service_s,
                lock_s=sum(each.interpreter_lock for each in seen) / busy * service_s,
                pool_s=sum(each.application_lock for each in seen) / busy * service_s,
                in_io=io / len(seen),
                looks=looks,
            )
    worker_cpu = median(each.worker_cpu for each in samples)
    wait_s = _inferred_wait(service_s, cpu_s, runqueue_s, worker_cpu)
    return Times(service_s, cpu_s, runqueue_s, wait_s, 0.0, 0.0, 0.0, 0.0)


def busy_looks(samples: Sequence[Sample]) -> float:
    """About how many looks of the census found a busy thread."""
    seen = [each.census for each in samples if each.census is not None]
    return sum(each.looks * each.busy / (each.busy + each.idle) for each in seen if each.busy > 0)


def _inferred_wait(service_s: float, cpu_s: float, runqueue_s: float, worker_cpu: float) -> float:
    """Without a census, waiting for the interpreter lock looks like I/O: above 0.7 cores per worker, I/O is little."""
    rest = max(0.0, service_s - cpu_s - runqueue_s)
    return rest if worker_cpu < 0.7 else min(rest, cpu_s)
