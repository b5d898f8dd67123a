"""The simulator against real uWSGI: what the tuner is tested on must not be the tuner's own formula.

Recorded grids: tests/simulator/grids, one machine with two cores, made by `python -m bench.record`. All of it:
`python -m tests.simulator.calibrate`.
"""

from statistics import median

import pytest

from tests.simulator import workload
from tests.simulator.grids import FOLDER, read_grid, simulate
from tests.simulator.observe import Observer
from tests.simulator.pod import Pod
from uwsgi_autopilot.api.shape import Shape

# Left out: `tiny`. 25,000 requests a second are nginx and the load generator; the simulator has a quarter of them.
GRIDS = ["cpu", "io", "mixed", "10+4", "37+6.8", "35+1.5", "pool-4-cpu", "degrading", "bimodal"]
EVERY = 4  # how many shapes of a grid are left out between two: all of them take a minute


@pytest.mark.parametrize("name", GRIDS)
def test_it_agrees_with_a_recorded_grid_within_ten_percent(name):
    """Half of the shapes; the others are up to 20 % off, a few of 16 processes or of rare long waits more."""
    grid = read_grid(FOLDER / f"{name}.json")
    shapes = [each for each in grid.measured if each.shape.slots >= 4][::EVERY]
    off = [abs(simulate(grid, each.shape, seconds=2.0).rps / each.mean - 1) for each in shapes]
    assert median(off) <= 0.10, dict(zip([str(each.shape) for each in shapes], off, strict=True))


def test_littles_law_holds_and_the_census_sees_every_busy_thread():
    pod = Pod(workload.MIXED, Shape(2, 8), clients=32)
    observer = Observer(pod)
    observer.second()
    for _ in range(5):
        sample = observer.second()
        assert sample.service_s / sample.seconds == pytest.approx(sample.busy, rel=0.1)
        assert sample.busy + sample.queue_mean == pytest.approx(32, rel=0.08)


def test_a_swap_loses_no_request_and_is_seen_as_unsettled():
    pod = Pod(workload.MIXED, Shape(2, 4), clients=16)
    observer = Observer(pod)
    observer.second()
    pod.change(Shape(4, 8), 1.5)
    seen = [observer.second() for _ in range(5)]
    assert [each.settled for each in seen[:2]] == [False, False]
    assert seen[-1].settled
    assert (seen[-1].shape, seen[-1].generation) == (Shape(4, 8), 2)
    assert pod.clients == 16
