"""Does the tried shape serve as much as it should? Throughput before and after, and the noise of both."""

import math

from uwsgi_autopilot.report.reasons import Reason
from uwsgi_autopilot.tuner.load import Load, another_load
from uwsgi_autopilot.tuner.point import Point
from uwsgi_autopilot.tuner.proposal import Drop, Keep, Proposal, TakeBack, Verdict, Wait

LEAST_GAIN = 0.02  # ln of the throughput; a smaller gain is not worth more slots
LEVEL = 0.03  # ln of the loss that a smaller shape may show: no more than noise
LEAST_SPREAD = 0.03  # of one second's throughput: three quiet seconds do not prove a quiet machine
SURENESS = 1.65  # standard errors: one-sided 95 %
CORRELATED = 1.3  # consecutive seconds are correlated
LONGEST_SAMPLES = 12
DISTURBED_SAMPLES = 25  # while others use more or less CPU than before the change
FOREIGN_STEP = 0.15  # share of the cores
MORE_ERRORS = 0.02


def compare(proposal: Proposal, load: Load) -> Verdict:
    """`load`: what proposal.shape does."""
    before = proposal.before
    change = math.log(max(load.throughput, 1e-3) / max(before.throughput, 1e-3))
    figures = f"{before.throughput:.0f} → {load.throughput:.0f} requests/s ({math.expm1(change):+.0%}"
    left = cores_left(before, load)
    change -= left
    figures += f", {math.expm1(change):+.0%} per core that others left)" if abs(left) > 0.02 else ")"
    error = math.hypot(standard_error(before, load), 0.5 * left)
    if load.error_share > before.error_share + MORE_ERRORS and load.error_share * load.requests >= 3:
        message = f"{load.error_share:.0%} of the requests fail with {load.shape}, {before.error_share:.0%} before"
        return TakeBack(reason=Reason.ERRORS_HIGH, message=message, change=change)
    if not proposal.better and load.demand > before.demand and another_load(load.demand, before.demand):
        # Throughput was limited then by how many requests came, not by the shape: it says nothing about this load.
        message = f"{before.demand:.1f} requests in the pod before, {load.demand:.1f} now: the load has changed"
        if load.pressed:
            return Drop(reason=Reason.LOAD_CHANGING, message=f"{message}, and {load.shape} is at a limit")
        return Keep(reason=proposal.reason, message=f"{message}, and none queues")

    least = LEAST_GAIN if proposal.better else -LEVEL
    low, high = change - SURENESS * error, change + SURENESS * error
    decided = load.samples >= (DISTURBED_SAMPLES if disturbed(before, load) else LONGEST_SAMPLES)
    if low > least or (decided and change >= least):
        return Keep(reason=proposal.reason, message=figures, change=change)
    if _less_came(before, load):
        message = f"{figures}, but fewer requests came and none queues: kept"
        return Keep(reason=Reason.APPLICATION_LIMITED, message=message, change=change)
    if (high < least and not disturbed(before, load)) or decided:
        reason = Reason.NO_GAIN if change > -LEVEL else Reason.REVERTED
        return TakeBack(reason=reason, message=f"{load.shape} brought {figures}", change=change)
    message = f"{figures} after {load.samples} s, ±{SURENESS * error:.0%}: not yet distinguishable from noise"
    return Wait(reason=Reason.VERIFYING, message=message)


def cores_left(before: Point, load: Load) -> float:
    """ln of the cores that others left us, after / before, where CPU was the limit both times; else 0.0.

    Neighbours that wake up during a trial take throughput from any shape alike.
    """
    if not (before.cpu_full and load.cpu_full):
        return 0.0
    least = 0.1 * load.cores
    after = max(least, load.cores - load.foreign_cpu)
    return math.log(after / max(least, before.cores - before.foreign_cpu))


def disturbed(before: Point, load: Load) -> bool:
    """Others use so much more or less CPU than before that they may have caused a loss."""
    return abs(load.foreign_cpu - before.foreign_cpu) > FOREIGN_STEP * load.cores


def standard_error(before: Point, load: Load) -> float:
    """Of the ln of the ratio of two mean throughputs."""
    one = max(LEAST_SPREAD, before.spread) ** 2 / max(1, before.samples)
    other = max(LEAST_SPREAD, load.spread) ** 2 / max(1, load.samples)
    return CORRELATED * math.sqrt(one + other)


def _less_came(before: Point, load: Load) -> bool:
    """Throughput follows arrivals: nothing queues, and a request spends no longer in the pod than before.

    With a fixed number of clients that is false whenever throughput fell: requests in the pod / throughput is then
    the time a request spends there.
    """
    if load.slots_full or load.throughput <= 0 or before.throughput <= 0:
        return False
    return load.demand / load.throughput <= 1.05 * before.demand / before.throughput
