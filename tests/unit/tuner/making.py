"""Hand-made samples: one base case, and what differs from it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from uwsgi_autopilot.api.sample import Census, Sample
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import Bounds
from uwsgi_autopilot.tuner.limits import Limits

WIDE = Limits(processes=Bounds(min=1, max=16), threads=Bounds(min=1, max=64))
MIB = 2**20

# 2x4, all eight slots busy, ten requests waiting: 20 ms wait + 2 ms CPU, as eight slots can serve it.
BASE = Sample(
    seq=1,
    at=1001.0,
    seconds=1.0,
    generation=1,
    shape=Shape(2, 4),
    settled=True,
    requests=360.0,
    queue_mean=10.0,
    queue_max=11,
    busy=8.0,
    service_s=8.0,
    cpu_s=0.72,
    worker_cpu=0.36,
    runqueue_s=0.02,
    cores=2.0,
    memory_bytes=112 * MIB,
    memory_limit=None,
    worker_bytes=50 * MIB,
    census=Census(running=0.74, io=7.2, interpreter_lock=0.06, application_lock=0.0, idle=0.0, looks=160),
)


def seconds(count: int, *, after: Sequence[Sample] = (), **changes: Any) -> list[Sample]:
    """`after`, and `count` more seconds like BASE with `changes`."""
    seq = after[-1].seq if after else 0
    at = after[-1].at if after else 1000.0
    new = [replace(BASE, seq=seq + index, at=at + index, **changes) for index in range(1, count + 1)]
    return [*after, *new]


def nobody(count: int, *, after: Sequence[Sample] = (), **changes: Any) -> list[Sample]:
    """Seconds without a request."""
    idle = Census(running=0.0, io=0.0, interpreter_lock=0.0, application_lock=0.0, idle=8.0, looks=160)
    quiet = {
        "requests": 0.0,
        "queue_mean": 0.0,
        "queue_max": 0,
        "busy": 0.0,
        "service_s": 0.0,
        "cpu_s": 0.0,
        "worker_cpu": 0.0,
        "runqueue_s": 0.0,
        "census": idle,
    }
    return seconds(count, after=after, **{**quiet, **changes})
