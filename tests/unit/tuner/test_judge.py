"""Does a shape that was proposed stay? And what is remembered of it."""

from dataclasses import replace

import pytest

from tests.unit.tuner.making import BASE, WIDE, nobody, seconds
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.report.reasons import Reason
from uwsgi_autopilot.tuner.judge import judge
from uwsgi_autopilot.tuner.memory import Memory
from uwsgi_autopilot.tuner.outcome import returned
from uwsgi_autopilot.tuner.proposal import Drop, Hold, Keep, Proposal, TakeBack, Wait
from uwsgi_autopilot.tuner.propose import propose

BEFORE = seconds(8, queue_mean=56.0)
FIRST = propose(Memory(), BEFORE, WIDE)
JUMP = FIRST.answer
assert isinstance(JUMP, Proposal)
ARRIVED = BEFORE[-1].at + 2.0
# 56 of 64 clients in service.
FULL = {"shape": JUMP.shape, "generation": 2, "busy": 56.0, "queue_mean": 8.0, "service_s": 56.0}
WAITING = replace(BASE.census, running=1.9, io=51.0, interpreter_lock=3.1, looks=1000)
SLOWER = {
    **FULL,
    "requests": 300.0,
    "cpu_s": 0.6,
    "census": replace(WAITING, running=0.6, io=55.4, interpreter_lock=0.0),
}


def trial(count, **changes):
    """Two seconds of a swap, then `count` of the new shape."""
    swap = seconds(2, after=BEFORE, settled=False)
    return seconds(count, after=swap, **{**FULL, "cpu_s": 1.7, "requests": 820.0, "census": WAITING, **changes})


def verdict_on(samples, memory=FIRST.memory, proposal=JUMP, limits=WIDE):
    return judge(memory, proposal, samples, limits, arrived_at=ARRIVED)


def test_what_is_proposed_says_what_it_is_compared_with():
    assert (JUMP.before.shape, JUMP.before.throughput, JUMP.better) == (Shape(2, 4), 360.0, True)
    assert (FIRST.memory.trials, FIRST.memory.swaps) == (1, 1)


def test_a_shape_that_serves_more_stays():
    judged = verdict_on(trial(6))
    assert isinstance(judged.verdict, Keep)
    assert judged.verdict.reason is Reason.FIRST_JUMP
    assert judged.verdict.message == f"2x4 → {JUMP.shape} stays: 360 → 820 requests/s (+128%)"
    assert (judged.memory.jumped, judged.memory.since, judged.memory.settled) == (True, ARRIVED, False)


@pytest.mark.parametrize(
    ("samples", "kind", "reason"),
    [
        pytest.param([], Wait, Reason.NO_READINGS, id="nothing measured"),
        pytest.param(trial(1), Wait, Reason.VERIFYING, id="one second"),
        pytest.param(
            nobody(50, after=trial(1, requests=0.0), **FULL | {"busy": 0.0}), Wait, Reason.VERIFYING, id="quiet"
        ),
        pytest.param(
            nobody(60, after=trial(1, requests=0.0), **FULL | {"busy": 0.0}),
            Keep,
            Reason.TOO_FEW_REQUESTS,
            id="a minute",
        ),
        pytest.param(
            trial(5, cpu_s=4.0), Drop, Reason.WORKLOAD_CHANGED, id="twice the CPU per request: no shape's doing"
        ),
        pytest.param(
            [replace(each, at=each.at - 990.0) for each in trial(5)], Drop, Reason.WORKLOAD_CHANGED, id="another boot"
        ),
        pytest.param(trial(5, **SLOWER), TakeBack, Reason.REVERTED, id="a sixth less"),
        pytest.param(trial(5, errors=200.0), TakeBack, Reason.ERRORS_HIGH, id="a quarter of the answers are errors"),
    ],
)
def test_the_verdict(samples, kind, reason):
    verdict = verdict_on(samples).verdict
    assert (type(verdict), verdict.reason) == (kind, reason)


def test_what_failed_requests_is_not_proposed_again_nor_what_is_larger():
    judged = verdict_on(trial(5, errors=200.0))
    assert judged.verdict.message.endswith(": back to 2x4")
    assert [(each.shape, each.up) for each in judged.memory.refused] == [(JUMP.shape, True)]


def test_what_was_measured_in_a_trial_is_kept_as_a_point():
    points = verdict_on(trial(8, **SLOWER)).memory.points
    assert [(each.shape, each.throughput) for each in points] == [(Shape(2, 4), 360.0), (JUMP.shape, 300.0)]


HURTING = {**SLOWER, "requests": 150.0, "cpu_s": 0.3, "service_s": 56.0}


def test_a_shape_that_hurts_is_ended_in_its_first_seconds():
    """360 requests/s before, 150 in the second second, with as many clients."""
    before = replace(JUMP, before=replace(JUMP.before, closed=True))
    judged = verdict_on(trial(1, **HURTING), proposal=before)
    assert isinstance(judged.verdict, Wait)
    judged = verdict_on(trial(2, **HURTING), proposal=before)
    assert isinstance(judged.verdict, TakeBack)
    assert judged.verdict.message == f"{JUMP.shape} brought 360 → 150 requests/s in its first seconds: back to 2x4"
    assert judged.memory.points[-1].shape == JUMP.shape


def test_what_hurts_less_has_to_do_so_for_two_seconds():
    before = replace(JUMP, before=replace(JUMP.before, closed=True))
    less = {**HURTING, "requests": 250.0}
    assert isinstance(verdict_on(trial(2, **less), proposal=before).verdict, Wait)
    assert isinstance(verdict_on(trial(3, **less), proposal=before).verdict, TakeBack)


def test_a_first_second_without_answers_is_no_verdict():
    cold = trial(1, **{**HURTING, "requests": 5.0})
    assert isinstance(verdict_on(seconds(3, after=cold, **FULL, requests=820.0, cpu_s=1.7)).verdict, Wait | Keep)


def test_back_at_the_shape_of_before_it_is_compared_once_with_what_that_did():
    memory = verdict_on(trial(5, errors=200.0)).memory
    back = seconds(2, after=trial(5, errors=200.0), settled=False)
    since = back[-1].at
    memory = returned(memory, since)
    as_before = seconds(8, after=back, generation=3, queue_mean=56.0)
    same = propose(memory, as_before, WIDE)
    assert same.memory.returned_to is None
    assert same.answer.reason is not Reason.WORKLOAD_CHANGED
    other = propose(memory, seconds(8, after=back, generation=3, cpu_s=1.8, requests=300.0), WIDE)
    assert isinstance(other.answer, Hold)
    assert other.answer.reason is Reason.WORKLOAD_CHANGED
    assert (other.memory.since, other.memory.jumped, other.memory.trials) == (since, False, 0)
