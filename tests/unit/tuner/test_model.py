"""The model against measured throughput. It is one factor off for each workload, so ratios count."""

from dataclasses import replace
from statistics import median

import pytest

from tests.simulator.landscape import landscape
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.tuner.model import Slowdown, Work, smooth_minimum, throughput

MIXED = Work(wait_s=0.020, cpu_s=0.0022, lock_s=0.0022, inside=64, cores=2.0)


@pytest.mark.parametrize(
    ("shape", "measured"),
    [("1x1", 42), ("1x2", 88), ("2x2", 166), ("1x16", 420), ("2x8", 550), ("2x16", 720), ("4x12", 832), ("16x2", 800)],
)
def test_20_ms_wait_and_2_ms_cpu(shape, measured):
    assert throughput(MIXED, Shape.parse(shape)) == pytest.approx(measured, rel=0.15)


@pytest.mark.parametrize("name", ["cpu", "io", "mixed", "10+4", "37+6.8", "35+1.5", "pool-4-cpu", "bimodal"])
def test_it_agrees_with_recorded_grids_to_within_a_common_factor(name):
    """Half of the shapes within 5 %, nine of ten within 12 %."""
    ground = landscape(name)
    ratios = sorted(ground.rows[shape]["rps"] / throughput(ground.work, shape) for shape in ground.rows)
    common = median(ratios)
    off = sorted(abs(each / common - 1) for each in ratios)
    assert off[len(off) // 2] <= 0.05
    assert off[len(off) * 9 // 10] <= 0.12


def test_a_pool_scales_with_processes_and_not_with_threads():
    pool = replace(MIXED, cpu_s=0.0002, lock_s=0.0002, pool=3)
    assert throughput(pool, Shape(2, 64)) == pytest.approx(throughput(pool, Shape(2, 4)), rel=0.02)
    assert throughput(pool, Shape(4, 4)) == pytest.approx(2 * throughput(pool, Shape(2, 4)), rel=0.02)


def test_no_shape_serves_more_than_there_are_requests():
    assert throughput(replace(MIXED, inside=4), Shape(16, 64)) <= 4 / 0.0222 * 1.01


def test_code_that_releases_the_lock_lets_one_process_use_all_cores():
    free = replace(MIXED, wait_s=0.001, lock_s=0.0004)
    assert throughput(free, Shape(1, 16)) > 1.5 * throughput(replace(free, lock_s=free.cpu_s), Shape(1, 16))


def test_a_backend_that_slows_down_serves_most_at_its_knee():
    slow = replace(MIXED, cpu_s=0.001, lock_s=0.001, slowdown=Slowdown(knee=12, power=1.5))
    best = max((Shape(2, threads) for threads in (1, 2, 3, 6, 12, 32)), key=lambda shape: throughput(slow, shape))
    assert best == Shape(2, 6)
    assert throughput(slow, Shape(2, 32)) < 0.7 * throughput(slow, best)


def test_processes_like_cores_leave_a_core_idle_now_and_then():
    assert smooth_minimum(1.0, 1.0, 3.0) == pytest.approx(0.79, abs=0.01)
    assert smooth_minimum(1.0, 1.0, 8.0) == pytest.approx(0.92, abs=0.01)
    assert smooth_minimum(2.0, 1.0, 3.0) == pytest.approx(0.96, abs=0.01)
