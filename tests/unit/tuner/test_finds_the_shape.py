"""What this version promises: from a bad shape to a good one, soon, with few changes, and then it stays."""

import pytest

from tests.simulator import workload
from tests.simulator.observe import Observer
from tests.simulator.pod import Pod
from tests.simulator.story import best_of_grid, tell
from uwsgi_autopilot.api.shape import Shape

LOADS = [
    pytest.param(workload.CPU, 16, id="5 ms of Python CPU"),
    pytest.param(workload.IO, 64, id="100 ms wait"),
    pytest.param(workload.MIXED, 64, id="20 ms wait and 2 ms CPU"),
    pytest.param(workload.POOL, 64, id="20 ms behind a pool of 3 per process", marks=pytest.mark.thorough),
    pytest.param(workload.SHA, 32, id="SHA-256 of 1 MB and 5 ms wait"),
    pytest.param(workload.BIMODAL, 64, id="nine quick ones and a slow one", marks=pytest.mark.thorough),
]


@pytest.mark.parametrize(("load", "clients"), LOADS)
@pytest.mark.parametrize("start", ["1x2", "2x4", "16x64"])
def test_a_good_shape_within_a_minute_and_then_it_stays(load, clients, start):
    told = tell(Pod(load, Shape.parse(start), clients=clients, seed=3), 75)
    assert told.throughput(15) >= 0.9 * best_of_grid(load, clients), told.way
    assert len(told.changes) <= 8, told.way
    assert all(second <= 65 for second, _ in told.changes), told.way


@pytest.mark.parametrize("start", [pytest.param(start, id=f"from {start}") for start in ("1x2", "2x4", "8x1")])
def test_a_backend_that_slows_down_is_not_drowned(start):
    """Waits grow like n to the 1.5 from 12 at once on: 64 at once serve half of what 12 do."""
    told = tell(Pod(workload.DEGRADING, Shape.parse(start), clients=64), 60)
    assert told.throughput() >= 0.9 * best_of_grid(workload.DEGRADING, 64), told.way
    assert len(told.changes) <= 6, told.way


def test_a_backend_met_from_above_is_probed_downwards_and_then_serves_twice_as_much():
    told = tell(Pod(workload.DEGRADING, Shape(16, 64), clients=64), 90)
    assert "BackendProbe" in told.reasons
    assert told.throughput() >= 0.9 * best_of_grid(workload.DEGRADING, 64), told.way


@pytest.mark.parametrize(
    ("load", "clients"),
    [
        pytest.param(workload.CPU, 16),
        pytest.param(workload.MIXED, 64, marks=pytest.mark.thorough),
        pytest.param(workload.BIMODAL, 40, marks=pytest.mark.thorough),
    ],
)
def test_noise_moves_nothing(load, clients):
    """Five minutes at a machine whose speed varies by 5 % from second to second."""
    pod = Pod(load, Shape(2, 4), clients=clients, seed=11)
    told = tell(pod, 300, observer=Observer(pod, noise=0.05))
    assert all(second <= 60 for second, _ in told.changes), told.way


@pytest.mark.parametrize("rate", [3.0, 20.0])
@pytest.mark.parametrize("load", [workload.IO, workload.CPU, workload.BIMODAL])
def test_little_load_is_left_alone(load, rate):
    told = tell(Pod(load, Shape(2, 4), rate=rate), 300)
    assert told.changes == [], told.way
    assert told.said[-1].reason in ("ApplicationLimited", "TooFewRequests")


def test_every_change_says_why_with_numbers():
    told = tell(Pod(workload.MIXED, Shape(1, 2), clients=64), 30)
    _, jump = told.changes[0]
    assert jump.reason == "FirstJump"
    assert jump.message.startswith("waits ")
    assert f"{jump.to_shape.in_words()} should serve" in jump.message
    _, proposal = told.proposals[0]
    assert proposal.message == jump.message
    assert proposal.expected > 5 * proposal.before.throughput
