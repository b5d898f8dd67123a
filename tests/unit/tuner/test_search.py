"""What shape next, from loads as they were measured."""

from dataclasses import replace

import pytest

from tests.unit.tuner.making import WIDE, seconds
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import Bounds
from uwsgi_autopilot.report.reasons import Reason
from uwsgi_autopilot.tuner.limits import Limits
from uwsgi_autopilot.tuner.load import load_of
from uwsgi_autopilot.tuner.memory import Memory
from uwsgi_autopilot.tuner.point import Point
from uwsgi_autopilot.tuner.proposal import Hold, Proposal, Refusal
from uwsgi_autopilot.tuner.search import aim, between, next_shape

BASE = load_of(seconds(5))  # 2x4 full, 10 waiting, 20 ms wait, 2 ms CPU


def load(**changes):
    return replace(BASE, **changes)


@pytest.mark.parametrize(
    ("seen", "limits", "expected"),
    [
        # ceil(1.25 * (1 + 20 / 2.2)) = 13 threads; round(2 + 1.4 * sqrt(2)) = 4 processes
        pytest.param(
            load(wait_s=0.020, cpu_s=0.0022, queued=56.0), WIDE, Shape(4, 13), id="20 ms wait, 2.2 ms CPU, 64 clients"
        ),
        # ceil(18 + 2.33 * sqrt(18)) = 28 slots for 18 requests
        pytest.param(load(wait_s=0.020, cpu_s=0.0022), WIDE, Shape(4, 7), id="20 ms wait, 2.2 ms CPU, 18 clients"),
        pytest.param(
            load(wait_s=0.020, cpu_s=0.0022, in_service=3.0, queued=0.0),
            WIDE,
            Shape(4, 13),
            id="nothing is exhausted: what the workload could use",
        ),
        pytest.param(load(wait_s=0.0002, cpu_s=0.0054), WIDE, Shape(4, 1), id="pure CPU: one thread"),
        # wait / CPU = 200: ceil(64 + 2.33 * sqrt(64)) = 83 slots, in two processes
        pytest.param(load(wait_s=0.1, cpu_s=0.0005, queued=56.0), WIDE, Shape(2, 42), id="100 ms wait, 64 clients"),
        pytest.param(load(wait_s=0.1, cpu_s=0.0005, queued=24.0), WIDE, Shape(2, 23), id="100 ms wait, 32 clients"),
        # wait / CPU = 40: 46 slots again. 32 * 2.5 ms / 102.5 ms = 0.8 cores: three processes do as much as four
        pytest.param(load(wait_s=0.1, cpu_s=0.0025, queued=24.0), WIDE, Shape(3, 16), id="and some CPU, 32 clients"),
        pytest.param(
            load(wait_s=0.050, cpu_s=0.0022, queued=56.0), WIDE, Shape(4, 21), id="50 ms wait, 2.2 ms CPU, 64 clients"
        ),
        pytest.param(
            load(wait_s=0.050, cpu_s=0.0022, queued=56.0, foreign_cpu=1.0),
            WIDE,
            Shape(4, 21),
            id="the same, whatever a neighbour leaves of the cores now",
        ),
        # 64 threads are all that is allowed: 233 slots in four processes
        pytest.param(load(wait_s=0.1, cpu_s=0.0005, queued=192.0), WIDE, Shape(4, 59), id="100 ms wait, 200 clients"),
        # K + 2 threads; 64 / 3 = 22 processes would be of use, 16 are allowed
        pytest.param(
            load(wait_s=0.020, cpu_s=0.0004, pool_size=3, queued=56.0), WIDE, Shape(16, 5), id="a pool of 3, 64 clients"
        ),
        pytest.param(load(cores=8.0, wait_s=0.0, cpu_s=0.005), WIDE, Shape(12, 1), id="eight cores: 8 + 1.4 * 2.8"),
        pytest.param(load(cores=0.5, wait_s=0.0, cpu_s=0.005), WIDE, Shape(1, 1), id="half a core"),
        # Four threads of the 13 that were of use: 4 * 13 = 52 slots in processes of four, for 64 clients
        pytest.param(
            load(wait_s=0.020, cpu_s=0.0022, queued=56.0),
            replace(WIDE, threads=Bounds(min=1, max=4)),
            Shape(13, 4),
            id="few threads allowed: more processes",
        ),
        pytest.param(
            load(wait_s=0.020, cpu_s=0.0022),
            Limits(processes=Bounds(min=1, max=2), threads=Bounds(min=2, max=8)),
            Shape(2, 8),
            id="bounds",
        ),
    ],
)
def test_the_shape_that_a_workload_asks_for(seen, limits, expected):
    assert aim(seen, limits) == expected


FRESH = Memory()


def test_full_slots_of_a_waiting_load_grow():
    answer = next_shape(FRESH, load(wait_s=0.020, cpu_s=0.0022, queued=56.0), WIDE)
    assert isinstance(answer, Proposal)
    assert (answer.shape, answer.reason, answer.better) == (Shape(4, 13), Reason.FIRST_JUMP, True)
    assert "waits 90% of the time for I/O (W 20.0 ms, CPU 2.2 ms per request)" in answer.message


@pytest.mark.parametrize(
    ("memory", "seen", "reason"),
    [
        pytest.param(FRESH, load(queued=0.0, in_service=3.0), Reason.APPLICATION_LIMITED, id="no demand, no increase"),
        pytest.param(
            FRESH,
            load(shape=Shape(4, 13), in_service=52.0, cores_used=1.95, queued=12.0, wait_s=0.020),
            Reason.CPU_LIMITED,
            id="the CPU is used up by the right shape",
        ),
        pytest.param(
            FRESH.with_rejected(Shape(4, 13), up=True, demand=64.0, change=0.0),
            load(queued=56.0, wait_s=0.020, cpu_s=0.0022),
            Reason.SETTLED,
            id="tried in vain at this load",
        ),
    ],
)
def test_when_there_is_nothing_to_do(memory, seen, reason):
    answer = next_shape(memory, seen, WIDE)
    assert isinstance(answer, Hold)
    assert answer.reason is reason


def test_what_failed_at_little_load_is_tried_again_at_twice_that():
    failed = FRESH.with_rejected(Shape(4, 13), up=True, demand=30.0, change=0.0)
    assert isinstance(next_shape(failed, load(queued=56.0, wait_s=0.020, cpu_s=0.0022), WIDE), Proposal)


def test_half_way_after_a_clear_failure_and_not_after_a_plateau():
    seen = load(queued=56.0, wait_s=0.020, cpu_s=0.0022)
    failed = FRESH.with_rejected(Shape(4, 13), up=True, demand=64.0, change=-0.4)
    answer = next_shape(failed, seen, WIDE)
    assert isinstance(answer, Proposal)
    assert answer.shape == between(Shape(2, 4), Shape(4, 13)) == Shape(3, 7)


def test_a_backend_whose_wait_grew_with_our_requests_gets_fewer():
    """2 in service: 20 ms. 64 in service: 244 ms. A power of 1.4 puts the knee at 64 * (20 / 244)^(1 / 1.4) = 10.7."""
    alone = Point.of(load(shape=Shape(1, 2), in_service=2.0, queued=62.0, wait_s=0.020, throughput=95.0))
    drowned = load(shape=Shape(4, 20), in_service=64.0, queued=0.0, wait_s=0.244, throughput=260.0, service_s=0.246)
    answer = next_shape(replace(FRESH, jumped=True, points=(alone,)), drowned, WIDE)
    assert isinstance(answer, Proposal)
    assert (answer.shape, answer.reason) == (Shape(4, 3), Reason.BACKEND_LIMITED)


def test_fewer_slots_for_a_slow_backend_only_where_both_generations_have_their_connections():
    """4x20 and 4x3 together: 92 connections."""
    alone = Point.of(load(shape=Shape(1, 2), in_service=2.0, queued=62.0, wait_s=0.020, throughput=95.0))
    drowned = load(shape=Shape(4, 20), in_service=64.0, queued=0.0, wait_s=0.244, throughput=260.0, service_s=0.246)
    memory = replace(FRESH, jumped=True, points=(alone,))
    assert isinstance(next_shape(memory, drowned, replace(WIDE, max_connections=92)), Proposal)
    assert not isinstance(next_shape(memory, drowned, replace(WIDE, max_connections=91)), Proposal)


def test_what_does_not_fit_is_refused_with_the_limit_that_forbids_it():
    tight = replace(WIDE, max_connections=8)
    answer = next_shape(FRESH, load(queued=56.0, wait_s=0.020, cpu_s=0.0022), tight)
    assert isinstance(answer, Refusal)
    assert answer.reason is Reason.CONNECTION_LIMIT


def test_fewer_processes_where_only_those_fit():
    # Beside 112 MiB: 0.9 * 330 = 297 MiB hold three more workers of 50 MiB, not four.
    tight = replace(WIDE, memory_limit=330 * 2**20)
    answer = next_shape(FRESH, load(queued=56.0, wait_s=0.020, cpu_s=0.0022), tight)
    assert isinstance(answer, Proposal)
    assert answer.shape == Shape(3, 13)


def test_the_best_of_what_fits_and_then_what_forbids_more():
    """24 connections: two are open, and 22 may be beside them."""
    tight = replace(WIDE, max_connections=24)
    waiting = load(wait_s=0.1, cpu_s=0.0005, service_s=0.1005, shape=Shape(1, 2), in_service=2.0, queued=62.0)
    first = next_shape(FRESH, waiting, tight)
    assert isinstance(first, Proposal)
    assert first.shape == Shape(2, 11)
    found = replace(waiting, shape=Shape(2, 11), in_service=22.0, queued=42.0, throughput=220.0)
    then = next_shape(replace(FRESH, jumped=True), found, tight)
    assert isinstance(then, Refusal)
    assert (then.shape, then.reason) == (Shape(2, 42), Reason.CONNECTION_LIMIT)
