"""Collectors fill fields of the Sample; one that fails leaves out its own, and no other."""

import socket

import pytest

from tests.unit.agent.making import FakeServer, config
from uwsgi_autopilot.agent.follower import Follower
from uwsgi_autopilot.agent.generations import Generations
from uwsgi_autopilot.agent.observe import Observer
from uwsgi_autopilot.agent.signals.collector import Growth, Running
from uwsgi_autopilot.agent.signals.requests import SocketLoad
from uwsgi_autopilot.api.shape import Shape


@pytest.fixture
def generations(tmp_path):
    made = Generations(
        FakeServer(),
        Follower(config(tmp_path, start=Shape(2, 2))),
        lambda: None,
        start_seconds=1,
        request_seconds=1,
        stream_seconds=1,
    )
    made.step(0.0)
    made.step(0.1)
    assert made.serving is not None
    return made


@pytest.fixture
def observer(tmp_path):
    observer = Observer(config(tmp_path))
    yield observer
    observer.socket.close()


def test_a_signal_that_fails_is_told_once_and_the_others_are_there(generations, observer, told):

    class Broken(type(observer.memory)):
        def collect(self, window):
            raise OSError("smaps_rollup")

    guards = observer._parts
    observer._parts = {
        (Broken(each.cgroup, None) if each is observer.memory else each): guard for each, guard in guards.items()
    }
    begin = observer._last_at
    samples = [observer.sample(generations, begin + second) for second in range(1, 30)]
    assert all(sample is not None and sample.memory_bytes is None and sample.cores > 0 for sample in samples)
    assert [sample.seq for sample in samples] == list(range(1, 30))
    assert told().count("Traceback") == 1


def test_the_server_is_asked_a_moment_before_a_sample_is_due(generations, observer):
    told = generations.serving.instance.told
    observer.tick(generations, observer._last_at + 0.5)
    assert "look" not in told
    observer.tick(generations, observer._last_at + 0.9)
    observer.tick(generations, observer._last_at + 1.0)
    assert told.count("look") == 1


def test_a_server_that_does_not_answer_is_not_one_without_requests(generations, observer):
    """uWSGI gives no statistics for as long as a client has sent half a request (uwsgi/stats.py)."""
    instance, begin = generations.serving.instance, observer._last_at
    assert observer.sample(generations, begin + 1).seconds == 1
    instance.answers = False
    assert [observer.sample(generations, begin + second) for second in (2, 3, 4)] == [None] * 3
    instance.answers = True
    sample = observer.sample(generations, begin + 5)
    assert (sample.seq, sample.seconds) == (2, 4), "one sample for the whole time: its sums are those of four seconds"


def test_it_is_asked_again_while_it_does_not_answer(generations, observer):
    instance, begin = generations.serving.instance, observer._last_at
    instance.answers = False
    for second in (1, 2, 3):
        observer.tick(generations, begin + second - 0.1)
        observer.sample(generations, begin + second)
    assert instance.told.count("look") == 3


def test_what_cannot_be_looked_at_any_more_is_unknown(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a unix socket's path must be short
    load = SocketLoad(["s"])
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("s")
        listener.listen()
        load.look(Running(serving=None))
        assert (load.in_service, load.queue) == (0, 0)
    load.look(Running(serving=None))
    assert (load.in_service, load.queue) == (None, None)
    load.close()


def test_of_two_sockets_one_alone_does_not_tell_how_many_requests_there_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    load = SocketLoad(["s", "t"])
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("s")
        listener.listen()
        load.look(Running(serving=None))
    assert (load.in_service, load.queue) == (None, None)
    load.close()


def test_what_grew_is_summed_over_owners_that_begin_at_zero():
    growth = Growth()
    growth.saw("a", 5)
    assert growth.take() == 5
    growth.saw("a", 7)
    growth.saw("b", 1)
    assert growth.take() == 3
    growth.saw("a", 2)  # restarted: what it has now is less, and sums never go backwards
    assert growth.take() == 0
    growth.forget_all_but({"b"})
    assert not growth.knows("a")
