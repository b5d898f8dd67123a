"""Nobody notices a change of shape: no request fails, whatever is in flight and however clients connect."""

import random

import pytest

from uwsgi_autopilot.api.shape import Shape

pytestmark = pytest.mark.component
KEEP_ALIVE = "clients=8,path=/?ms=5"
ONE_CONNECTION_EACH = "clients=8,path=/?ms=5,close"


def shapes(count: int, threads: tuple[int, ...], seed: int) -> list[Shape]:
    """No two in a row are equal."""
    rng = random.Random(seed)
    found: list[Shape] = []
    while len(found) < count:
        shape = Shape(rng.randint(1, 5), rng.choice(threads))
        if not found or shape != found[-1]:
            found.append(shape)
    return found


def change_through(served, wanted: list[Shape]) -> None:
    for shape in wanted:
        served.ask(shape)
        served.until(lambda shape=shape: served.serves(shape), f"{shape} serves")


@pytest.mark.long
@pytest.mark.timeout(400)
@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.thorough)])
def test_a_hundred_live_changes_under_load_lose_no_request(serve, seed):
    """With `make thorough` two hundred; threads 1 and 4, so that both ways to retire a generation are used; slow
    requests are in flight all the time."""
    with serve() as served:
        load = [served.load(KEEP_ALIVE), served.load(ONE_CONNECTION_EACH), served.load("clients=2,path=/?ms=1000")]
        change_through(served, shapes(100, (1, 4), seed=seed))
        # A shape is told as soon as its workers live, and counted when all of them accept.
        state = served.until(lambda: served.session.settled and served.state, "the last change is done")
        summaries = [each.stop() for each in load]
        assert [each["failures"] for each in summaries] == [{}, {}, {}]
        assert all(each["sent"] == each["answered"] > 0 for each in summaries)
        assert state.counts.swaps + state.counts.resizes >= 100
        assert state.counts.swaps >= 30
        assert state.counts.failed_starts == 0


@pytest.mark.parametrize(
    "options",
    [pytest.param([], id="preforked"), pytest.param([("lazy-apps", None)], id="lazy-apps")],
)
def test_changes_lose_nothing_with_either_uwsgi(serve, uwsgi_program, options):
    with serve(program=uwsgi_program, options=options) as served:
        load = [served.load(KEEP_ALIVE), served.load(ONE_CONNECTION_EACH)]
        change_through(served, shapes(10, (1, 2, 4), seed=2))
        assert [each.stop()["failures"] for each in load] == [{}, {}]


@pytest.mark.parametrize("ends", ["max-requests", "reload-on-rss"])
def test_changes_lose_nothing_while_uwsgi_replaces_its_workers(serve, ends):
    """A worker of a few requests is nearly always young, leaving or being replaced when a generation retires."""
    options = [(ends, "50" if ends == "max-requests" else "1"), ("min-worker-lifetime", "1")]
    with serve(options=options) as served:
        load = [served.load(KEEP_ALIVE), served.load(ONE_CONNECTION_EACH)]
        change_through(served, shapes(10, (1, 4), seed=3))
        assert [each.stop()["failures"] for each in load] == [{}, {}]


def test_an_idle_server_is_resized_in_place_every_time(serve):
    """Of 30 that woke the master with letters of no meaning in its FIFO, 2 lost their own letters and became swaps."""
    with serve(start=Shape(2, 2)) as served:
        for shape in [Shape(5, 2), Shape(2, 2)] * 10:
            served.ask(shape)
            served.until(lambda shape=shape: served.serves(shape) and served.session.settled, f"{shape} serves")
        assert (served.state.counts.resizes, served.state.counts.swaps) == (20, 0)


def test_an_application_that_imports_for_ten_seconds_delays_only_the_change(serve):
    with serve(start=Shape(1, 2)) as served:
        load = served.load("clients=4,path=/?ms=5")
        (served.faults / "held-import").touch()
        served.ask(Shape(2, 3))
        served.until(lambda: served.state.change, "the swap has begun")
        before = len(load.lines) + 1

        def seconds_with_answers():
            return sum(line["requests"] > line["failed"] for line in list(load.lines)[before:])

        served.until(lambda: seconds_with_answers() >= 10, "requests are answered for ten seconds")
        assert not served.serves(Shape(2, 3))
        (served.faults / "held-import").unlink()
        served.until(lambda: served.serves(Shape(2, 3)), "the slow generation serves")
        assert load.stop()["failures"] == {}


def test_a_request_that_takes_long_is_answered_by_the_generation_that_took_it(serve):
    with serve(start=Shape(1, 2)) as served:
        pid_before = served.get("/")[1]
        held = served.hold()
        served.ask(Shape(1, 4))
        served.until(lambda: served.serves(Shape(1, 4)), "the new generation serves")
        served.until(lambda: served.get("/")[1] != pid_before, "the old one takes no more")
        ((status, pid, _),) = held.release()
        assert (status, pid) == (200, pid_before)


def test_more_processes_than_can_be_stopped_by_the_fifo_are_swapped_away(serve):
    """`-` needs an idle worker, and under saturation no threaded worker is ever idle."""
    with serve(start=Shape(4, 2)) as served:
        load = served.load("clients=32,path=/?ms=50")
        served.ask(Shape(1, 2))
        served.until(lambda: served.serves(Shape(1, 2)) and served.session.settled, "one process is left")
        assert load.stop()["failures"] == {}


def test_a_busy_server_that_must_shrink_in_place_waits_for_an_idle_worker(serve):
    """As where maxConnections has no room for a second generation."""
    with serve(start=Shape(2, 2)) as served:
        generation = served.state.generation
        held = served.hold(4)
        served.ask(Shape(1, 2), in_place=True)
        # Three times as long as it looks for an idle worker before it would swap.
        change = served.until(
            lambda: served.state.change and served.state.change.seconds > 4.5 and served.state.change, "it waits"
        )
        assert change.kind == "resize"
        assert [status for status, _, _ in held.release()] == [200] * 4
        served.until(lambda: served.serves(Shape(1, 2)) and served.session.settled, "one process is left")
        assert served.state.generation == generation
        assert served.state.counts.swaps == 0
