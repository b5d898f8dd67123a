"""A proposed shape serves: does it stay? Asked once for each new sample from the moment it serves.

compare throughput before and after (comparison.py) ─► keep │ wait │ take back, or go on to another shape
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from uwsgi_autopilot.api.sample import Sample
from uwsgi_autopilot.report.reasons import Reason
from uwsgi_autopilot.tuner import backend, wording
from uwsgi_autopilot.tuner.comparison import compare
from uwsgi_autopilot.tuner.drift import log_ratio
from uwsgi_autopilot.tuner.guards import Situation, first_objection
from uwsgi_autopilot.tuner.limits import Limits
from uwsgi_autopilot.tuner.load import Load, load_of
from uwsgi_autopilot.tuner.memory import Memory
from uwsgi_autopilot.tuner.point import Point
from uwsgi_autopilot.tuner.proposal import Drop, Keep, Proposal, TakeBack, Verdict, Wait
from uwsgi_autopilot.tuner.search import next_shape

VERIFY_S = 30.0  # window of a trial
QUIET_S = 60.0  # after this long with too few requests to judge a change by, it is kept for now
# ln of CPU per request after / before a change of shape: no shape does this much, so the workload changed.
CPU_JUMPED = 0.53
GAINED = 0.02  # ln of the throughput: a gain of this much ends a row of failures
PROMISING = 1.1  # throughput predicted from a failed trial, over that before it
BACKOFF_S = 30.0
LONGEST_BACKOFF_S = 1800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    memory: Memory
    verdict: Verdict


def judge(
    memory: Memory, proposal: Proposal, samples: Sequence[Sample], limits: Limits, *, arrived_at: float
) -> Judged:
    """`samples`: of the pod that tries it, as for `propose`; in the newest that shape serves.

    arrived_at: the instant from which they count, in seconds on their clock.
    """
    if not samples:
        return _wait(memory, Reason.NO_READINGS, "nothing has been measured yet")
    newest = samples[-1]
    if newest.at < arrived_at:
        message = f"the clock of the readings restarted: {proposal.shape} cannot be compared with the shape before"
        return Judged(memory=Memory(at=newest.at), verdict=Drop(reason=Reason.WORKLOAD_CHANGED, message=message))
    memory = memory.seen(newest.at)
    before = proposal.before
    load = load_of(samples, since=arrived_at, seconds=VERIFY_S, cores=limits.cores, least_pool=memory.pool_size)
    if load is None:
        if newest.at - arrived_at < QUIET_S:
            message = f"{before.shape} → {proposal.shape}: waiting for enough requests to judge it"
            return _wait(memory, Reason.VERIFYING, message)
        message = f"{proposal.shape} stays for now: too few requests in {QUIET_S:.0f} s to judge it"
        keep = Keep(reason=Reason.TOO_FEW_REQUESTS, message=message)
        return Judged(memory=replace(memory, jumped=True), verdict=keep)
    if abs(log_ratio(load.cpu_s, before.cpu_s, soft=0.01 * before.service_s)) > CPU_JUMPED:
        message = wording.another_workload(before, cpu_s=load.cpu_s, wait_s=load.wait_s)
        return Judged(
            memory=memory.reset(arrived_at, before), verdict=Drop(reason=Reason.WORKLOAD_CHANGED, message=message)
        )
    verdict = compare(proposal, load)
    if isinstance(verdict, Wait):
        return Judged(memory=memory, verdict=verdict)
    memory = memory.with_point(Point.of(load))
    if isinstance(verdict, Drop):
        return Judged(memory=replace(memory, since=arrived_at), verdict=verdict)
    memory = replace(memory, jumped=True)
    if isinstance(verdict, Keep):
        return _keep(memory, proposal, load, verdict, arrived_at)
    return _take_back(memory, proposal, load, verdict, samples, limits)


def _wait(memory: Memory, reason: Reason, message: str) -> Judged:
    return Judged(memory=memory, verdict=Wait(reason=reason, message=message))


def _keep(memory: Memory, proposal: Proposal, load: Load, verdict: Keep, arrived_at: float) -> Judged:
    # How the previous shape behaved when it was settled is no measure of this one.
    memory = replace(memory, since=arrived_at, reference=None).without_rejected(proposal.shape)
    if verdict.change is not None and verdict.change > GAINED:
        memory = replace(memory, fruitless=0, not_before=None)
    if proposal.reason is Reason.BACKEND_LIMITED:
        # The knee is found: no shape beyond it, or half way there, is worth another swap.
        for point in memory.points:
            if point.in_service >= backend.CLOSE * load.in_service:
                memory = memory.with_rejected(point.shape, up=True, demand=point.demand, change=0.0)
    message = f"{proposal.before.shape} → {proposal.shape} stays: {verdict.message}"
    return Judged(memory=memory, verdict=replace(verdict, reason=proposal.reason, message=message))


def _take_back(
    memory: Memory, proposal: Proposal, load: Load, verdict: TakeBack, samples: Sequence[Sample], limits: Limits
) -> Judged:
    memory = memory.with_rejected(proposal.shape, up=proposal.up, demand=max(load.demand, 1.0), change=verdict.change)
    memory = replace(memory, pool_size=load.pool_size)
    instead = None
    if not proposal.second and verdict.reason is not Reason.ERRORS_HIGH:
        instead = _instead(memory, proposal, load, samples, limits)
    memory = replace(memory, changes=memory.changes + 1)  # the next try, or the way back
    if instead is not None:
        return Judged(memory=memory, verdict=replace(verdict, instead=instead))
    fruitless = memory.fruitless + 1
    # The first failure may be followed by a second try at once; after that each one doubles the wait.
    pause = 0.0 if fruitless == 1 else min(BACKOFF_S * 2.0**fruitless, LONGEST_BACKOFF_S)
    memory = replace(memory, fruitless=fruitless, not_before=load.at + pause, returned_to=proposal.before)
    message = f"{verdict.message}: back to {proposal.before.shape}"
    return Judged(memory=memory, verdict=replace(verdict, message=message))


def _instead(
    memory: Memory, proposal: Proposal, load: Load, samples: Sequence[Sample], limits: Limits
) -> Proposal | None:
    """A failed trial may have shown why, a pool or a slow backend: then go where that points, not back first."""
    if first_objection(Situation(memory=memory, samples=samples, load=load)) is not None:
        return None
    before = proposal.before
    answer = next_shape(memory, load, limits)
    if not isinstance(answer, Proposal) or answer.shape == before.shape:
        return None
    if answer.expected < PROMISING * before.throughput:
        return None
    return replace(answer, before=before, better=True, second=True)
