"""The one pending change: who is given the shape next, and what outlives the operator."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.fleet.making import NOW, OTHER, START
from tests.unit.fleet.test_compare import BEFORE
from tests.unit.fleet.test_shared import figures
from tests.unit.tuner.test_outcome import PROPOSAL
from uwsgi_autopilot.api.desired import Version
from uwsgi_autopilot.fleet.change import NEXT, TRIAL_SECONDS, Change, Event, Stage
from uwsgi_autopilot.report.reasons import Reason
from uwsgi_autopilot.tuner.proposal import Said

CHANGE = Change(stage=Stage.TRYING, shape=OTHER, before=START, version=Version(2, 1), issued_at=NOW, pod="a")


@pytest.mark.parametrize(
    ("pods", "others", "wider"),
    [
        pytest.param("a", "", "", id="a single pod has it"),
        pytest.param("ab", "", "b", id="two: one, then both"),
        pytest.param("abc", "", "b", id="three: then two"),
        pytest.param("abc", "b", "bc", id="three: then all"),
        pytest.param("abcdef", "", "bc", id="six: then three"),
        pytest.param("abcdef", "bc", "bcdef", id="six: then all"),
        pytest.param("abcdef", "bcdef", "", id="all have it"),
        pytest.param("abcd", "b", "bcd", id="four, of five that there were: all"),
        pytest.param("abcx", "bc", "bcx", id="one that came later"),
    ],
)
def test_who_is_given_it_next(pods, others, wider):
    change = Change(**{name: getattr(CHANGE, name) for name in Change.__slots__} | {"others": tuple(others)})
    assert change.wider(pods) == tuple(wider)


@given(number=st.integers(1, 60))
def test_every_pod_gets_it_in_two_steps_at_most_and_none_twice(number):
    pods = ["a", *(f"pod-{each}" for each in range(number - 1))]
    change, steps = CHANGE, []
    while others := change.wider(pods):
        steps.append(others)
        change = Change(**{name: getattr(CHANGE, name) for name in Change.__slots__} | {"others": others})
    assert len(steps) == min(2, number - 1)
    assert all(change.concerns(uid) for uid in pods)
    assert len(set(change.others)) == number - 1
    if len(steps) == 2:
        assert len(steps[0]) + 1 == (number + 1) // 2


def test_trials_of_several_pods_end_at_different_moments_and_each_always_at_its_own():
    change = Change(**{name: getattr(CHANGE, name) for name in Change.__slots__} | {"others": ("b", "c")})
    ends = [change.trial_of(uid).trial_seconds for uid in "abc"]
    assert len(set(ends)) == 3
    assert ends == [change.trial_of(uid).trial_seconds for uid in "abc"]
    assert CHANGE.trial_of("a").trial_seconds == TRIAL_SECONDS


def test_all_of_it_outlives_the_operator():
    change = Change(
        stage=Stage.STARTING, shape=OTHER, before=START, version=Version(2, 7), issued_at=NOW, entered_at=NOW + 1,
        pod="a", others=("b", "c"), urgent=True, proposal=PROPOSAL, baseline=BEFORE, together=figures(),
        peak=figures(rps=200.0), arrived_at=NOW + 2, kept=Said(reason=Reason.FIRST_JUMP, message="it stays"),
        judged_back=True,
    )  # fmt: skip
    again = Change.from_json(json.loads(json.dumps(change.to_json())))
    assert again.to_json() == change.to_json()
    assert {name for name in Change.__slots__ if getattr(again, name) in (None, (), False)} == set()


def test_whatever_happens_to_a_trial_there_is_a_way_on():
    """From STARTING and TRYING, every end leads to the pods' return or to the promotion, never to nothing."""
    ends = {Event.VOID, Event.NOT_CARRIED_OUT, Event.POD_GONE}
    for stage in (Stage.STARTING, Stage.TRYING):
        assert {NEXT[stage, event] for event in ends} == {Stage.REVERTING}
    assert NEXT[Stage.TRYING, Event.MORE] is Stage.STARTING
