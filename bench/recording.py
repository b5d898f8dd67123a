"""A whole real grid of one workload, for the simulator to be held against: what is visited, and what is written. Pure.

Each shape is visited twice, in another order: the two visits differ by the machine's noise.
"""

import json
from collections.abc import Sequence
from statistics import fmean
from typing import Any

from bench.fixed import Look
from bench.grid import PROCESSES, SLOTS_PER_CLIENT
from uwsgi_autopilot.api.sample import Census, Sample
from uwsgi_autopilot.api.shape import Shape

# Fewer threads than the bench's grid has: what lies between is for the simulator to say.
THREADS = (1, 2, 4, 8, 16, 64)
VISITS = 2
_SUMS = ("requests", "errors", "service_s", "cpu_s", "runqueue_s", "throttled_s")
_MEANS = ("busy", "queue_mean", "worker_cpu", "foreign_cpu", "cores")
_CENSUS = ("running", "io", "interpreter_lock", "application_lock", "idle", "looks")


def shapes_of(clients: int) -> list[Shape]:
    """By threads, then by growing processes: that way most changes need no new generation."""
    return [Shape(p, t) for t in THREADS for p in PROCESSES if p * t <= SLOTS_PER_CLIENT * clients]


def order_of(visit: int, clients: int) -> list[Shape]:
    """visit: from 0 on. Odd ones begin with the most threads."""
    shapes = shapes_of(clients)
    return shapes if visit % 2 == 0 else sorted(shapes, key=lambda shape: (-shape.threads, shape.processes))


def row_of(look: Look) -> dict[str, Any]:
    """One visit. sample: see mean_sample. helpers: CPU cores that nginx and the load generator used."""
    window, share = look.window, look.share
    cores = look.samples[-1].cores if look.samples else None
    return {
        "rps": round(window.rps, 2),
        "p50_ms": _rounded(window.p50_ms, 2),
        "p99_ms": _rounded(window.p99_ms, 2),
        "failed": window.failed,
        "helpers": None if share is None or cores is None else round(share.helpers * cores, 3),
        "foreign": None if share is None or cores is None else round(share.foreign * cores, 3),
        "sample": mean_sample(look.samples),
    }


def mean_sample(samples: Sequence[Sample]) -> dict[str, Any] | None:
    """The fields of a Sample as they are in a mean second: amounts a second, and means. None of nothing."""
    if not samples:
        return None
    seconds = sum(each.seconds for each in samples)
    found: dict[str, Any] = {"seconds": round(seconds, 2)}
    for name in _SUMS:
        values = [getattr(each, name) for each in samples]
        found[name] = None if None in values else round(sum(values) / seconds, 5)
    for name in _MEANS:
        values = [getattr(each, name) for each in samples]
        found[name] = None if None in values else round(fmean(values), 4)
    found["census"] = _mean_census([each.census for each in samples if each.census is not None])
    return found


def _mean_census(seen: Sequence[Census]) -> dict[str, float] | None:
    return {name: round(fmean(getattr(each, name) for each in seen), 3) for name in _CENSUS} if seen else None


def text_of(grid: dict[str, Any]) -> str:
    """JSON with one visit a line, so that a difference can be read."""
    head = {key: value for key, value in grid.items() if key != "visits"}
    lines = [f"{json.dumps(key)}: {json.dumps(value)}," for key, value in head.items()]
    visits = ",\n".join(" " + json.dumps(each, separators=(",", ":")) for each in grid["visits"])
    return "\n".join(["{", *lines, '"visits": [', visits, "]", "}", ""])


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
