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


def test_where_no_core_is_left_a_longer_wait_is_not_the_backend_s():
    """Seen with 10 + 4.4 ms: 9.6 ms with few requests at once, 16.4 ms with 68, of threads that had no core."""
    full = replace(NOW, in_service=32.0, wait_s=0.080, throughput=360.0, cores_used=1.95)
    assert full.cpu_full
    assert slowdown_of(full, [FEW]) == (None, full.wait_s)
    assert slowdown_of(replace(NOW, wait_s=0.010, throughput=330.0), [Point.of(full)])[0] is None
