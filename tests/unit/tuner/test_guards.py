"""May we change now? The first objection, and that the order of the questions is what it says."""

from dataclasses import replace

import pytest

from tests.unit.tuner.making import BASE, nobody, seconds
from uwsgi_autopilot.report.reasons import Reason
from uwsgi_autopilot.tuner.guards import GUARDS, Situation, errors_high, first_objection
from uwsgi_autopilot.tuner.load import load_of
from uwsgi_autopilot.tuner.memory import Memory

QUIET = Memory()


def situation(samples, memory=QUIET):
    return Situation(memory=memory, samples=samples, load=load_of(samples))


AMONG_A_THOUSAND = replace(BASE.census, idle=376.0, looks=240)
FAILING = {"errors": 100.0}
SLOW = {"requests": 5.0}


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(situation(seconds(8)), None, id="nothing objects"),
        pytest.param(
            situation(seconds(1, after=seconds(8), settled=False)), Reason.CHANGE_IN_PROGRESS, id="the agent is at it"
        ),
        pytest.param(situation(seconds(1, after=seconds(8), seconds=9.0)), Reason.STALE_READINGS, id="a blind agent"),
        pytest.param(situation(seconds(8, parked=2)), Reason.PARKED, id="two of its workers are put away"),
        pytest.param(situation(seconds(1, after=seconds(8, parked=2))), Reason.SETTLING, id="they have just returned"),
        pytest.param(situation(seconds(6, after=seconds(8, parked=2))), None, id="they returned seconds ago"),
        pytest.param(
            situation(seconds(1, after=seconds(3, settled=False))), Reason.SETTLING, id="one second after a change"
        ),
        pytest.param(situation(nobody(9)), Reason.TOO_FEW_REQUESTS, id="nobody comes"),
        pytest.param(situation(seconds(2)), Reason.TOO_FEW_REQUESTS, id="two seconds"),
        pytest.param(
            situation(seconds(4, census=AMONG_A_THOUSAND)), Reason.OBSERVING, id="five looks a second at busy threads"
        ),
        pytest.param(situation(seconds(8, census=AMONG_A_THOUSAND)), None, id="eight seconds of those must do"),
        pytest.param(situation(seconds(8, **FAILING)), Reason.ERRORS_HIGH, id="a quarter of the answers are errors"),
        pytest.param(situation(seconds(8, errors=1.0)), None, id="a few errors"),
        pytest.param(
            situation(seconds(2, after=seconds(6), foreign_cpu=1.2)), Reason.NOISY_NEIGHBOR, id="a neighbour wakes up"
        ),
        pytest.param(situation(seconds(8, foreign_cpu=1.2)), None, id="a neighbour that is always there"),
        pytest.param(
            situation(seconds(4, after=seconds(4), queue_mean=1.0)), Reason.LOAD_CHANGING, id="half of the clients left"
        ),
        pytest.param(
            situation(seconds(4, after=seconds(4), queue_mean=60.0)), Reason.LOAD_CHANGING, id="more came just now"
        ),
        pytest.param(
            situation(seconds(4, after=seconds(4), cpu_s=1.5)), Reason.LOAD_CHANGING, id="twice the CPU per request now"
        ),
        pytest.param(
            # 3 in the pod for 18 s, then 11: 3.8 on average, and growing
            situation(
                seconds(2, after=seconds(18, requests=5.0, busy=3.0, queue_mean=0.0), requests=5.0, queue_mean=3.0)
            ),
            Reason.LOAD_CHANGING,
            id="more came just now, and few requests before that",
        ),
        pytest.param(
            situation(seconds(2, after=seconds(60, busy=0.1, queue_mean=0.0, requests=1.0), requests=20.0)),
            Reason.TOO_FEW_REQUESTS,
            id="two seconds of a load after a trickle",
        ),
        pytest.param(
            situation([replace(each, queue_mean=80.0 * each.seq) for each in seconds(8)]),
            None,
            id="a queue without end",
        ),
        pytest.param(
            situation(nobody(1, after=seconds(8), settled=False, **FAILING)),
            Reason.CHANGE_IN_PROGRESS,
            id="a change in progress outranks everything",
        ),
    ],
)
def test_first_objection(seen, expected):
    hold = first_objection(seen)
    assert (hold.reason if hold else None) is expected


def test_every_objection_has_a_sentence_with_a_number_in_it():
    seen = [
        situation(seconds(1, after=seconds(8), settled=False)),
        situation(nobody(9)),
        situation(seconds(8, **FAILING)),
    ]
    for each in seen:
        hold = first_objection(each)
        assert hold is not None
        assert any(letter.isdigit() for letter in hold.message)
        assert len(hold.message) <= 256


def test_a_new_guard_is_one_function_in_the_tuple():
    def never(seen: Situation):
        return replace(first_objection(situation(nobody(9))), message="not on Fridays")

    assert first_objection(situation(seconds(8)), (never, *GUARDS)).message == "not on Fridays"


FAIL_AT_RANDOM = {"errors": 108.0}  # 30 % of the answers


@pytest.mark.parametrize(
    ("samples", "holds"),
    [
        pytest.param(seconds(8, **FAIL_AT_RANDOM), "before it is known whether that lasts", id="too new to be known"),
        pytest.param(seconds(10, **FAIL_AT_RANDOM), None, id="for ten seconds"),
        pytest.param(seconds(120, **FAIL_AT_RANDOM), None, id="for two minutes"),
        pytest.param(
            seconds(2, after=seconds(20), errors=300.0), "600 of 1800 requests failed in the last 5 s, 0 % before",
            id="they have risen",
        ),
        pytest.param(
            seconds(3, after=seconds(20, **FAIL_AT_RANDOM), errors=250.0), "30% before", id="more than usual",
        ),
        pytest.param(seconds(16, after=seconds(20), **FAIL_AT_RANDOM), None, id="risen, and for 16 s the same"),
        pytest.param(seconds(120, errors=350.0), "no shape serves more", id="nearly all, for two minutes"),
        pytest.param(
            seconds(20, requests=0.0, errors=3.0), None, id="time-outs of requests that never reached the application"
        ),
    ],
)  # fmt: skip
def test_a_share_of_errors_objects_while_it_is_new_or_has_risen(samples, holds):
    hold = errors_high(situation(samples))
    assert (hold is None) == (holds is None), hold
    assert holds is None or holds.replace(" %", "%") in hold.message


def test_errors_that_the_memory_knows_of_do_not_object_when_the_load_comes_back():
    load = load_of(seconds(20, **FAIL_AT_RANDOM))
    known = Memory().with_point(load)
    back = seconds(8, after=nobody(60), **FAIL_AT_RANDOM)
    assert errors_high(situation(back)) is not None
    assert errors_high(situation(back, known)) is None
