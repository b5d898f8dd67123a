"""How many workers stay, told as stories: what a server does second by second, with ten looks in each."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uwsgi_autopilot.agent.parking import Parking, Seen, needed
from uwsgi_autopilot.api.shape import Shape

QUIET = 300.0
FOUR = Shape(4, 4)


class Server:
    """Does at once what is wanted. moves: (when, how many live) of each."""

    def __init__(self, shape: Shape = FOUR) -> None:
        self.shape, self.live, self.now = shape, shape.processes, 1000.0
        self.parking = Parking(QUIET)
        self.moves: list[tuple[float, int]] = []
        self.why: str | None = None

    def run(self, seconds: float, *, busy: float = 0.0, queue: int | None = 0, cpu: float = 0.0, **seen) -> "Server":
        for _ in range(round(seconds * 10)):
            self.now += 0.1
            wanted = self.parking.step(
                Seen(now=self.now, shape=self.shape, live=self.live, busy=busy, queue=queue, cpu=cpu, **seen)
            )
            if wanted.live != self.live:
                self.live, self.why = wanted.live, wanted.why
                self.moves.append((self.now, wanted.live))
        return self


def test_nothing_is_put_away_in_the_first_five_minutes():
    assert Server().run(QUIET - 1).moves == []


def test_at_night_one_is_put_away_each_half_minute_until_two_are_left():
    server = Server(Shape(5, 4)).run(2 * QUIET)
    assert [live for _, live in server.moves] == [4, 3, 2]
    assert [round(at - 1000) for at, _ in server.moves] == [300, 330, 360]


@pytest.mark.parametrize("processes", [1, 2])
def test_one_or_two_processes_are_left_alone(processes):
    assert Server(Shape(processes, 8)).run(3 * QUIET).moves == []


def test_a_peak_of_one_second_is_remembered_for_five_minutes():
    server = Server().run(QUIET - 10).run(1, busy=7).run(QUIET - 10)
    assert server.moves == []
    assert server.run(120).live == 2


def test_a_surge_brings_all_back_at_once():
    server = Server(Shape(8, 4)).run(3 * QUIET)
    assert server.live == 2
    before = server.now
    server.run(1, busy=5)
    assert server.moves[-1] == (pytest.approx(before + 0.1), 8)
    assert server.why == "5 of 8 threads were busy"


@pytest.mark.parametrize(
    ("seconds", "load", "live"),
    [
        pytest.param(0.1, {"queue": 1}, 2, id="one request on its way at one look"),
        pytest.param(0.2, {"queue": 1}, 8, id="it still waits at the next look"),
        pytest.param(0.1, {"queue": 9}, 8, id="more at once than there are threads"),
        pytest.param(0.1, {"busy": 4}, 3, id="half of the threads are busy: one more, to have one to spare"),
        pytest.param(0.1, {"busy": 5}, 8, id="more than half of them are"),
        pytest.param(0.1, {"cpu": 0.5}, 3, id="half a core: one more likewise"),
        pytest.param(0.1, {"cpu": 1.1}, 8, id="two interpreters are more than half full"),
        pytest.param(0.1, {"queue": None}, 8, id="the queue cannot be seen any more"),
        pytest.param(0.1, {"room": False}, 8, id="a leak is about to take their memory"),
        pytest.param(0.1, {"still": False}, 2, id="a fresh generation is starting"),
    ],
)
def test_what_brings_them_back(seconds, load, live):
    server = Server(Shape(8, 4)).run(3 * QUIET)
    assert server.live == 2
    assert server.run(seconds, **load).live == live


def test_after_a_surge_the_five_minutes_begin_again():
    server = Server().run(2 * QUIET).run(1, queue=3)
    assert server.live == 4
    assert server.run(QUIET - 2).live == 4
    assert server.run(2).live == 3


def test_a_load_that_grows_slowly_gets_what_it_needs():
    server = Server(Shape(8, 4)).run(3 * QUIET).run(60, busy=4)
    assert server.live == needed(Shape(8, 4), 4, 0.0) == 3


def test_while_something_changes_none_goes_and_the_five_minutes_begin_after_it():
    server = Server().run(QUIET, still=False).run(QUIET - 1)
    assert server.moves == []


def test_a_new_shape_is_whole_for_five_minutes():
    server = Server().run(2 * QUIET)
    server.shape, server.live = Shape(6, 4), 6
    assert server.run(QUIET - 1).live == 6


@pytest.mark.parametrize(
    ("shape", "busy", "cpu", "expected"),
    [
        pytest.param(Shape(8, 4), 0, 0.0, 2, id="nobody comes: two"),
        pytest.param(Shape(8, 4), 6, 0.0, 4, id="6 busy threads twice are 3 workers, and one more"),
        pytest.param(Shape(8, 1), 2, 0.0, 5, id="2 busy workers of one thread twice are 4, and one more"),
        pytest.param(Shape(8, 4), 1, 0.6, 4, id="0.6 cores are 3 workers, and one more"),
        pytest.param(Shape(8, 4), 32, 2.0, 8, id="never more than the shape has"),
        pytest.param(Shape(1, 4), 0, 0.0, 1, id="a shape of one"),
    ],
)
def test_what_a_load_needs(shape, busy, cpu, expected):
    assert needed(shape, busy, cpu) == expected


@settings(max_examples=60, deadline=None)
@given(
    processes=st.integers(1, 16),
    threads=st.integers(1, 16),
    seconds=st.lists(st.tuples(st.floats(0, 40), st.integers(0, 5), st.floats(0, 4)), max_size=40),
)
def test_whatever_comes_the_floor_holds_and_they_go_one_at_a_time(processes, threads, seconds):
    server = Server(Shape(processes, threads))
    server.parking = Parking(3.0)
    for busy, queue, cpu in seconds:
        before = server.live
        server.run(1, busy=busy, queue=queue, cpu=cpu)
        assert min(2, processes) <= server.live <= processes
        for _, live in server.moves:
            assert live >= before - 1
            before = live
        server.moves.clear()


@settings(max_examples=100, deadline=None)
@given(busy=st.floats(0, 50), more=st.floats(0, 50), cpu=st.floats(0, 4))
def test_more_load_never_needs_fewer(busy, more, cpu):
    shape = Shape(16, 4)
    assert needed(shape, busy, cpu) <= needed(shape, busy + more, cpu) <= needed(shape, busy + more, cpu + 1)
