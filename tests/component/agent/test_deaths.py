"""SIGKILL at any moment: service returns by itself, or nothing is left."""

import os
import signal
from types import SimpleNamespace

import pytest

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.errors import NotServing
from uwsgi_autopilot.kernel.process import children_of
from uwsgi_autopilot.local.ready import wait_ready
from uwsgi_autopilot.report.reasons import RefusalReason

pytestmark = pytest.mark.component


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def answers_again(served, path="/"):
    def answered():
        try:
            return served.get(path, timeout=5)[0] == 200
        except OSError:
            return False

    served.until(answered, "the application answers again")


def test_a_killed_worker_is_replaced(serve):
    with serve(start=Shape(2, 2)) as served:
        before = served.stats_pids()
        os.kill(before[1], signal.SIGKILL)
        answers_again(served)
        served.until(lambda: len(served.stats_pids()) == 3 and before[1] not in served.stats_pids(), "a new worker")
        assert served.master == before[0]


def test_all_workers_killed_are_replaced(serve):
    with serve(start=Shape(3, 1)) as served:
        before = served.stats_pids()
        for pid in before[1:]:
            os.kill(pid, signal.SIGKILL)
        answers_again(served)
        served.until(lambda: len(set(served.stats_pids()) - set(before)) == 3, "three new workers")


@pytest.mark.parametrize("threads", [1, 4])
def test_a_killed_master_is_replaced_at_the_same_shape_and_no_worker_is_left(serve, threads):
    with serve(start=Shape(2, threads)) as served:
        before = served.stats_pids()
        os.kill(before[0], signal.SIGKILL)
        answers_again(served)
        served.until(lambda: served.state.counts.restarts == 1 and served.serves(Shape(2, threads)), "same shape")
        served.until(lambda: not any(alive(pid) for pid in before), "the old processes are gone")


def test_a_generation_killed_while_it_starts_never_replaces_the_one_that_serves(serve):
    with serve(start=Shape(1, 2)) as served:
        load = served.load("clients=4,path=/?ms=5")
        (served.faults / "held-import").touch()
        served.ask(Shape(2, 4))
        served.until(lambda: served.state.change and served.state.change.kind == "swap", "the swap has begun")
        starting = served.until(lambda: _masters(served) - {served.master}, "the new master runs")
        os.kill(starting.pop(), signal.SIGKILL)
        refused = served.until(lambda: served.state.refused, "it is given up")
        assert refused.reason is RefusalReason.START_FAILED
        assert "killed by signal 9" in refused.message
        assert served.serves(Shape(1, 2))
        assert load.stop()["failures"] == {}


def _masters(served) -> set[int]:
    """Children of the agent that are uWSGI masters."""
    return set(children_of(served.child("agent")))


def test_a_killed_nginx_is_started_again_on_its_port(serve):
    with serve() as served:
        before = served.child("nginx")
        os.kill(before, signal.SIGKILL)
        served.until(lambda: served.session.children.restarts == 1, "nginx is started again")
        served.until(lambda: alive(served.child("nginx")) and served.child("nginx") != before, "it stays")
        answers_again(served)


def test_a_killed_agent_is_started_again_at_the_shape_that_was_desired(serve):
    with serve(start=Shape(1, 2)) as served:
        served.session.set_shape(Shape(2, 3))
        before = [served.child("agent"), *served.stats_pids()]
        os.kill(before[0], signal.SIGKILL)
        served.until(lambda: served.session.children.restarts == 1, "the agent is started again")
        answers_again(served)
        served.until(lambda: served.serves(Shape(2, 3)), "the same shape")
        served.until(lambda: not any(alive(pid) for pid in before), "the old processes are gone")


def test_a_generation_that_cannot_be_imported_is_refused_with_the_applications_own_traceback(serve):
    with serve(start=Shape(1, 2)) as served:
        load = served.load("clients=4,path=/?ms=5")
        (served.faults / "bad-import").touch()
        served.ask(Shape(2, 4))
        refused = served.until(lambda: served.state.refused, "it is given up")
        assert refused.reason is RefusalReason.START_FAILED
        assert "RuntimeError: the settings module is missing SECRET_KEY" in refused.message
        assert served.serves(Shape(1, 2))
        (served.faults / "bad-import").unlink()
        served.ask(Shape(2, 4))
        served.until(lambda: served.serves(Shape(2, 4)), "a later one is followed")
        assert load.stop()["failures"] == {}


def test_what_served_is_started_again_when_it_dies_beside_a_generation_that_cannot_start(serve):
    with serve(start=Shape(1, 2)) as served:
        (served.faults / "held-import").touch()
        version = served.ask(Shape(2, 4))
        served.until(lambda: served.state.change and served.state.change.kind == "swap", "the swap has begun")
        starting = served.until(lambda: _masters(served) - {served.master}, "the new master runs").pop()
        os.kill(served.master, signal.SIGKILL)
        served.until(lambda: served.state.counts.restarts == 1, "the old generation is missed")
        os.kill(starting, signal.SIGKILL)
        refused = served.until(lambda: served.state.refused_version(version), "the new one is given up")
        assert refused.reason is RefusalReason.START_FAILED
        (served.faults / "held-import").unlink()
        answers_again(served)
        served.until(lambda: served.serves(Shape(1, 2)) and served.session.settled, "what served serves again")
        assert served.state.target == Shape(1, 2)
        assert served.state.counts.failed_starts == 1


def test_a_master_that_dies_while_its_application_is_broken_is_tried_again_until_it_works(serve):
    with serve(start=Shape(1, 2)) as served:
        (served.faults / "bad-import").touch()
        os.kill(served.master, signal.SIGKILL)
        served.until(lambda: served.state.counts.failed_starts >= 2, "it was tried again")
        (served.faults / "bad-import").unlink()
        answers_again(served)


def test_a_stopped_master_leaves_readings_out_and_comes_back(serve):
    """A master that does not answer says nothing about load; its workers keep serving."""
    with serve(start=Shape(2, 2)) as served:
        master = served.master
        os.kill(master, signal.SIGSTOP)
        try:
            answered = [served.get("/")[0] for _ in range(5)]
            since = served.state.now
            served.until(lambda: served.state.now > since + 3, "three seconds without the master")
            assert answered == [200] * 5
        finally:
            os.kill(master, signal.SIGCONT)
        served.until(lambda: served.state.serving and served.serves(Shape(2, 2)), "readings are back")
        assert served.state.counts.restarts == 0


def test_a_resize_of_a_stopped_master_is_given_up_and_leaves_no_letters_behind(serve):
    """What it was told it obeys when it comes back: more workers and as many fewer."""
    with serve(start=Shape(2, 2)) as served:
        master = served.master
        os.kill(master, signal.SIGSTOP)
        try:
            version = served.ask(Shape(4, 2))
            served.until(lambda: served.state.change and served.state.change.kind == "resize", "it is in progress")
            refused = served.until(lambda: served.state.refused_version(version), "it is given up")
            assert refused.reason is RefusalReason.NOT_ANSWERING
            assert served.get("/")[0] == 200
            assert served.state.target == Shape(2, 2)
        finally:
            os.kill(master, signal.SIGCONT)
        served.ask(Shape(3, 2))
        served.until(lambda: served.serves(Shape(3, 2)) and served.session.settled, "a later one is followed")
        assert served.master == master, "by the same master"


def test_an_nginx_killed_just_before_the_end_leaves_no_worker_behind(serve, until):
    """Its workers hold the port, on which the agent's drain waits."""
    # The drain's deadline is later than that of the test.
    with serve(start=Shape(1, 2), read_timeout_s=600) as served:
        nginx = served.child("nginx")
        workers = children_of(nginx)
        run = served.session.run
        os.kill(nginx, signal.SIGKILL)
    until(lambda: not any(os.path.exists(f"/proc/{pid}/exe") for pid in workers), "its workers are gone")
    assert not run.exists()


def test_an_agent_that_ends_before_it_served_is_not_started_again(serve, monkeypatch):
    """It ended between two looks at it, once in some hundred starts, and everything was printed twice."""
    ended = SimpleNamespace(path="/bin/false")
    with serve(program=ended, ready=False) as served:
        children = served.session.children
        revive = children.revive

        def once_it_ended(**how):
            children["agent"].wait(60)
            revive(**how)

        monkeypatch.setattr(children, "revive", once_it_ended)
        with pytest.raises(NotServing):
            wait_ready(served.session, 90)
        assert children.restarts == 0
