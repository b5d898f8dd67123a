"""The longer messages, for the person on call, with the numbers that decided."""

import math

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.tuner.candidates import Candidate
from uwsgi_autopilot.tuner.load import Load
from uwsgi_autopilot.tuner.model import Work
from uwsgi_autopilot.tuner.objective import Objective
from uwsgi_autopilot.tuner.point import Point


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 0.1 else f"{seconds * 1000:.0f} ms"


def nature(load: Load, work: Work) -> str:
    """What the requests of this load spend their time on."""
    figures = f"W {milliseconds(load.wait_s)}, CPU {milliseconds(load.cpu_s)} per request"
    if load.pool_size is not None:
        share = load.pool_s / load.service_s
        pool = f"a pool lets {load.pool_size} requests per process through"
        return f"{pool}, and {share:.0%} of the threads wait for it ({figures})"
    if work.slowdown is not None:
        return (
            f"the backend slows down with concurrency: W {milliseconds(work.wait_s)} with few requests at once, "
            f"{milliseconds(load.wait_s)} with {load.in_service:.0f}"
        )
    if work.computes:
        return f"computes nearly all the time ({figures})"
    if not (busy := load.wait_s + load.cpu_s):
        return "answers faster than can be measured"
    share = load.wait_s / busy
    return f"waits {share:.0%} of the time for I/O ({figures})"


def proposal(load: Load, work: Work, found: Candidate) -> str:
    words = f"{nature(load, work)}: {found.shape.in_words()} "
    margin = f"{100 * found.error:.0f} %"
    if Objective.of(load) is Objective.TIME:
        return f"{words}{_sooner(load, found)} ± {margin}"
    if found.measured:
        return f"{words}served {math.expm1(found.gain):+.1%} before"
    if abs(found.gain) < 0.04:
        change = f"{math.expm1(found.gain):+.1%} ± {margin}"
        hope = "may serve more" if found.gain > 0 else "is worth a look"
        return f"{words}{hope}: expected is {change} of {load.throughput:.0f} requests/s"
    expected = load.throughput * math.exp(found.gain)
    return f"{words}should serve {expected:.0f} requests/s ± {margin}, now {load.throughput:.0f}"


def _sooner(load: Load, found: Candidate) -> str:
    """Where the arrivals limit the throughput, no shape can serve more of them."""
    now = load.demand / max(load.throughput, 1e-3)
    verb = "answered" if found.measured else "should answer"
    return f"{verb} after {milliseconds(now * math.exp(-found.gain))} in the pod, now {milliseconds(now)}"


def probe_down(load: Load, shape: Shape) -> str:
    return (
        f"requests wait {milliseconds(load.wait_s)} with {load.in_service:.0f} of them in service, and were never seen "
        f"with fewer: {shape.in_words()} show whether the backend then answers sooner"
    )


def held(load: Load, shape: Shape) -> str:
    here = load.shape
    ended = f"{load.requests:.0f} ended" if load.requests else "none has ended"
    queue = "1 request queues" if round(load.queued) == 1 else f"{load.queued:.0f} requests queue"
    threads = "the only thread has" if here.slots == 1 else f"{here.slots} of {here.slots} threads have"
    return (
        f"{threads} been busy for {load.samples} s, {queue} and {ended}: "
        f"{shape.in_words()} take in {min(load.inside, shape.slots):.0f} of them at once"
    )


def another_workload(known: Point, *, cpu_s: float, wait_s: float) -> str:
    return (
        f"CPU {milliseconds(known.cpu_s)} → {milliseconds(cpu_s)}, wait {milliseconds(known.wait_s)} → "
        f"{milliseconds(wait_s)} per request: the workload has changed"
    )
