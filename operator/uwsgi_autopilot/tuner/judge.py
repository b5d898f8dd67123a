"""A proposed shape serves: does it stay? Asked once for each new sample from the moment it serves.

compare with before (comparison.py) ─► keep │ wait │ take back
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from uwsgi_autopilot.api.sample import Sample
from uwsgi_autopilot.report.reasons import Reason
from uwsgi_autopilot.tuner import wording
from uwsgi_autopilot.tuner.comparison import compare, disturbed
from uwsgi_autopilot.tuner.drift import log_ratio
from uwsgi_autopilot.tuner.limits import Limits
from uwsgi_autopilot.tuner.load import load_of, load_over
from uwsgi_autopilot.tuner.memory import Memory
from uwsgi_autopilot.tuner.proposal import Drop, Keep, Proposal, TakeBack, Verdict, Wait

VERIFY_S = 30.0  # window of a trial
QUIET_S = 60.0  # after this long with too few requests to judge a change by, it is kept for now
# ln of CPU per request after / before a change of shape: no shape does this much, so the workload changed.
CPU_JUMPED = 0.53
# What hurts is ended at once, settled or not: below this share of the throughput, in each of so many seconds.
HURTS = 0.8
HURTS_SECONDS = 2
HURTS_MUCH = 0.6  # below this share one second is enough
QUEUES = 2.0  # times the requests in the pod: of clients that do not wait, fewer may have come


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
    memory = replace(memory.seen(newest.at), jumped=True)
    before = proposal.before
    load = load_of(samples, since=arrived_at, seconds=VERIFY_S, cores=limits.cores, least_pool=memory.pool_size)
    if load is None:
        if (hurt := _hurts(memory, proposal, samples, limits, arrived_at)) is not None:
            return hurt
        if newest.at - arrived_at < QUIET_S:
            message = f"{before.shape} → {proposal.shape}: waiting for enough requests to judge it"
            return _wait(memory, Reason.VERIFYING, message)
        message = f"{proposal.shape} stays for now: too few requests in {QUIET_S:.0f} s to judge it"
        return Judged(memory=memory, verdict=Keep(reason=Reason.TOO_FEW_REQUESTS, message=message))
    if abs(log_ratio(load.cpu_s, before.cpu_s, soft=0.01 * before.service_s)) > CPU_JUMPED:
        message = wording.another_workload(before, cpu_s=load.cpu_s, wait_s=load.wait_s)
        return Judged(
            memory=memory.another_workload(arrived_at), verdict=Drop(reason=Reason.WORKLOAD_CHANGED, message=message)
        )
    verdict = compare(proposal, load)
    if isinstance(verdict, Wait):
        return Judged(memory=memory, verdict=verdict)
    memory = replace(memory, since=arrived_at).with_point(load)
    if isinstance(verdict, Drop):
        return Judged(memory=memory, verdict=verdict)
    if isinstance(verdict, Keep):
        # How the previous shape behaved when it was settled is no measure of this one.
        message = f"{before.shape} → {proposal.shape} stays: {verdict.message}"
        kept = replace(verdict, reason=proposal.reason, message=message)
        # A backend that answers sooner with fewer requests at once may do so with fewer still.
        probed = memory.probed and proposal.reason is not Reason.BACKEND_PROBE
        return Judged(memory=replace(memory, reference=None, probed=probed), verdict=kept)
    if verdict.reason is Reason.ERRORS_HIGH:
        memory = memory.with_refused(proposal.shape, up=proposal.up)
    return _back(memory, proposal, verdict)


def _back(memory: Memory, proposal: Proposal, verdict: TakeBack) -> Judged:
    before = proposal.before
    # The way back is a swap as well.
    memory = memory.spent(swaps=int(proposal.shape.threads != before.shape.threads), trials=0)
    message = f"{verdict.message}: back to {before.shape}"
    return Judged(memory=replace(memory, returned_to=before), verdict=replace(verdict, message=message))


def _wait(memory: Memory, reason: Reason, message: str) -> Judged:
    return Judged(memory=memory, verdict=Wait(reason=reason, message=message))


def _hurts(
    memory: Memory, proposal: Proposal, samples: Sequence[Sample], limits: Limits, arrived_at: float
) -> Judged | None:
    """Long before it can be measured well: nobody is to wait for a figure that is already clear."""
    before = proposal.before
    seconds = [each for each in samples if each.shape == proposal.shape and each.at - each.seconds >= arrived_at - 0.5]
    # The first second of a new worker is that of its first requests; fewer of the same workers have none.
    fewer = proposal.shape.threads == before.shape.threads and proposal.shape.processes < before.shape.processes
    counted = (seconds if fewer else seconds[1:])[-HURTS_SECONDS:]
    if not counted:
        return None
    load = load_over(counted, cores=limits.cores)
    least_inside = HURTS if before.closed else QUEUES
    if load is None or load.demand < least_inside * before.demand or disturbed(before, load):
        return None
    share = max(each.requests / each.seconds for each in counted) / max(before.throughput, 1e-3)
    if share >= (HURTS if len(counted) == HURTS_SECONDS else HURTS_MUCH):
        return None
    memory = replace(memory, since=arrived_at).with_point(load)
    figures = f"{before.throughput:.0f} → {load.throughput:.0f} requests/s in its first seconds"
    change = math.log(max(load.throughput, 1e-3) / max(before.throughput, 1e-3))
    message = f"{proposal.shape} brought {figures}"
    return _back(memory, proposal, TakeBack(reason=Reason.REVERTED, message=message, change=change))
