"""What one request needs, from what was measured before and what is measured now."""

from dataclasses import replace

import pytest

from tests.unit.tuner.making import seconds
from uwsgi_autopilot.tuner.load import load_of
from uwsgi_autopilot.tuner.point import Point
from uwsgi_autopilot.tuner.work import slowdown_of

NOW = load_of(seconds(8))
FEW = Point.of(replace(NOW, in_service=4.0, wait_s=0.010, throughput=330.0))


def test_a_wait_that_grows_while_throughput_does_not_follow_is_the_backend_s():
    slowdown, wait_s = slowdown_of(replace(NOW, in_service=32.0, wait_s=0.080, throughput=360.0), [FEW])
    assert slowdown is not None
    assert 4 < slowdown.knee < 32
    assert wait_s == pytest.approx(0.010)


def seen(in_service: float, wait_ms: float) -> Point:
    return Point.of(replace(NOW, in_service=in_service, wait_s=wait_ms / 1000, throughput=300.0))


@pytest.mark.parametrize(
    ("points", "quick", "knee"),
    [
        pytest.param([seen(64, 239), seen(20, 40)], 20, 12.8, id="two beyond the knee tell the power"),
        pytest.param([seen(64, 239)], 20, 10.9, id="one does not"),
        pytest.param(
            [seen(64, 435), seen(20, 95)], 39, 6.7, id="the quickest is on their line: it is beyond the knee, too"
        ),
    ],
)
def test_where_the_knee_is(points: list[Point], quick: float, knee: float):
    """Seen on real uWSGI (the first), and in simulation."""
    slowdown, wait_s = slowdown_of(replace(NOW, in_service=10.0, wait_s=quick / 1000, throughput=300.0), points)
    assert slowdown is not None
    assert slowdown.knee == pytest.approx(knee, abs=0.1)
    assert wait_s == pytest.approx(quick / 1000)


def test_where_no_core_is_left_a_longer_wait_is_not_the_backend_s():
    """Seen with 10 + 4.4 ms: 9.6 ms with few requests at once, 16.4 ms with 68, of threads that had no core."""
    full = replace(NOW, in_service=32.0, wait_s=0.080, throughput=360.0, cores_used=1.95)
    assert full.cpu_full
    assert slowdown_of(full, [FEW]) == (None, full.wait_s)
    assert slowdown_of(replace(NOW, wait_s=0.010, throughput=330.0), [Point.of(full)])[0] is None
