"""Was the change good? Throughput before and after, in samples of one second."""

from dataclasses import replace

import pytest
from uwsgi_autopilot.tuner.verify import Verdict, judge

from tests.unit.tuner.making import seconds
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.report.reasons import Reason
from uwsgi_autopilot.tuner.load import load_of
from uwsgi_autopilot.tuner.memory import Asked, Point

BEFORE = replace(load_of(seconds(5)), throughput=400.0, spread=0.03)
MORE = Asked(shape=Shape(4, 13), before=Point.of(BEFORE), at=1.0, reason=Reason.FIRST_JUMP, better=True)
SMALLER = replace(MORE, shape=Shape(1, 4), better=False)


def after(throughput, samples=4, **changes):
    return replace(BEFORE, shape=Shape(4, 13), throughput=throughput, samples=samples, **changes)


@pytest.mark.parametrize(
    ("asked", "load", "verdict", "reason"),
    [
        pytest.param(MORE, after(800.0), Verdict.KEEP, Reason.FIRST_JUMP, id="twice as much"),
        pytest.param(MORE, after(420.0), Verdict.WAIT, Reason.VERIFYING, id="5 % in four seconds may be noise"),
        pytest.param(MORE, after(420.0, samples=12), Verdict.KEEP, Reason.FIRST_JUMP, id="5 % in twelve seconds"),
        pytest.param(MORE, after(402.0, samples=12), Verdict.TAKE_BACK, Reason.NO_GAIN, id="half a percent: no gain"),
        pytest.param(MORE, after(300.0, samples=3), Verdict.TAKE_BACK, Reason.REVERTED, id="a quarter less, at once"),
        pytest.param(SMALLER, after(400.0, samples=12), Verdict.KEEP, Reason.FIRST_JUMP, id="smaller and as good"),
        pytest.param(SMALLER, after(360.0, samples=12), Verdict.TAKE_BACK, Reason.REVERTED, id="smaller and worse"),
        pytest.param(
            MORE, after(800.0, error_share=0.05), Verdict.TAKE_BACK, Reason.ERRORS_HIGH, id="quicker, by failing"
        ),
        pytest.param(
            MORE,
            after(200.0, in_service=4.0, queued=0.0),
            Verdict.KEEP,
            Reason.APPLICATION_LIMITED,
            id="half of the requests came, and none waits longer",
        ),
        pytest.param(
            MORE,
            after(200.0, in_service=18.0, queued=0.0),
            Verdict.TAKE_BACK,
            Reason.REVERTED,
            id="as many clients, each waits twice as long",
        ),
    ],
)
def test_judge(asked, load, verdict, reason):
    judgement = judge(asked, load)
    assert (judgement.verdict, judgement.reason) == (verdict, reason)


def test_a_noisy_machine_takes_longer_to_convince():
    quiet, noisy = after(480.0), after(480.0, spread=0.15)
    assert judge(MORE, quiet).verdict is Verdict.KEEP
    assert judge(MORE, noisy).verdict is Verdict.WAIT


FULL = {"cores_used": 1.9, "runqueue_s": 0.01}


def test_what_a_neighbour_took_is_not_held_against_the_shape():
    """2 cores, then a neighbour takes one: 283 to 192 requests/s, as measured with 4x1. Per core left: 147 to 192."""
    before = Point.of(replace(BEFORE, throughput=283.0, foreign_cpu=0.1, **FULL))
    now = after(192.0, samples=12, foreign_cpu=1.0, **{**FULL, "cores_used": 1.0})
    judgement = judge(replace(MORE, before=before), now)
    assert judgement.verdict is Verdict.WAIT or judgement.verdict is Verdict.KEEP
    assert judgement.change > 0.2
    assert "per core that others left" in judgement.message


def test_a_loss_while_a_neighbour_wakes_up_is_waited_out():
    now = after(300.0, samples=12, foreign_cpu=1.0)
    assert judge(MORE, now).verdict is Verdict.WAIT
    assert judge(MORE, replace(now, samples=25)).verdict is Verdict.TAKE_BACK
