"""An application whose number of pods an autoscaler moves is tuned all the same."""

from itertools import cycle

import pytest

from tests.simulator.workload import simple
from tests.unit.fleet.autoscaler import Autoscaler
from tests.unit.fleet.pods import SimFleet
from uwsgi_autopilot.fleet.guards import MUTED_S, REPLICAS_CHANGED_S
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
