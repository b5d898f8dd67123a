"""Which shapes are measured, and in which order. Pure: measuring is a function that is handed in."""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from uwsgi_autopilot.api.shape import Shape

T = TypeVar("T")
PROCESSES = (1, 2, 3, 4, 6, 8, 12, 16)
THREADS = (1, 2, 3, 4, 6, 8, 12, 16, 32, 64)
# Slots beyond four for each client can never be filled and are left out.
SLOTS_PER_CLIENT = 4
# The first look, spread over the grid.
COARSE_PROCESSES = (1, 4, 12)
COARSE_THREADS = (1, 4, 16, 64)
# Then around the leaders: so many places away, so many leaders, and until so many shapes have been measured in all.
# Throughput varies smoothly from shape to shape, so what lies between two measured ones can wait.
STAGES = ((2, 2, 20), (1, 1, 25))
# More processes, fewer, more threads, fewer; and one for the other, with about as many slots.
DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, -1), (-1, 1))


def grid(clients: int) -> list[Shape]:
    """Every shape of the grid for so many clients."""
    return [
        Shape(processes, threads)
        for threads in THREADS
        for processes in PROCESSES
        if processes * threads <= SLOTS_PER_CLIENT * clients
    ]


def coarse(clients: int) -> list[Shape]:
    return [s for s in grid(clients) if s.processes in COARSE_PROCESSES and s.threads in COARSE_THREADS]


def neighbours(shape: Shape, allowed: Sequence[Shape], step: int = 1) -> list[Shape]:
    """`step` places up or down in processes, in threads, or in both against each other; fewer at the grid's edge."""
    row, column = PROCESSES.index(shape.processes), THREADS.index(shape.threads)
    found = [
        Shape(_at(PROCESSES, row + step * down), _at(THREADS, column + step * right)) for down, right in DIRECTIONS
    ]
    return [each for each in dict.fromkeys(found) if each in allowed and each != shape]


def _at(values: Sequence[int], index: int) -> int:
    return values[min(max(index, 0), len(values) - 1)]


def search(clients: int, measure: Callable[[Shape], float], *, at_most: int = STAGES[-1][2]) -> dict[Shape, float]:
    """Measure coarse to fine; throughput by shape. A shape that cannot serve measures as 0. at_most: so many shapes."""
    allowed = grid(clients)
    known = {shape: measure(shape) for shape in in_order(_first(coarse(clients), at_most))}
    for step, count, most in ((step, count, min(most, at_most)) for step, count, most in STAGES):
        while todo := _unknown(known, allowed, step, count)[: max(0, most - len(known))]:
            known |= {shape: measure(shape) for shape in in_order(todo)}
    return known


def _first(shapes: Sequence[Shape], at_most: int) -> list[Shape]:
    """Where few may be measured every other one: the rest is for what lies around the leaders."""
    few = at_most < 2 * len(shapes)
    return [each for number, each in enumerate(shapes) if number % 2 == 0] if few else list(shapes)


def _unknown(known: Mapping[Shape, float], allowed: Sequence[Shape], step: int, count: int) -> list[Shape]:
    """Neighbours of the leaders that have not been measured, those of the best first."""
    around = [each for leader in leaders(known, count) for each in neighbours(leader, allowed, step)]
    return [each for each in dict.fromkeys(around) if each not in known]


def in_order(shapes: Sequence[Shape]) -> list[Shape]:
    """By threads, then by growing processes: more processes at the same threads need no new generation."""
    return sorted(shapes, key=lambda shape: (shape.threads, shape.processes))


def leaders(known: Mapping[Shape, float], count: int) -> list[Shape]:
    """The best ones, best first."""
    return sorted(known, key=lambda shape: known[shape], reverse=True)[:count]


def shuffled(shapes: Sequence[T], *, after: T | None, draw: random.Random) -> list[T]:
    """A random order in which none follows itself: each time it is measured must be a change to it.

    Where there is no such order (one shape alone) any.
    """
    return _continued(after, list(shapes), draw) or draw.sample(list(shapes), len(shapes))


def _continued(last: T | None, left: list[T], draw: random.Random) -> list[T]:
    """`left` in an order that may follow `last`; empty where there is none."""
    for index in draw.sample(range(len(left)), len(left)):
        rest = [*left[:index], *left[index + 1 :]]
        if left[index] != last and (not rest or (following := _continued(left[index], rest, draw))):
            return [left[index], *(following if rest else [])]
    return []
