"""What became of a proposed shape, where the tuner could not see it itself: the fleet tells it.

Each function returns the memory from then on. `since`: only samples that began later count, seconds on their clock.
"""

from dataclasses import replace

from uwsgi_autopilot.tuner.memory import Memory
from uwsgi_autopilot.tuner.proposal import Proposal

NEVER_ENOUGH = 1e9  # demand: what was not carried out is not proposed again under any load
MUCH_WORSE = -0.5  # ln of the throughput: clear from the other pods before it could be measured


def not_carried_out(memory: Memory, proposal: Proposal, since: float) -> Memory:
    """The agent refused it, or it never came."""
    return undecided(memory.with_rejected(proposal.shape, up=proposal.up, demand=NEVER_ENOUGH), since)


def hurt(memory: Memory, proposal: Proposal, since: float) -> Memory:
    """The other pods showed that it is worse before the tuner could tell: not again under this load."""
    demand = max(proposal.before.demand, 1.0)
    memory = memory.with_rejected(proposal.shape, up=proposal.up, demand=demand, change=MUCH_WORSE)
    return undecided(memory, since)


def undecided(memory: Memory, since: float) -> Memory:
    """As if it had not been proposed, except that it counts as a change."""
    return replace(memory, since=since, returned_to=None)


def returned(memory: Memory, since: float) -> Memory:
    """After a TakeBack the previous shape serves again. `propose` compares it once with how it did before the trial."""
    return replace(memory, since=since)


def shape_changed(memory: Memory, since: float) -> Memory:
    """Somebody else changed the shape or its bounds: what was learnt about shapes is void."""
    return memory.reset(since)
