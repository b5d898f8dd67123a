"""The census of real workers, in states that stay until the test ends them."""

import os
import signal
import time

import pytest

from uwsgi_autopilot.api.sample import Census
from uwsgi_autopilot.kernel.census import ThreadCensus

pytestmark = pytest.mark.component

THUNDER = pytest.mark.parametrize("thunder", ["true", "false"], ids=["thunder lock", "no thunder lock"])


def classes(server, *, threads: int, budget: int = 1000, looks: int = 1, pause: float = 0) -> Census | None:
    """None while a worker has not started all of its threads."""
    census = ThreadCensus()
    for _ in range(looks):
        census.look(server.workers(), budget, threads)
        time.sleep(pause)
    return census.take()


def counts(server, threads: int) -> tuple[float, float, float, float] | None:
    """(io, interpreter lock, application lock, idle)"""
    seen = classes(server, threads=threads)
    return seen and (seen.io, seen.interpreter_lock, seen.application_lock, seen.idle)


@THUNDER
@pytest.mark.parametrize("shape", ["1x1", "2x1", "1x4", "2x4"])
def test_idle_workers_are_idle(start_uwsgi, eventually, shape, thunder):
    server = start_uwsgi(shape, options=(("thunder-lock", thunder),))
    processes, threads = map(int, shape.split("x"))
    eventually(lambda: counts(server, threads), (0, 0, 0, processes * threads))
    assert server.get("/") == b"ok"
    eventually(lambda: counts(server, threads), (0, 0, 0, processes * threads))


@THUNDER
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param("/hold", (3, 0, 0, 1), id="three requests wait for a socket"),
        pytest.param("/lock", (1, 0, 2, 1), id="two wait for the lock that the third holds"),
        pytest.param("/timed", (1, 0, 2, 1), id="the same with a timeout"),
        pytest.param("/event", (0, 0, 3, 1), id="three wait for an Event"),
    ],
)
def test_three_requests_on_four_threads(start_uwsgi, eventually, path, expected, thunder):
    server = start_uwsgi("1x4", options=(("thunder-lock", thunder),))
    server.hold(path, times=3)
    eventually(lambda: counts(server, 4), expected)


def test_threads_that_compute_wait_for_the_interpreter_lock(start_uwsgi, eventually):
    server = start_uwsgi("1x4")
    server.hold("/spin", times=4)
    eventually(lambda: server.stats().workers[0].in_service, 4)

    def as_expected() -> bool:
        # The lock changes hands every 5 ms; the looks are spread over many turns. On a busy machine who waits for the
        # lock may wait for a core as often, and looks as if it ran.
        seen = classes(server, threads=4, looks=60, pause=0.007)
        return (
            seen is not None
            and seen.running + seen.interpreter_lock > 3.5
            and seen.interpreter_lock > 1
            and seen.application_lock < 0.2
            and seen.idle < 0.2
        )

    eventually(as_expected)


def test_a_small_budget_covers_all_threads_of_all_workers_in_turn(start_uwsgi, eventually):
    server = start_uwsgi("2x4")
    server.hold("/hold", times=3)
    eventually(lambda: counts(server, 4), (3, 0, 0, 5))
    # 8 threads, 3 a time: after 8 calls each thread was looked at 3 times.

    def seen() -> tuple[float, float, int] | None:
        found = classes(server, threads=4, budget=3, looks=8)
        return found and (round(found.io, 6), round(found.idle, 6), found.looks)

    eventually(seen, (3, 5, 24))


BACKGROUND_APP = """
import queue, threading, time
from uwsgidecorators import postfork

def start_threads():
    threading.Thread(target=queue.Queue().get, daemon=True).start()
    threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()

start_threads()
postfork(start_threads)
asked = threading.Lock()

def app(environ, start_response):
    if environ["PATH_INFO"] == "/threads":
        start_threads()
    start_response("200 OK", [])
    return [str(threading.active_count()).encode()]
"""


@pytest.mark.parametrize("lazy", ["true", "false"], ids=["lazy-apps", "preforked"])
def test_background_threads_of_the_application_are_not_counted(start_uwsgi, eventually, lazy):
    options = (("lazy-apps", lazy), ("import", "uwsgidecorators"))
    server = start_uwsgi("1x4", application=BACKGROUND_APP, options=options)
    for _ in range(8):  # so that threads of every kind of thread that serves are started
        server.get("/threads")
    eventually(lambda: counts(server, 4), (0, 0, 0, 4))


def test_a_worker_that_ended_is_forgotten_and_its_successor_seen(start_uwsgi, eventually):
    server = start_uwsgi("2x2")
    census = ThreadCensus()
    before = server.workers()
    census.look(before, 100, 2)
    os.kill(before[0], signal.SIGKILL)
    eventually(lambda: len(server.workers()) == 2 and server.workers() != before)
    census.take()

    def idle() -> float | None:
        census.look(server.workers(), 100, 2)
        seen = census.take()
        return seen and seen.idle

    eventually(idle, 4)


def test_nobody_to_look_at_is_no_census():
    census = ThreadCensus()
    census.look([], 10, 4)
    assert census.take() is None
    census.look([2**22 + 1], 10, 4)
    assert census.take() is None
