"""Which shapes are measured, and in which order. Pure: measuring is a function that is handed in."""

import random
from collections.abc import Callable, Mapping, Sequence

from uwsgi_autopilot.api.shape import Shape

# The screen's grid. Slots beyond four for each client can never be filled and are left out.
PROCESSES = (1, 2, 4, 8)
THREADS = (1, 2, 4, 8, 16, 64)
SLOTS_PER_CLIENT = 4
# The first look, spread over the grid; then the neighbours of the two best until none is unknown.
COARSE_PROCESSES = (1, 4)
COARSE_THREADS = (1, 4, 16, 64)
LEADERS = 2


def grid(clients: int) -> list[Shape]:
    """Every shape of the screen's grid for so many clients."""
    return [
        Shape(processes, threads)
        for threads in THREADS
        for processes in PROCESSES
        if processes * threads <= SLOTS_PER_CLIENT * clients
    ]


def coarse(clients: int) -> list[Shape]:
    return [s for s in grid(clients) if s.processes in COARSE_PROCESSES and s.threads in COARSE_THREADS]


def neighbours(shape: Shape, allowed: Sequence[Shape]) -> list[Shape]:
    """One step up or down in processes or in threads."""
    row, column = PROCESSES.index(shape.processes), THREADS.index(shape.threads)
    places = [(row + down, column + right) for down, right in ((-1, 0), (1, 0), (0, -1), (0, 1))]
    found = [Shape(PROCESSES[r], THREADS[c]) for r, c in places if 0 <= r < len(PROCESSES) and 0 <= c < len(THREADS)]
    return [each for each in found if each in allowed]


def search(clients: int, measure: Callable[[Shape], float]) -> dict[Shape, float]:
    """Measure coarse to fine; throughput by shape. A shape that cannot serve measures as 0."""
    allowed = grid(clients)
    known: dict[Shape, float] = {}
    todo = coarse(clients)
    while todo:
        for shape in in_order(todo):
            known[shape] = measure(shape)
        todo = sorted({n for leader in leaders(known) for n in neighbours(leader, allowed) if n not in known})
    return known


def in_order(shapes: Sequence[Shape]) -> list[Shape]:
    """By threads, then by growing processes: more processes at the same threads need no new generation."""
    return sorted(shapes, key=lambda shape: (shape.threads, shape.processes))


def leaders(known: Mapping[Shape, float], count: int = LEADERS) -> list[Shape]:
    """The best ones, best first."""
    return sorted(known, key=lambda shape: known[shape], reverse=True)[:count]


def shuffled(shapes: Sequence[Shape], *, after: Shape | None, draw: random.Random) -> list[Shape]:
    """A random order in which no shape follows itself: each time it is measured must be a change to it.

    Where there is no such order (one shape alone) any.
    """
    return _continued(after, list(shapes), draw) or draw.sample(list(shapes), len(shapes))


def _continued(last: Shape | None, left: list[Shape], draw: random.Random) -> list[Shape]:
    """`left` in an order that may follow `last`; empty where there is none."""
    for index in draw.sample(range(len(left)), len(left)):
        rest = [*left[:index], *left[index + 1 :]]
        if left[index] != last and (not rest or (following := _continued(left[index], rest, draw))):
            return [left[index], *(following if rest else [])]
    return []
