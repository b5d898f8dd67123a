"""Was the change good? Throughput before and after, in samples of one second."""

from dataclasses import replace

import pytest

from tests.unit.tuner.making import seconds
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.report.reasons import Reason
from uwsgi_autopilot.tuner.comparison import compare
from uwsgi_autopilot.tuner.load import load_of
from uwsgi_autopilot.tuner.point import Point
from uwsgi_autopilot.tuner.proposal import Drop, Keep, Proposal, TakeBack, Wait

BEFORE = replace(load_of(seconds(5)), throughput=400.0, spread=0.03)
MORE = Proposal(
    shape=Shape(4, 13),
    before=Point.of(BEFORE),
    at=1.0,
    reason=Reason.FIRST_JUMP,
    message="",
    better=True,
    expected=800.0,
)
SMALLER = replace(MORE, shape=Shape(1, 4), better=False)


def after(throughput, samples=4, **changes):
    return replace(BEFORE, shape=Shape(4, 13), throughput=throughput, samples=samples, **changes)


@pytest.mark.parametrize(
    ("proposal", "load", "verdict", "reason"),
    [
        pytest.param(MORE, after(800.0), Keep, Reason.FIRST_JUMP, id="twice as much"),
        pytest.param(MORE, after(420.0), Wait, Reason.VERIFYING, id="5 % in four seconds may be noise"),
        pytest.param(MORE, after(420.0, samples=12), Keep, Reason.FIRST_JUMP, id="5 % in twelve seconds"),
        pytest.param(MORE, after(402.0, samples=12), TakeBack, Reason.NO_GAIN, id="half a percent: no gain"),
        pytest.param(MORE, after(300.0, samples=3), TakeBack, Reason.REVERTED, id="a quarter less, at once"),
        pytest.param(SMALLER, after(400.0, samples=12), Keep, Reason.FIRST_JUMP, id="smaller and as good"),
        pytest.param(SMALLER, after(360.0, samples=12), TakeBack, Reason.REVERTED, id="smaller and worse"),
        pytest.param(MORE, after(800.0, error_share=0.05), TakeBack, Reason.ERRORS_HIGH, id="quicker, by failing"),
        pytest.param(
            MORE,
            after(200.0, in_service=4.0, queued=0.0),
            Keep,
            Reason.APPLICATION_LIMITED,
            id="half of the requests came, and none waits longer",
        ),
        pytest.param(
            MORE,
            after(200.0, in_service=18.0, queued=0.0),
            TakeBack,
            Reason.REVERTED,
            id="as many clients, each waits twice as long",
        ),
    ],
)
def test_compare(proposal, load, verdict, reason):
    found = compare(proposal, load)
    assert (type(found), found.reason) == (verdict, reason)


def test_a_noisy_machine_takes_longer_to_convince():
    quiet, noisy = after(480.0), after(480.0, spread=0.15)
    assert isinstance(compare(MORE, quiet), Keep)
    assert isinstance(compare(MORE, noisy), Wait)


FULL = {"cores_used": 1.9, "runqueue_s": 0.01}


def test_what_a_neighbour_took_is_not_held_against_the_shape():
    """2 cores, then a neighbour takes one: 283 to 192 requests/s, as measured with 4x1. Per core left: 147 to 192."""
    before = Point.of(replace(BEFORE, throughput=283.0, foreign_cpu=0.1, **FULL))
    now = after(192.0, samples=12, foreign_cpu=1.0, **{**FULL, "cores_used": 1.0})
    found = compare(replace(MORE, before=before), now)
    assert isinstance(found, Wait)
    assert "(-32%, +29% per core that others left)" in found.message


def test_a_loss_while_a_neighbour_wakes_up_is_waited_out():
    now = after(300.0, samples=12, foreign_cpu=1.0)
    assert isinstance(compare(MORE, now), Wait)
    assert isinstance(compare(MORE, replace(now, samples=25)), TakeBack)


def test_a_smaller_shape_is_not_measured_by_how_many_more_requests_come():
    """50 requests/s were all that came to the shape before: what it would have served of 800 nobody knows."""
    trickle = Point.of(replace(BEFORE, throughput=50.0, in_service=1.1, queued=0.0))
    smaller = replace(SMALLER, before=trickle)
    void = compare(smaller, after(800.0, in_service=52.0, queued=12.0))
    assert (type(void), void.reason) == (Drop, Reason.LOAD_CHANGING)
    kept = compare(smaller, after(300.0, in_service=20.0, queued=0.0))
    assert (type(kept), kept.change) == (Keep, None)
    assert "%" not in void.message + kept.message
