"""Requests that come by themselves, and wait for each other. Figures in milliseconds."""

import pytest

from tests.simulator import workload
from tests.simulator.pod import Pod
from tests.simulator.story import tell
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.tuner.arrivals import in_each_others_way_s
from uwsgi_autopilot.tuner.model import Work

CPU = Work(wait_s=0.0, cpu_s=0.0052, lock_s=0.0052, inside=3, cores=2.0)
RATE = 261.0  # 70 % of what two cores can do


@pytest.mark.parametrize(
    ("shape", "run_queue_ms"), [("2x1", 0.1), ("3x1", 1.9), ("4x1", 3.3), ("6x1", 4.6), ("16x1", 5.2)]
)
def test_taking_turns_costs_half_of_the_time_in_the_run_queue_to_four_of_five_requests(shape, run_queue_ms):
    """As the simulator has it, of Poisson arrivals. The fifth is finished before its turn ends."""
    assert 1000 * in_each_others_way_s(CPU, Shape.parse(shape), RATE) == pytest.approx(0.4 * run_queue_ms, abs=0.3)


def test_as_many_processes_as_cores_with_one_thread_are_in_nobodys_way():
    assert in_each_others_way_s(CPU, Shape(2, 1), RATE) == 0.0
    assert in_each_others_way_s(CPU, Shape(2, 2), RATE) > 0.0005


def test_nearly_nobody_waits_where_the_cores_are_idle():
    assert in_each_others_way_s(CPU, Shape(4, 4), 10.0) < 0.0001


@pytest.mark.parametrize("rate", [0.0, 1.0, 1e4])
@pytest.mark.parametrize("shape", ["1x1", "3x64", "128x1"])
def test_no_load_is_too_much_for_the_formula(rate, shape):
    assert 0.0 <= in_each_others_way_s(CPU, Shape.parse(shape), rate) < 10.0


@pytest.mark.parametrize("evenly", [True, False], ids=["even", "Poisson"])
def test_requests_that_only_compute_get_as_many_processes_as_cores(evenly):
    """3x1 takes 23 % longer at even arrivals, and 15 % at random ones."""
    told = tell(Pod(workload.CPU, Shape(2, 4), rate=RATE, evenly=evenly), 60)
    assert told.agent.following.target == Shape(2, 1), told.way
