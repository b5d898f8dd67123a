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

BEFORE = replace(load_of(seconds(5)), throughput=400.0, spread=0.03, closed=True)
RANDOM = {"closed": False}  # requests that come at random
MORE = Proposal(
    shape=Shape(4, 13),
    before=Point.of(BEFORE),
    at=1.0,
    reason=Reason.FIRST_JUMP,
    message="",
    better=True,
    expected=800.0,
    gain=0.0,
    doubt=1.0,
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
    assert "(-32%), +29% per core that others left" in found.message


def test_a_neighbour_that_goes_takes_no_good_change_back():
    """A core came free in the middle: +60 % altogether, which is -12 % per core that others left. Nobody knows."""
    before = Point.of(replace(BEFORE, throughput=400.0, foreign_cpu=1.0, **{**FULL, "cores_used": 1.0}))
    now = after(640.0, samples=25, foreign_cpu=0.1, **FULL)
    assert isinstance(compare(replace(MORE, before=before), now), Keep)


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


def waiting(ms, samples=20, rate=400.0, **changes):
    """Requests that come at random, all of which are served, and spend so long in the pod."""
    inside = rate * ms / 1000
    return after(rate, samples, **RANDOM, in_service=inside, queued=0.0, time_spread=0.1, **changes)


OPEN = replace(MORE, before=Point.of(replace(waiting(20.0, samples=8), shape=Shape(2, 4))))


def test_where_every_shape_serves_all_that_comes_the_sooner_one_stays():
    sooner = compare(OPEN, waiting(10.0))
    assert isinstance(sooner, Keep)
    assert sooner.message == "20.0 → 10.0 ms in the pod at 400 requests/s (-50%)"
    assert isinstance(compare(OPEN, waiting(19.8)), TakeBack)
    assert isinstance(compare(OPEN, waiting(40.0, samples=5)), TakeBack)


def test_a_queue_that_is_worked_off_is_no_slower_service():
    """More came than was served, until now: the requests that waited then are still inside."""
    before = Point.of(replace(BEFORE, queued=400.0, queue_growth=100.0, **RANDOM))
    assert before.overrun
    now = after(700.0, 5, **RANDOM, in_service=50.0, queued=300.0)
    assert isinstance(compare(replace(MORE, before=before), now), Keep)


def test_what_was_expected_helps_to_decide_what_cannot_be_measured():
    """Half a percent less in ten seconds is nothing; whether it stays depends on what is known of its neighbours."""
    level = after(398.0, samples=12)
    assert isinstance(compare(replace(MORE, gain=0.08, doubt=0.02), level), Keep)
    assert isinstance(compare(replace(MORE, gain=-0.03, doubt=0.02), level), TakeBack)


def test_a_guess_is_never_surer_than_the_measurement():
    """A loud machine: 41 → 75 requests/s, each give or take a third. It was taken back for a guess of -1 % ± 4 %."""
    before = Point.of(replace(BEFORE, throughput=41.0, spread=0.9))
    guessed = replace(MORE, before=before, gain=-0.01, doubt=0.04)
    assert isinstance(compare(guessed, after(75.0, samples=12, spread=0.9)), Keep)


def test_a_shape_that_drowns_is_not_excused_by_the_requests_that_it_keeps_waiting():
    before = Point.of(replace(BEFORE, throughput=400.0, in_service=10.0, queued=0.0, **RANDOM))
    drowned = after(150.0, 6, **RANDOM, in_service=4.0, queued=300.0)
    assert isinstance(compare(replace(SMALLER, before=before), drowned), TakeBack)


@pytest.mark.parametrize(
    ("share", "now", "back"),
    [
        pytest.param(0.0, 0.04, True, id="none failed before"),
        pytest.param(0.3, 0.34, False, id="as many as before, by chance"),
        pytest.param(0.3, 0.45, False, id="the errors of a second whose requests are not counted yet"),
        pytest.param(0.3, 0.6, True, id="twice as many"),
    ],
)
def test_a_share_of_errors_that_was_there_before_may_differ_by_chance(share, now, back):
    then = replace(MORE, before=replace(MORE.before, error_share=share))
    found = compare(then, after(800.0, error_share=now, samples=3, requests=200.0))
    assert (found.reason is Reason.ERRORS_HIGH) == back, found
