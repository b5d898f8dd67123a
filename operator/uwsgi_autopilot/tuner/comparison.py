"""Does the tried shape do as well as it should? A sequential test: asked each second, it may end as soon as it is sure.

The boundary is wider than that of a single question (SURENESS), because whoever looks every second is wrong at one of
them more easily; if nothing is sure after LONGEST_SAMPLES, the mean decides, together with what was expected before.
"""

import math

from uwsgi_autopilot.report.reasons import Reason
from uwsgi_autopilot.tuner.load import Load
from uwsgi_autopilot.tuner.objective import Objective
from uwsgi_autopilot.tuner.point import Point
from uwsgi_autopilot.tuner.proposal import Drop, Keep, Proposal, TakeBack, Verdict, Wait
from uwsgi_autopilot.tuner.window import another_load

LEAST_GAIN = 0.01  # ln: what a larger shape has to bring, and what a smaller one may lose
SOONER = 0.04  # ln of the time in the pod: it scatters more than throughput, and matters less
CLEARLY_MORE = 0.05  # ln of the throughput: arrivals that come at random differ by less
SURENESS = 2.4  # standard errors: Pocock's boundary for about ten looks at 95 %
LONGEST_SAMPLES = 10
LONGEST_BY_TIME = 20  # samples: the time in the pod of requests that come at random
DISTURBED_SAMPLES = 25  # while others use more or less CPU than before the change
FOREIGN_STEP = 0.15  # share of the cores
# Share of the requests by which more fail than before, and how many have to: two of ten may be chance.
MORE_ERRORS, FEWEST_FAILED = 0.02, 3


def compare(proposal: Proposal, load: Load) -> Verdict:
    """`load`: what proposal.shape does."""
    before = proposal.before
    objective = _objective(before, load)
    change = objective.reached(load) - objective.reached(before)
    figures = _figures(objective, before, load, change)
    left = cores_left(before, load)
    if abs(left) > 0.02:
        figures += f", {math.expm1(change - left):+.0%} per core that others left"
    risen, failed = load.error_share - before.error_share, load.error_share * load.requests
    if more_fail(risen, failed, chance=_chance_of_errors(before, load)):
        message = f"{load.error_share:.0%} of the requests fail with {load.shape}, {before.error_share:.0%} before"
        return TakeBack(reason=Reason.ERRORS_HIGH, message=message, change=change)
    more_came = load.demand > before.demand and another_load(load.demand, before.demand)
    if not proposal.better and more_came and load.throughput >= before.throughput:
        # Throughput was limited then by how many requests came, not by the shape: it says nothing about this load.
        message = f"{before.demand:.1f} requests in the pod before, {load.demand:.1f} now: the load has changed"
        if load.pressed:
            return Drop(reason=Reason.LOAD_CHANGING, message=f"{message}, and {load.shape} is at a limit")
        return Keep(reason=proposal.reason, message=f"{message}, and none queues")

    # A neighbour that came or went explains some of the change, and nobody knows how much: both readings must agree.
    worst, best = min(change, change - left), max(change, change - left)
    slack = SOONER if objective is Objective.TIME else LEAST_GAIN
    least = slack if proposal.better else -slack
    error = SURENESS * _error(objective, before, load)
    upset = disturbed(before, load)
    longest = LONGEST_BY_TIME if objective is Objective.TIME else LONGEST_SAMPLES
    decided = load.samples >= (DISTURBED_SAMPLES if upset else longest)
    if worst - error > least or (decided and _believed(proposal, (worst + best) / 2, error / SURENESS) >= least):
        return Keep(reason=proposal.reason, message=figures, change=change)
    if _less_came(objective, before, load):
        message = f"{figures}, but fewer requests came and none queues: kept"
        return Keep(reason=Reason.APPLICATION_LIMITED, message=message, change=change)
    if (best + error < least and not upset) or decided:
        reason = Reason.NO_GAIN if best > -0.03 else Reason.REVERTED
        return TakeBack(reason=reason, message=f"{load.shape} brought {figures}", change=change)
    message = f"{figures} after {load.samples} s, ±{error:.0%}: not yet distinguishable from noise"
    return Wait(reason=Reason.VERIFYING, message=message)


def _error(objective: Objective, before: Point, load: Load) -> float:
    """Standard deviation of the change. The machine is the same: how much its seconds differ, both windows tell."""
    windows = (before, load)
    samples = sum(each.samples for each in windows)
    pooled = math.sqrt(sum(each.samples * objective.spread(each) ** 2 for each in windows) / samples)
    return math.hypot(*(objective.error(each, spread=pooled) for each in windows))


def _chance_of_errors(before: Point, load: Load) -> float:
    """And by the edge of the window: nginx's log may tell the errors of a second before uWSGI counts its requests."""
    answers = before.throughput * before.samples / max(1.0 - before.error_share, 1e-3)
    edge = before.error_share / max(1, load.samples)
    return errors_by_chance(before.error_share, answers, load.requests) + edge


def more_fail(risen: float, failed: float, *, chance: float) -> bool:
    """Is that many more errors than before? risen: share of the requests, now less before. failed: requests, now.
    chance: by how much the shares differ anyway."""
    return risen > MORE_ERRORS + chance and failed >= FEWEST_FAILED


def errors_by_chance(share: float, *requests: float) -> float:
    """By how much shares of errors in so many requests each may differ where they fail at random, `share` of them."""
    variance = share * (1.0 - share)
    return SURENESS * math.sqrt(variance * sum(1.0 / max(each, 1.0) for each in requests))


def _believed(proposal: Proposal, change: float, error: float) -> float:
    """What was measured, and what was expected of it before, each as sure as it is, but the guess no surer."""
    measured, expected = 1.0 / max(error, 1e-6) ** 2, 1.0 / max(proposal.doubt, error, 1e-6) ** 2
    return (measured * change + expected * proposal.gain) / (measured + expected)


def _objective(before: Point, load: Load) -> Objective:
    """Goodput first: requests that came in vain, or wait since before the change, say nothing about the time."""
    if before.closed != load.closed or before.overrun:
        return Objective.GOODPUT
    found = Objective.of(load)
    error = SURENESS * math.hypot(Objective.GOODPUT.error(before), Objective.GOODPUT.error(load))
    more = Objective.GOODPUT.reached(load) - Objective.GOODPUT.reached(before)
    return Objective.GOODPUT if before.slots_full and more > max(error, CLEARLY_MORE) else found


def _figures(objective: Objective, before: Point, load: Load, change: float) -> str:
    if objective is Objective.GOODPUT:
        share = f" ({_percent(change)})" if before.throughput >= 0.5 else ""
        return f"{_rate(before.throughput)} → {_rate(load.throughput)} requests/s{share}"
    return (
        f"{before.time_s * 1000:.1f} → {load.time_s * 1000:.1f} ms in the pod at {load.throughput:.0f} requests/s "
        f"({_percent(-change)})"
    )


def _rate(throughput: float) -> str:
    return f"{throughput:.0f}" if throughput >= 10 or not throughput else f"{throughput:.1f}"


def _percent(change: float) -> str:
    """Of a ln; a decimal where it is small."""
    return f"{math.expm1(change):+.1%}" if abs(change) < 0.095 else f"{math.expm1(change):+.0%}"


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


def _less_came(objective: Objective, before: Point, load: Load) -> bool:
    """Throughput follows arrivals: nothing queues, and a request spends no longer in the pod than before.

    With a fixed number of clients that is false whenever throughput fell: requests in the pod / throughput is then
    the time a request spends there.
    """
    if objective is Objective.TIME or (before.closed and load.closed) or load.slots_full or load.throughput <= 0:
        return False
    return load.time_s <= 1.05 * before.time_s
