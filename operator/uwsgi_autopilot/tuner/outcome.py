"""What became of a proposed shape, where the tuner could not see it itself: the fleet tells it.

Each function returns the memory from then on. `since`: only samples that began later count, seconds on their clock.
"""

from dataclasses import replace

from uwsgi_autopilot.report.reasons import Reason
from uwsgi_autopilot.tuner.memory import Memory
from uwsgi_autopilot.tuner.proposal import Proposal

# Trials that count on top for a shape that never served: for no known reason, the next one may fare no better; where a
# limit was in the way, a smaller one fits.
IN_VAIN, TOO_LARGE = 2, 1


def not_carried_out(
    memory: Memory, proposal: Proposal, since: float, *, limit: Reason | None = None, why: str = ""
) -> Memory:
    """The agent refused it, or it never came. limit, why: what was in the way, if a person could lift it."""
    memory = memory.with_refused(proposal.shape, up=proposal.up, limit=limit, why=why)
    return undecided(memory.spent(swaps=0, trials=IN_VAIN if limit is None else TOO_LARGE), since)


def hurt(memory: Memory, proposal: Proposal, since: float) -> Memory:
    """The other pods showed that it is worse before the tuner could tell."""
    return undecided(memory.with_refused(proposal.shape, up=False), since)


def too_much(memory: Memory, proposal: Proposal, since: float, *, arrived_at: float, most: int, why: str) -> Memory:
    """All pods together served no more with it; what they share bears `most` slots of each. What was measured of it
    since `arrived_at`, in one pod, was taken from the others: that is forgotten, and with it a Keep."""
    own = tuple(each for each in memory.points if each.shape != proposal.shape or each.began < arrived_at)
    memory = replace(memory, points=own)
    memory = memory.with_refused(proposal.shape, up=True, limit=Reason.BACKEND_LIMITED, why=why, most=most)
    swap = proposal.shape.threads != proposal.before.shape.threads
    return undecided(memory.spent(swaps=int(swap), trials=IN_VAIN), since)


def undecided(memory: Memory, since: float) -> Memory:
    """As if it had not been proposed, except that it was paid for."""
    return replace(memory, since=since, returned_to=None, reference=None)


def returned(memory: Memory, since: float) -> Memory:
    """After a TakeBack the previous shape serves again. `propose` compares it once with how it did before the trial."""
    return replace(memory, since=since, reference=None)


def shape_changed(memory: Memory, since: float) -> Memory:
    """Somebody else changed the shape or its bounds: what was learnt about shapes is void."""
    return Memory(since=since, at=memory.at)
