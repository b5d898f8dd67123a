"""The screen's grid: which shapes, how the search goes, in which order finalists run."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.grid import PROCESSES, THREADS, coarse, grid, in_order, leaders, neighbours, search, shuffled
from uwsgi_autopilot.api.shape import Shape


def test_slots_are_at_most_four_for_each_client() -> None:
    assert len(grid(1000)) == len(PROCESSES) * len(THREADS) == 24
    assert Shape(8, 64) not in grid(64)  # 512 > 256
    assert Shape(4, 64) in grid(64)
    assert grid(1) == [Shape(1, 1), Shape(2, 1), Shape(4, 1), Shape(1, 2), Shape(2, 2), Shape(1, 4)]


def test_neighbours_are_one_step_away_and_allowed() -> None:
    assert set(neighbours(Shape(2, 4), grid(64))) == {Shape(1, 4), Shape(4, 4), Shape(2, 2), Shape(2, 8)}
    assert set(neighbours(Shape(8, 16), grid(64))) == {Shape(4, 16), Shape(8, 8)}  # 8x64 has too many slots


@pytest.mark.parametrize(
    "best", [Shape(4, 1), Shape(8, 16), Shape(4, 16), Shape(8, 4), Shape(1, 64), Shape(2, 8)], ids=str
)
def test_the_search_finds_a_single_peak_without_the_whole_grid(best: Shape) -> None:
    """Throughput falls by half for each step away from the best, in either direction."""

    def away(shape: Shape) -> int:
        rows = abs(PROCESSES.index(shape.processes) - PROCESSES.index(best.processes))
        return rows + abs(THREADS.index(shape.threads) - THREADS.index(best.threads))

    measured: list[Shape] = []

    def measure(shape: Shape) -> float:
        measured.append(shape)
        return float(2.0 ** -away(shape))

    known = search(64, measure)
    assert leaders(known, 1) == [best]
    assert len(measured) == len(set(measured)) == len(known) < len(grid(64))


@given(st.integers(1, 200), st.integers())
def test_around_the_leaders_nothing_is_unknown(clients: int, seed: int) -> None:
    draw = random.Random(seed)
    known = search(clients, lambda shape: draw.random())
    allowed = grid(clients)
    assert set(coarse(clients)) <= set(known) <= set(allowed)
    for leader in leaders(known):
        assert set(neighbours(leader, allowed)) <= set(known)


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
