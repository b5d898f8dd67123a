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
    assert JUMP.shape == Shape(4, 14)
    assert (JUMP.before.shape, JUMP.before.throughput, JUMP.better, JUMP.second) == (Shape(2, 4), 360.0, True, False)
    assert FIRST.memory.changes == 1


def test_a_shape_that_serves_more_stays():
    judged = verdict_on(trial(6))
    assert isinstance(judged.verdict, Keep)
    assert judged.verdict.reason is Reason.FIRST_JUMP
    assert judged.verdict.message == "2x4 → 4x14 stays: 360 → 820 requests/s (+128%)"
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


def test_what_is_taken_back_is_remembered_and_the_second_time_costs_a_pause():
    once = verdict_on(trial(5, errors=200.0))
    assert once.verdict.instead is None
    assert once.verdict.message.endswith(": back to 2x4")
    assert [(each.shape, each.up) for each in once.memory.rejected] == [(Shape(4, 14), True)]
    # The try and the way back.
    assert (once.memory.changes, once.memory.fruitless) == (2, 1)
    assert once.memory.not_before <= trial(5)[-1].at
    twice = verdict_on(trial(5, errors=200.0), memory=once.memory)
    # 30 s * 2 ** 2
    assert twice.memory.not_before == trial(5)[-1].at + 120.0


def test_a_trial_that_shows_a_slow_backend_goes_on_to_fewer_slots_once():
    """Seven times the requests in service, and a sixth less throughput: W grew from 20 to 185 ms."""
    judged = verdict_on(trial(8, **SLOWER))
    further = judged.verdict.instead
    assert (further.reason, further.second, further.before) == (Reason.BACKEND_LIMITED, True, JUMP.before)
    # 56 * (20 / 185) ** (1 / 1.4) = 11.4 slots in four processes
    assert further.shape == Shape(4, 3)
    # The further try counts; it is no failure yet.
    assert (judged.memory.changes, judged.memory.fruitless) == (2, 0)
    assert verdict_on(trial(8, **SLOWER), proposal=replace(JUMP, second=True)).verdict.instead is None


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
    assert (other.memory.since, other.memory.jumped, other.memory.fruitless) == (since, False, 1)
    # What failed is remembered, with the CPU and the wait per request that it failed for.
    assert [(each.shape, each.cpu_s, each.wait_s) for each in other.memory.rejected] == [
        (JUMP.shape, pytest.approx(0.002), pytest.approx(0.020))
    ]
