"""What the load does not need is put away, and is back when the load is: no request notices either.

Five minutes of quiet are a second here.
"""

import os
import signal

import pytest

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.kernel.process import children_of, parent_of
from uwsgi_autopilot.loadgen.process import LoadProcess

pytestmark = [pytest.mark.component, pytest.mark.timeout(180)]
THOROUGH = pytest.mark.thorough
TRICKLE = "rate=5,path=/?ms=2"
SURGE = "clients=64,path=/?ms=20"
# On a busy machine a return takes longer than the two seconds after which nothing would be put away again.
OFTEN = {"parking": True, "parking_seconds": 1.0, "parking_back_seconds": 60.0}


@pytest.fixture
def quiet(pod):
    """`quiet(Shape(4, 2))`: a pod with nothing to do, with as few live workers as it may have."""

    def start(shape, least=2, **wanted):
        running = pod(shape=shape, **{**OFTEN, **wanted})
        running.until(lambda: running.ready()[0] == 200, "it is ready")
        away = shape.processes - least
        running.until(lambda: running.state()["parked"] == away, f"{away} workers are put away")
        return running

    return start


@pytest.fixture
def load():
    """`load(pod, "clients=4")`: until the test ends."""
    started = []

    def start(pod, *loads):
        started.append(LoadProcess.start(f"http://127.0.0.1:{pod.client}", loads, 120))
        return started[-1]

    yield start
    for each in started:
        each.stop(40)


def live(pod):
    return int(pod.get("/metrics", pod.port)[1].split("\nuwsgi_autopilot_processes ")[1].split()[0])


def back(pod):
    return pod.until(lambda: (state := pod.state())["parked"] == 0 and state, "all are back")


def lossless(process):
    summary = process.stop(40)
    assert summary["failures"] == {}
    assert summary["sent"] == summary["answered"] > 0


@pytest.mark.parametrize(
    "shape",
    [Shape(4, 1), pytest.param(Shape(4, 2), marks=THOROUGH), pytest.param(Shape(6, 4), marks=THOROUGH)],
    ids=str,
)
def test_a_surge_brings_all_back_and_no_request_fails(quiet, load, shape):
    running = quiet(shape)
    trickle = load(running, TRICKLE)
    for _ in range(3):
        running.until(lambda: running.state()["parked"] == shape.processes - 2, "the others are put away again")
        surge = load(running, SURGE)
        back(running)
        lossless(surge)
    lossless(trickle)
    state = running.state()
    assert {tuple(each["shape"].values()) for each in state["samples"]} == {(shape.processes, shape.threads)}
    assert all(each["settled"] for each in state["samples"][2:])
    assert (state["counts"]["swaps"], state["counts"]["resizes"], state["counts"]["restarts"]) == (0, 0, 0)


def test_what_returned_too_late_is_not_put_away_again(quiet, load):
    running = quiet(Shape(4, 2), parking_back_seconds=0.0)
    surge = load(running, SURGE)
    back(running)
    lossless(surge)
    state = running.until(
        lambda: (state := running.state())["parking"].startswith("no worker is put away any more") and state,
        "it says so",
    )
    assert state["parked"] == 0


@pytest.mark.parametrize("shape", [Shape(6, 1), pytest.param(Shape(6, 4), marks=THOROUGH)], ids=str)
def test_requests_of_five_seconds_are_answered_while_workers_go(pod, load, shape):
    running = pod(shape=shape, **OFTEN)
    running.until(lambda: running.ready()[0] == 200, "it is ready")
    slow = load(running, "clients=1,path=/?ms=5000", "rate=2,path=/?ms=1")
    for _ in range(2):
        running.until(lambda: running.state()["parked"] > 1, "some are put away")
        surge = load(running, SURGE)
        back(running)
        lossless(surge)
    lossless(slow)


def test_a_change_starts_from_the_whole_shape(quiet, load):
    running = quiet(Shape(5, 2))
    trickle = load(running, TRICKLE)
    running.desire(1, Shape(6, 2))
    running.until(lambda: running.state()["counts"]["resizes"] == 1, "more processes")
    assert running.said("all 5 workers are back")
    running.until(lambda: running.state()["parked"] == 4, "the others are put away again")
    running.desire(2, Shape(5, 3))
    running.until(lambda: running.state()["counts"]["swaps"] == 1, "other threads")
    assert running.said("all 6 workers are back")
    running.until(lambda: running.state()["parked"] == 3, "the others are put away again")
    running.desire(3, Shape(3, 3))
    running.until(lambda: running.state()["counts"]["resizes"] == 2, "fewer processes")
    assert running.state()["shape"] == {"processes": 3, "threads": 3}
    lossless(trickle)


def test_a_reload_and_a_death_leave_a_whole_shape(quiet, load):
    running = quiet(Shape(4, 2))
    trickle = load(running, TRICKLE)
    generation = running.state()["generation"]
    os.kill(running.children["agent"].pid, signal.SIGHUP)
    running.until(lambda: running.state()["generation"] == generation + 1, "the new code serves")
    assert running.said("all 4 workers are back")
    lossless(trickle)
    running.until(lambda: running.state()["parked"] == 2, "two are put away again")
    worker = int(running.get("/")[1])
    os.kill(parent_of(worker), signal.SIGKILL)
    running.until(lambda: running.state()["counts"]["restarts"] == 1, "it died")
    running.until(lambda: running.state()["serving"] and running.state()["generation"] == generation + 2, "it serves")
    running.until(lambda: running.state()["parked"] == 2, "two are put away again")


@pytest.mark.parametrize("shape", [Shape(4, 1), Shape(4, 4)], ids=str)
def test_what_is_put_away_has_ended(quiet, load, shape):
    """Also with threads, which queue for a lock that one of them holds while it waits: with the next requests."""
    running = quiet(shape)
    busy = load(running, SURGE)
    back(running)
    lossless(busy)
    running.until(lambda: running.state()["parked"] == 2, "two are put away again")
    (master,) = children_of(running.children["agent"].pid)
    load(running, TRICKLE)
    running.until(lambda: len(children_of(master)) == 4 - running.state()["parked"] < 4, "the processes have ended")


def test_who_looks_sees_the_shape_and_what_is_put_away(quiet):
    running = quiet(Shape(4, 2))
    # The number is that of the moment, the sentence of the look before.
    said = "2 of 4 workers are put away"
    state = running.until(lambda: (state := running.state())["parking"] == said and state, "it says so")
    assert state["shape"] == state["target"] == {"processes": 4, "threads": 2}
    running.until(lambda: running.state()["samples"][-1]["parked"] == 2, "a sample says it")
    assert live(running) == 2
    log = (running.run / "agent.log").read_text()
    assert log.count("parking:") == 1


def test_with_lazy_apps_nothing_is_put_away(pod):
    running = pod(shape=Shape(4, 2), parking=True, parking_seconds=0.5, options=(("lazy-apps", None),))
    running.until(lambda: running.ready()[0] == 200, "it is ready")
    running.until(lambda: len(running.state()["samples"]) > 4, "some seconds pass")
    state = running.state()
    assert state["parked"] == 0
    assert "lazy-apps" in state["parking"]


def test_switched_off_it_puts_nothing_away(pod):
    running = pod(shape=Shape(4, 2), parking_seconds=0.5)
    running.until(lambda: running.ready()[0] == 200, "it is ready")
    running.until(lambda: len(running.state()["samples"]) > 4, "some seconds pass")
    state = running.state()
    assert (state["parked"], state["parking"]) == (0, None)
    assert live(running) == 4
