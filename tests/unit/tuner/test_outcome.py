"""What the fleet tells of a proposal that the tuner could not judge."""

import pytest

from tests.unit.tuner.making import WIDE, seconds
from uwsgi_autopilot.report.reasons import Reason
from uwsgi_autopilot.tuner.memory import Memory
from uwsgi_autopilot.tuner.outcome import hurt, not_carried_out, shape_changed, undecided
from uwsgi_autopilot.tuner.proposal import Hold, Proposal
from uwsgi_autopilot.tuner.propose import propose, recommend

SAMPLES = seconds(8, queue_mean=56.0)
PROPOSED = propose(Memory(), SAMPLES, WIDE)
PROPOSAL = PROPOSED.answer
assert isinstance(PROPOSAL, Proposal)
SINCE = SAMPLES[-1].at


def asked_again(memory, **changes):
    return propose(memory, seconds(8, after=SAMPLES, **{"queue_mean": 56.0, **changes}), WIDE).answer


@pytest.mark.parametrize(
    ("outcome", "queue_mean", "again"),
    [
        pytest.param(not_carried_out, 56.0, False, id="the agent refused it"),
        pytest.param(not_carried_out, 6000.0, False, id="the agent refused it, and much more load comes"),
        pytest.param(hurt, 56.0, False, id="it hurt"),
        # 64 requests in the pod then, 148 now
        pytest.param(hurt, 140.0, True, id="it hurt, and more than twice the load comes"),
        pytest.param(lambda memory, proposal, since: undecided(memory, since), 56.0, True, id="nobody knows"),
    ],
)
def test_is_it_proposed_again(outcome, queue_mean, again):
    answer = asked_again(outcome(PROPOSED.memory, PROPOSAL, SINCE), queue_mean=queue_mean)
    assert (isinstance(answer, Proposal) and answer.shape.slots >= PROPOSAL.shape.slots) is again


def test_an_undecided_trial_still_counts():
    assert undecided(PROPOSED.memory, SINCE).changes == 1


def test_another_shape_from_elsewhere_is_a_new_beginning():
    memory = shape_changed(hurt(PROPOSED.memory, PROPOSAL, SINCE), SINCE)
    assert memory == Memory(since=SINCE, at=SINCE)


def test_readings_from_before_do_not_count():
    answer = propose(undecided(PROPOSED.memory, SINCE), SAMPLES, WIDE).answer
    assert (type(answer), answer.reason) == (Hold, Reason.SETTLING)


def test_a_recommendation_is_said_once_and_is_no_change():
    first = recommend(Memory(), SAMPLES, WIDE)
    assert isinstance(first.answer, Proposal)
    assert (first.memory.changes, first.memory.settled) == (0, True)
    again = recommend(first.memory, seconds(1, after=SAMPLES, queue_mean=56.0), WIDE)
    assert isinstance(again.answer, Hold)
    assert (again.answer.reason, again.memory.changes) == (Reason.RECOMMENDED, 0)
    assert again.answer.message.startswith("4x14 is recommended: waits ")
