"""An application whose number of pods an autoscaler moves is tuned all the same, and opens no more connections."""

from itertools import cycle

import pytest

from tests.simulator.workload import simple
from tests.unit.fleet.autoscaler import Autoscaler
from tests.unit.fleet.pods import SimFleet
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import TuningSpec
from uwsgi_autopilot.fleet.guards import MUTED_S, REPLICAS_CHANGED_S
from uwsgi_autopilot.fleet.history import Kind
from uwsgi_autopilot.fleet.state import Autoscaler as Known
from uwsgi_autopilot.report.reasons import Reason

IO = simple(wait=0.2)  # of few requests, so that the stories take less time


@pytest.mark.parametrize(
    ("numbers", "every"),
    [
        pytest.param((3, 2), 30, id="one more and one less, every 30 s"),
        pytest.param((3, 2), 70, id="every 70 s, so that each trial is disturbed"),
        pytest.param((4, 3, 2, 3), 20, id="up and down, every 20 s"),
        pytest.param((6, 2), 30, id="three times as many, and back", marks=pytest.mark.thorough),
    ],
)
def test_pods_that_come_and_go_for_ten_minutes_are_tuned(numbers: tuple[int, ...], every: int):
    fleet = SimFleet(IO, pods=2)
    scaler, moves = Autoscaler(fleet, clients=48), cycle(numbers)
    for _ in range(600 // every):
        scaler.move_to(next(moves))
        scaler.run(every)
        if "promote" in fleet.kinds():
            break
    # Half of a minute to find out, after the last that is waited for.
    assert "promote" in fleet.kinds(), fleet.told
    assert fleet.second_number <= MUTED_S + REPLICAS_CHANGED_S, fleet.told
    assert fleet.state.shape.slots >= 20, "48 clients of 2 to 6 pods; 8 slots are too few for any of them"


def test_pods_that_come_and_go_are_waited_for_at_first():
    fleet = SimFleet(IO, pods=2)
    scaler, moves = Autoscaler(fleet, clients=48), cycle((3, 2))
    for _ in range(int(MUTED_S) // 30):
        scaler.move_to(next(moves))
        scaler.run(30)
        assert fleet.state.hold is not None
        assert fleet.state.hold.reason in (Reason.REPLICAS_CHANGED, Reason.POD_NOT_READY)
    assert fleet.told == []


def test_a_trial_outlives_pods_that_come_and_go_once_they_are_no_longer_waited_for():
    fleet = SimFleet(IO, pods=3)
    scaler, moves = Autoscaler(fleet, clients=48), cycle((4, 3))
    while "try" not in fleet.kinds():
        scaler.move_to(next(moves))
        scaler.run(20)
        assert fleet.second_number < 240
    scaler.move_to(next(moves))
    scaler.run(20)
    assert "undecided" not in fleet.kinds(), fleet.told


# --- connections: divided by as many pods as there may be

FOUR_BY_EIGHT = TuningSpec(start=Shape(4, 8), max_connections=200)


def test_more_pods_shrink_no_shape_in_the_spike_that_calls_for_them():
    """200 connections of 10 pods are 20 for each, at any time: 2x8, from before the spike on."""
    fleet = SimFleet(IO, pods=2, start=Shape(4, 8), tuning=FOUR_BY_EIGHT)
    fleet.autoscaler = Known(name="shop", most=10)
    scaler = Autoscaler(fleet, clients=8)
    scaler.run(20)
    assert fleet.shapes == ["2x8"] * 2
    scaler.clients = 160
    for pods in (4, 7, 10):
        scaler.move_to(pods)
        for _ in range(20):
            scaler.run(1)
            assert set(fleet.shapes) == {"2x8"}, fleet.told
    assert fleet.kinds() == ["change"], "the one at the beginning"


def test_without_an_autoscaler_it_is_the_pods_that_are_there():
    fleet = SimFleet(IO, pods=2, start=Shape(4, 8), tuning=FOUR_BY_EIGHT)
    scaler = Autoscaler(fleet, clients=8)
    scaler.run(20)
    assert fleet.shapes == ["4x8"] * 2
    fleet.autoscaler = Known(name="shop", most=1)
    scaler.run(5)
    assert fleet.shapes == ["4x8"] * 2, "one that may make fewer than there are says nothing"


def test_by_how_many_pods_they_are_divided_is_said_and_why():
    fleet = SimFleet(IO, pods=2, start=Shape(4, 8), tuning=FOUR_BY_EIGHT)
    fleet.autoscaler = Known(name="keda-hpa-shop", most=10)
    scaler = Autoscaler(fleet, clients=8)
    scaler.run(20)
    scaler.clients = 120
    scaler.move_to(2)
    scaler.run(40)
    pods = "10 pods, the most that HorizontalPodAutoscaler keda-hpa-shop may make"
    share = f"maxConnections (200) leaves 20 to each of {pods}"
    changed = next(each for each in fleet.state.history if each.kind is Kind.CHANGE)
    assert changed.message == f"4x8 may open 32 connections; {share}"
    assert fleet.state.memory.said is Reason.CONNECTION_LIMIT, fleet.told
    assert fleet.state.word is not None
    assert fleet.state.word.message.endswith(share), "what the condition Tuned says"


def test_more_connections_are_used_once_the_autoscaler_may_make_fewer_pods():
    fleet = SimFleet(IO, pods=2, start=Shape(2, 8), tuning=TuningSpec(start=Shape(2, 8), max_connections=200))
    fleet.autoscaler = Known(name="shop", most=10)
    scaler = Autoscaler(fleet, clients=120)
    scaler.run(60)
    assert fleet.state.memory.said is Reason.CONNECTION_LIMIT
    fleet.autoscaler = Known(name="shop", most=2)
    scaler.run(120)
    assert fleet.state.shape.slots > 20, (fleet.told, fleet.state.word)
