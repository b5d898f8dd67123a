"""Figures of tests/simulator/figures.py that hold, each with one or two flights; the whole table takes minutes.

The shapes named here are among the best of their load: as much as they serve is what a flight has to reach.
"""

from statistics import fmean

import pytest

from tests.simulator import workload
from tests.simulator.changing import LIGHT, PHASE_CLIENTS, SURGED, SURGES, phases, sliding, slowed_flight, surged
from tests.simulator.flight import Flight
from tests.simulator.ground import Ground
from tests.simulator.landscape import LandscapeAgent, landscape
from uwsgi_autopilot.api.shape import Shape

RETURNS = "20 ms + 2 ms, 64 clients"


@pytest.mark.parametrize(("name", "best"), [("wait 100 ms", "6x48"), ("20 ms + 2 ms", "6x8"), ("CPU 5 ms", "4x1")])
def test_five_seconds_after_a_surge_from_4_to_200_clients_it_serves_95_percent(name, best):
    flight = surged(name, 1)
    most = Ground(workload=SURGES[name], clients=SURGED).throughput(Shape.parse(best))
    assert min(sliding(flight, 66, 71)) >= 0.95 * most, flight.way


@pytest.mark.parametrize("seed", [1, 2])
def test_a_backend_that_is_quick_again_gets_a_shape_of_before_in_one_move(seed):
    flight = slowed_flight(RETURNS, seed)
    before = {each.shape for each in flight.agent.samples[:70]}
    (back,) = [each.to_shape for second, each in flight.changes if second > 131]
    assert back in before, flight.way
    most = Ground(workload=workload.MIXED, clients=64).throughput(Shape(6, 8))
    assert fmean(flight.requests[146:190]) >= 0.95 * most


def test_a_backend_ten_times_slower_gets_its_slots_within_fifteen_seconds():
    flight = slowed_flight(RETURNS, 1)
    most = Ground(workload=workload.MIXED, clients=64, slower=10.0).throughput(Shape(6, 24))
    assert min(sliding(flight, 86, 130)) >= 0.95 * most, flight.way


def test_a_backend_is_asked_with_fewer_requests_for_three_seconds_and_without_an_import():
    """From 16x16 with 64 clients: 2x16 halve the throughput until the other fourteen workers are back."""
    start = Shape(16, 16)
    flight = Flight(LandscapeAgent(landscape("io"), start, seed=1), start=start)
    for second in range(1, 31):
        flight.second(1000.0 + second)
    assert [each.to_shape for _, each in flight.changes] == [Shape(2, 16), start], flight.way
    assert flight.swaps() == 0
    assert sum(each < 0.9 * landscape("io").at(start)["rps"] for each in flight.requests) <= 3


def test_phases_of_twenty_seconds_get_one_shape_and_no_chase():
    """The shape of the one that waits serves 95 % of what the one that computes could have."""
    flight = phases(1, 20, 320)
    assert flight.swaps(after=80) == 0, flight.way
    assert "WorkloadsAlternate" in flight.reasons
    light = Ground(workload=LIGHT, clients=PHASE_CLIENTS).throughput(Shape(4, 24))
    assert min(sliding(flight, 303, 320)) >= 0.95 * light
    assert min(sliding(flight, 283, 300)) >= 0.9 * 296
