"""The model against measured throughput. It is one factor off for each workload, so ratios count."""

from dataclasses import replace

import pytest

from tests.unit.tuner.making import seconds
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.tuner.load import load_of
from uwsgi_autopilot.tuner.model import gain, modelled, predict, smooth_minimum

MIXED = replace(load_of(seconds(5)), wait_s=0.020, cpu_s=0.0022, queued=56.0)  # 8 in service and 56 waiting: 64 clients


@pytest.mark.parametrize(
    ("shape", "measured"),
    [("1x1", 42), ("1x2", 88), ("2x2", 166), ("1x16", 329), ("2x8", 499), ("2x16", 707), ("4x12", 832), ("16x2", 838)],
)
def test_20_ms_wait_and_2_ms_cpu(shape, measured):
    assert modelled(MIXED, Shape.parse(shape)) == pytest.approx(measured, rel=0.25)


def test_the_present_shape_is_predicted_as_measured():
    assert predict(MIXED, MIXED.shape) == pytest.approx(MIXED.throughput)
    assert gain(MIXED, MIXED.shape) == 1.0


def test_a_pool_scales_with_processes_and_not_with_threads():
    pool = replace(MIXED, wait_s=0.020, cpu_s=0.0002, pool_size=3)
    assert predict(pool, Shape(2, 64)) == pytest.approx(predict(pool, Shape(2, 4)), rel=0.02)
    assert predict(pool, Shape(4, 4)) == pytest.approx(2 * predict(pool, Shape(2, 4)), rel=0.02)


def test_no_shape_serves_more_than_there_are_requests():
    few = replace(MIXED, in_service=4.0, queued=0.0)
    assert modelled(few, Shape(16, 64)) <= 4 / 0.0222 * 1.01


def test_threads_cost_pure_cpu_where_cores_are_contended():
    cpu = replace(MIXED, wait_s=0.0, cpu_s=0.0054, in_service=16.0, queued=0.0)
    assert predict(cpu, Shape(4, 8)) < 0.85 * predict(cpu, Shape(4, 1))


def test_processes_like_cores_leave_a_core_idle_now_and_then():
    assert smooth_minimum(1.0, 1.0) == pytest.approx(0.84, abs=0.01)
    assert smooth_minimum(2.0, 1.0) == pytest.approx(0.985, abs=0.005)
