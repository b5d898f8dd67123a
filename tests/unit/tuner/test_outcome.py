"""What the fleet tells of a proposal that the tuner could not judge."""

from dataclasses import replace

import pytest

from tests.unit.tuner.making import WIDE, seconds
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.report.reasons import Reason
from uwsgi_autopilot.tuner.memory import Memory
from uwsgi_autopilot.tuner.outcome import IN_VAIN, hurt, not_carried_out, shape_changed, too_much, undecided
from uwsgi_autopilot.tuner.proposal import Hold, Proposal
from uwsgi_autopilot.tuner.propose import propose, recommend

SAMPLES = seconds(8, queue_mean=56.0)
PROPOSED = propose(Memory(), SAMPLES, WIDE)
PROPOSAL = PROPOSED.answer
assert isinstance(PROPOSAL, Proposal)
SINCE = SAMPLES[-1].at


def asked_again(memory):
    return propose(memory, seconds(8, after=SAMPLES, queue_mean=56.0), WIDE).answer


@pytest.mark.parametrize(
    ("outcome", "again"),
    [
        pytest.param(not_carried_out, False, id="the agent refused it"),
        pytest.param(hurt, False, id="it hurt"),
        pytest.param(
            lambda memory, proposal, since: too_much(memory, proposal, since, arrived_at=since - 5, most=8, why=""),
            False,
            id="it is too much for what all pods share",
        ),
        pytest.param(lambda memory, proposal, since: undecided(memory, since), True, id="nobody knows"),
    ],
)
def test_is_it_proposed_again(outcome, again):
    answer = asked_again(outcome(PROPOSED.memory, PROPOSAL, SINCE))
    assert isinstance(answer, Proposal)
    assert (answer.shape == PROPOSAL.shape) is again


def test_what_was_refused_counts_for_more_and_an_undecided_trial_as_one():
    assert undecided(PROPOSED.memory, SINCE).trials == 1
    assert not_carried_out(PROPOSED.memory, PROPOSAL, SINCE).trials == 1 + IN_VAIN


def test_another_shape_from_elsewhere_is_a_new_beginning():
    memory = shape_changed(hurt(PROPOSED.memory, PROPOSAL, SINCE), SINCE)
    assert memory == Memory(since=SINCE, at=SINCE)


def test_readings_from_before_do_not_count():
    answer = propose(undecided(PROPOSED.memory, SINCE), SAMPLES, WIDE).answer
    assert (type(answer), answer.reason) == (Hold, Reason.SETTLING)


def test_a_recommendation_is_said_once_and_is_no_change():
    first = recommend(Memory(), SAMPLES, WIDE)
    assert isinstance(first.answer, Proposal)
    assert (first.memory.trials, first.memory.swaps, first.memory.settled) == (0, 0, True)
    again = recommend(first.memory, seconds(1, after=SAMPLES, queue_mean=56.0), WIDE)
    assert isinstance(again.answer, Hold)
    assert again.memory.trials == 0


def test_what_is_too_much_for_all_pods_is_too_much_however_it_is_divided():
    known = too_much(PROPOSED.memory, PROPOSAL, SINCE, arrived_at=SINCE - 5, most=8, why="no more")
    assert PROPOSAL.shape.slots > 8
    assert known.forbids(PROPOSAL.shape)
    assert known.forbids(Shape(1, 9))
    assert known.forbids(Shape(9, 1))
    assert not known.forbids(Shape(1, 8))
    again = Memory.from_json(known.to_json())
    assert again.refused == known.refused


def test_what_one_pod_took_from_the_others_is_forgotten_and_what_was_known_before_is_not():
    before = replace(PROPOSAL.before, shape=PROPOSAL.shape, began=SINCE - 60)
    meanwhile = replace(before, began=SINCE - 5)
    memory = replace(PROPOSED.memory, points=(PROPOSAL.before, before, meanwhile))
    assert too_much(memory, PROPOSAL, SINCE, arrived_at=SINCE - 5, most=8, why="").points == (PROPOSAL.before, before)
