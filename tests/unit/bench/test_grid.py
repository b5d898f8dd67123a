"""The grid: which shapes, how the search goes, in which order finalists run."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.grid import PROCESSES, STAGES, THREADS, coarse, grid, in_order, leaders, neighbours, search, shuffled
from uwsgi_autopilot.api.shape import Shape


def test_slots_are_at_most_four_for_each_client() -> None:
    assert len(grid(1000)) == len(PROCESSES) * len(THREADS) == 80
    assert Shape(8, 64) not in grid(64)  # 512 > 256
    assert Shape(4, 64) in grid(64)
    assert grid(1) == [Shape(1, 1), Shape(2, 1), Shape(3, 1), Shape(4, 1), Shape(1, 2), Shape(2, 2), Shape(1, 3),
                       Shape(1, 4)]  # fmt: skip


def test_neighbours_have_a_place_more_or_less_of_one_or_one_for_the_other() -> None:
    around = {Shape(3, 4), Shape(6, 4), Shape(4, 3), Shape(4, 6), Shape(6, 3), Shape(3, 6)}
    assert set(neighbours(Shape(4, 4), grid(64))) == around
    assert set(neighbours(Shape(16, 16), grid(64))) == {Shape(12, 16), Shape(16, 12)}  # the others have too many slots


def test_neighbours_at_a_wider_step_end_at_the_grids_edge() -> None:
    """Two places up from 12 processes there is none: 16 is the last."""
    assert set(neighbours(Shape(12, 2), grid(64), 2)) == {
        Shape(16, 2), Shape(6, 2), Shape(12, 4), Shape(12, 1), Shape(16, 1), Shape(6, 4)
    }  # fmt: skip


@pytest.mark.parametrize(
    "best",
    [Shape(4, 1), Shape(8, 16), Shape(12, 12), Shape(16, 3), Shape(1, 64), Shape(3, 6), Shape(6, 32), Shape(16, 1)],
    ids=str,
)
def test_the_search_finds_a_single_peak_with_a_third_of_the_grid(best: Shape) -> None:
    """Throughput falls by a tenth for each step away from the best, in either direction."""

    def away(shape: Shape) -> int:
        rows = abs(PROCESSES.index(shape.processes) - PROCESSES.index(best.processes))
        return rows + abs(THREADS.index(shape.threads) - THREADS.index(best.threads))

    measured: list[Shape] = []

    def measure(shape: Shape) -> float:
        measured.append(shape)
        return float(0.9 ** away(shape))

    known = search(64, measure)
    assert leaders(known, 1) == [best]
    assert len(measured) == len(set(measured)) == len(known) <= STAGES[-1][-1]


@given(st.integers(1, 200), st.integers())
def test_the_search_stays_in_the_grid_and_in_its_budget(clients: int, seed: int) -> None:
    draw = random.Random(seed)
    known = search(clients, lambda shape: draw.random())
    allowed = grid(clients)
    assert set(coarse(clients)) <= set(known) <= set(allowed)
    assert len(known) <= STAGES[-1][-1]
    if len(known) < STAGES[-1][-1]:
        assert set(neighbours(leaders(known, 1)[0], allowed)) <= set(known)


def test_where_few_may_be_measured_some_are_left_for_what_lies_around_the_best() -> None:
    known = search(64, lambda shape: shape.slots if shape.slots <= 64 else 0.0, at_most=12)
    assert len(known) == 12
    assert len(set(known) - set(coarse(64))) >= 4


def test_more_processes_at_the_same_threads_come_next() -> None:
    shapes = [Shape(4, 4), Shape(1, 16), Shape(4, 1), Shape(1, 4)]
    assert in_order(shapes) == [Shape(4, 1), Shape(1, 4), Shape(4, 4), Shape(1, 16)]


@given(st.integers(3, 6), st.integers(0, 5), st.integers())
def test_no_shape_follows_itself(count: int, last: int, seed: int) -> None:
    """With two shapes, one of them twice, there may be no such order; with three there always is."""
    shapes = [Shape(number + 1, 1) for number in range(count)]
    after = shapes[last % len(shapes)]
    order = shuffled([*shapes, shapes[0]], after=after, draw=random.Random(seed))
    assert sorted(order) == sorted([*shapes, shapes[0]])
    assert all(one != other for one, other in zip([after, *order], order, strict=False))


def test_one_shape_alone_follows_itself() -> None:
    only = Shape(2, 2)
    assert shuffled([only, only], after=None, draw=random.Random(1)) == [only, only]
