"""What was tried and taken back is not tried again, unless something has measurably changed; and then it is said."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.simulator.agent import Agent
from tests.simulator.flight import Flight
from tests.unit.tuner.making import BASE, WIDE, seconds
from uwsgi_autopilot.api.sample import Census
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.fleet.history import Kind
from uwsgi_autopilot.tuner.load import load_of
from uwsgi_autopilot.tuner.memory import Memory
from uwsgi_autopilot.tuner.point import Point
from uwsgi_autopilot.tuner.proposal import Hold, Proposal
from uwsgi_autopilot.tuner.search import next_shape
from uwsgi_autopilot.tuner.tried import again, blocking

# --- Radicale, a calendar server: CPU and file locks. 32 clients, 2x4 on two cores that others use too. Measured.

COMPUTING = Census(running=7.4, io=0.0, interpreter_lock=0.6, application_lock=0.0, idle=0.0, looks=160)
CALENDAR: dict[str, Any] = {"foreign_cpu": 1.45, "memory_bytes": None, "queue_mean": 24.4, "census": COMPUTING}
USUAL = {**CALENDAR, "requests": 221.0, "cpu_s": 0.55, "runqueue_s": 6.4, "worker_cpu": 0.28}
SINGLE = Census(running=4.0, io=0.0, interpreter_lock=0.0, application_lock=0.0, idle=0.0, looks=80)
FOUR_ALONE = {
    **CALENDAR,
    "requests": 150.0,
    "cpu_s": 0.37,
    "runqueue_s": 3.6,
    "busy": 4.0,
    "service_s": 4.0,
    "queue_mean": 28.0,
    "census": SINGLE,
}
# A slow minute of the machine, as it followed the way back: the same requests took 4.1 ms of CPU instead of 2.5.
SLOW = {**USUAL, "requests": 106.0, "cpu_s": 0.43}


class Recited(Agent):
    """A machine that needs a second for a change, and does in each second what `figures` says for the shape."""

    def __init__(self, figures: Callable[[int, Shape], dict[str, Any]]) -> None:
        super().__init__(Shape(2, 4))
        self.figures = figures
        self.returned = 0

    def second(self, now: float) -> None:
        before = self.following.target
        self.follow(now)
        target = self.following.target
        seq = len(self.samples) + 1
        if target != before:
            self.returned = seq if target == Shape(2, 4) else 0
        figures = self.figures(seq - self.returned if self.returned else -1, target)
        new = replace(BASE, seq=seq, at=now, shape=target, settled=target == before, **figures)
        self.samples.append(new)


def flown(figures: Callable[[int, Shape], dict[str, Any]], length: int) -> Flight:
    flight = Flight(Recited(figures))
    for second in range(1, length + 1):
        flight.second(1000.0 + second)
    return flight


def tries(flight: Flight) -> list[str]:
    return [str(each.to_shape) for _, each in flight.entries if each.kind is Kind.TRY]


@pytest.mark.parametrize(
    "slow",
    [
        pytest.param(range(0), id="a quiet machine"),
        pytest.param(range(2, 9), id="slow right after the way back"),
        pytest.param(range(2, 6), id="slow while it is settled, then as before"),
        pytest.param(range(30, 45), id="slow later"),
    ],
)
def test_a_slow_minute_after_the_way_back_is_no_reason_to_try_it_again(slow):
    def figures(after: int, shape: Shape) -> dict[str, Any]:
        if shape != Shape(2, 4):
            return FOUR_ALONE
        return SLOW if after in slow else USUAL

    flight = flown(figures, 240)
    assert tries(flight) == ["4x1"], flight.way
    assert flight.agent.following.target == Shape(2, 4)


def test_requests_that_compute_four_times_as_long_are_a_reason_and_it_is_said():
    def figures(after: int, shape: Shape) -> dict[str, Any]:
        if shape != Shape(2, 4):
            return FOUR_ALONE
        return {**USUAL, "requests": 55.0} if after >= 40 else USUAL

    flight = flown(figures, 120)
    again_at = next(each for _, each in flight.entries[1:] if each.kind is Kind.TRY)
    assert again_at.to_shape == Shape(4, 1)
    assert "4x1 was tried " in again_at.message
    assert again_at.message.endswith(" s ago and taken back; again because CPU per request went 2.5 ms → 10.0 ms")


# --- one question at a time

BASE_LOAD = replace(load_of(seconds(5)), queued=56.0, wait_s=0.020, cpu_s=0.0022)  # type: ignore[type-var]
FAILED = Memory(at=900.0).with_rejected(Shape(4, 13), up=True, demand=64.0, change=0.0)


def beyond(memory: Memory, **known: float) -> Memory:
    """The workload was found to have changed; until then it behaved like this."""
    return memory.reset(1000.0, replace(Point.of(BASE_LOAD), **known))


@pytest.mark.parametrize(
    ("known", "because"),
    [
        pytest.param({"wait_s": 0.020, "cpu_s": 0.0022}, None, id="nothing: a false alarm"),
        pytest.param({"wait_s": 0.013}, None, id="half as much wait again"),
        pytest.param({"cpu_s": 0.0014}, None, id="half as much CPU again"),
        pytest.param({"wait_s": 0.006}, "waits went 6.0 ms → 20.0 ms", id="three times the wait"),
        pytest.param({"wait_s": 0.060}, "waits went 60.0 ms → 20.0 ms", id="a third of the wait"),
        pytest.param({"cpu_s": 0.0008}, "CPU per request went 0.8 ms → 2.2 ms", id="nearly three times the CPU"),
    ],
)
def test_beyond_a_change_of_the_workload_it_is_tried_again_when_that_change_is_large(known, because):
    answer = next_shape(beyond(FAILED, **known), BASE_LOAD, WIDE)
    if because is None:
        assert isinstance(answer, Hold)
        assert "4x13 was tried" in answer.message
    else:
        assert isinstance(answer, Proposal)
        assert answer.message.endswith(f"; 4x13 was tried 105 s ago and taken back; again because {because}")


def test_twice_the_load_is_a_reason_and_it_is_said():
    failed = Memory(at=900.0).with_rejected(Shape(4, 13), up=True, demand=30.0, change=0.0)
    assert again(failed.rejected, Shape(4, 13), BASE_LOAD) == (
        "4x13 was tried 105 s ago and taken back; again because requests in the pod went 30 → 64"
    )


@pytest.mark.parametrize(
    ("shape", "blocked"),
    [
        pytest.param(Shape(4, 13), True, id="the same"),
        pytest.param(Shape(5, 12), True, id="one like it"),
        pytest.param(Shape(3, 8), True, id="less of the same"),
        pytest.param(Shape(2, 13), True, id="only its threads"),
        pytest.param(Shape(16, 5), False, id="another way"),
        pytest.param(Shape(1, 4), False, id="the other way"),
    ],
)
def test_what_brought_nothing_speaks_against_a_weaker_shape_too(shape, blocked):
    assert (blocking(FAILED.rejected, shape, BASE_LOAD) is not None) is blocked


def test_what_was_refused_says_nothing_about_less_of_it():
    refused = Memory().with_rejected(Shape(4, 13), up=True, demand=1e9)
    assert blocking(refused.rejected, Shape(4, 13), BASE_LOAD) is not None
    assert blocking(refused.rejected, Shape(3, 8), BASE_LOAD) is None


def test_other_bounds_are_another_question():
    assert FAILED.reset(1000.0).rejected == ()


def test_a_shape_that_stays_after_all_has_not_failed():
    assert FAILED.without_rejected(Shape(4, 13)).rejected == ()


def test_a_clock_that_was_set_back_leaves_what_is_learnt():
    back = FAILED.without_instants()
    assert (back.at, [each.shape for each in back.rejected]) == (None, [Shape(4, 13)])
    assert again(beyond(back, wait_s=0.006).rejected, Shape(4, 13), BASE_LOAD) == (
        "4x13 was tried before and taken back; again because waits went 6.0 ms → 20.0 ms"
    )
