"""The longer messages, for the person on call, with the numbers that decided."""

from collections.abc import Sequence

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.tuner.load import Load
from uwsgi_autopilot.tuner.memory import Rejected
from uwsgi_autopilot.tuner.model import PURE_CPU
from uwsgi_autopilot.tuner.point import Point


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 0.1 else f"{seconds * 1000:.0f} ms"


def nature(load: Load) -> str:
    """What the requests of this load spend their time on."""
    figures = f"W {milliseconds(load.wait_s)}, CPU {milliseconds(load.cpu_s)} per request"
    if load.pool_size is not None:
        share = load.pool_s / load.service_s
        pool = f"a pool lets {load.pool_size} requests per process through"
        return f"{pool}, and {share:.0%} of the threads wait for it ({figures})"
    if load.wait_per_cpu < PURE_CPU:
        return f"computes nearly all the time ({figures})"
    share = load.wait_s / (load.wait_s + load.cpu_s)
    return f"waits {share:.0%} of the time for I/O ({figures})"


def proposal(load: Load, shape: Shape, expected: float) -> str:
    if expected < 1.05 * load.throughput:
        return f"{nature(load)}: {shape.in_words()} should serve the same {load.throughput:.0f} requests/s"
    return f"{nature(load)}: {shape.in_words()} should serve {expected:.0f} requests/s, now {load.throughput:.0f}"


def backend(load: Load, points: Sequence[Point], shape: Shape) -> str:
    quick = min(points, key=lambda each: each.wait_s)
    return (
        f"the backend slows down with concurrency: W {milliseconds(quick.wait_s)} with {quick.in_service:.0f} in "
        f"service, {milliseconds(load.wait_s)} with {load.in_service:.0f}; {shape.in_words()} should serve as much"
    )


def another_workload(known: Point, *, cpu_s: float, wait_s: float) -> str:
    return (
        f"CPU {milliseconds(known.cpu_s)} → {milliseconds(cpu_s)}, wait {milliseconds(known.wait_s)} → "
        f"{milliseconds(wait_s)} per request: the workload has changed"
    )


def went(what: str, then: str, now: str) -> str:
    return f"{what} went {then} → {now}"


def tried_again(tried: Rejected, changed: str, *, now: float) -> str:
    """Of a shape that failed before."""
    when = "before" if tried.at is None else f"{max(0.0, now - tried.at):.0f} s ago"
    outcome = "refused" if tried.change is None else "taken back"
    return f"{tried.shape} was tried {when} and {outcome}; again because {changed}"
