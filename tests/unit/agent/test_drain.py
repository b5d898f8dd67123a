"""Asked to stop, the agent does so whatever goes wrong in it: no request is cut off early, and it always ends."""

import os
import stat
from types import SimpleNamespace

import pytest

from tests.unit.agent.making import FakeInstance, FakeServer, config
from uwsgi_autopilot.agent.drain import Drain
from uwsgi_autopilot.agent.follower import Follower
from uwsgi_autopilot.agent.generations import Generations

BEGIN = 1000.0


class FaultyInstance(FakeInstance):
    """faults: methods that fail, as with an error of ours nobody has thought of."""

    faults: frozenset[str] = frozenset()

    def alive(self):
        if "alive" in self.faults:
            raise RuntimeError("alive")
        return super().alive()

    def retire(self, now):
        super().retire(now)
        if "retire" in self.faults:
            raise RuntimeError("retire")


class FaultyServer(FakeServer):
    def start(self, number, shape):
        self.started.append(FaultyInstance(number, shape, accepting=True))
        return self.started[-1]


class Stopping:
    """1x1 serves, `in_service` requests are there, and the agent has been asked to stop within 80 s."""

    def __init__(self, folder):
        settings = config(folder, drain_seconds=80.0, draining=str(folder / "draining"))
        self.now = BEGIN
        server = FaultyServer()
        self.generations = Generations(
            server, Follower(settings), lambda: None, start_seconds=300.0, request_seconds=75.0, stream_seconds=600.0
        )
        while not self.generations.idle:
            self.now += 0.1
            self.generations.step(self.now)
        (self.instance,) = server.started
        self.socket = SimpleNamespace(in_service=1, queue=0)
        self.looks = True
        self.drain = Drain(settings, self.generations, SimpleNamespace(tick=self.tick, socket=self.socket), self.now)
        self.end = self.now + 80.0

    def tick(self, generations, now):
        if not self.looks:
            raise RuntimeError("tick")

    def run(self, seconds):
        """Whether it has ended by then."""
        for _ in range(round(seconds * 10)):
            self.now += 0.1
            if self.drain.step(self.now):
                return True
        return False


@pytest.fixture
def stopping(tmp_path):
    return Stopping(tmp_path)


@pytest.fixture
def private_by_default():
    before = os.umask(0o077)
    yield
    os.umask(before)


def test_nginx_may_open_the_mark_whatever_is_usual_for_new_files(private_by_default, stopping, tmp_path):
    """It opens the file, as another user perhaps, since it remembers for a second whether there is one."""
    assert stat.S_IMODE((tmp_path / "draining").stat().st_mode) == 0o644


def test_without_errors_it_serves_lets_uwsgi_finish_and_ends(stopping):
    assert not stopping.run(20)
    assert "retire" not in stopping.instance.told, "a request is in service"
    stopping.socket.in_service = 0
    assert not stopping.run(2)
    assert stopping.instance.told[-1] == "retire"
    stopping.instance.running = False
    assert stopping.run(1)


def test_requests_that_cannot_be_seen_are_not_none(stopping):
    """It goes on until the deadline is near: 60 of the 80 s."""
    stopping.socket.in_service = stopping.socket.queue = None
    assert not stopping.run(55)
    assert "retire" not in stopping.instance.told
    assert not stopping.run(10)
    assert stopping.instance.told[-1] == "retire"


@pytest.mark.parametrize("fault", ["changing", "observing"])
def test_a_part_that_fails_does_not_keep_uwsgi_from_being_told_to_finish(stopping, fault):
    stopping.instance.faults = frozenset({"alive"} if fault == "changing" else ())
    stopping.looks = fault != "observing"
    assert not stopping.run(20)
    stopping.socket.in_service = 0
    assert not stopping.run(5)
    assert stopping.instance.told[-1] == "retire"
    assert stopping.instance.running
    stopping.instance.faults = frozenset()
    stopping.instance.running = False
    assert stopping.run(31)


def test_a_stop_that_fails_is_tried_again(stopping):
    stopping.instance.faults = frozenset({"retire"})
    stopping.socket.in_service = 0
    assert not stopping.run(5)
    stopping.instance.faults = frozenset()
    stopping.instance.running = False
    assert stopping.run(10)


@pytest.mark.parametrize("fault", ["alive", "retire"])
def test_an_error_that_stays_kills_nothing_before_the_deadline_and_ends_with_it(stopping, fault):
    stopping.instance.faults = frozenset({fault})
    assert not stopping.run(77)
    assert stopping.instance.running
    assert stopping.run(4)
    assert not stopping.instance.running
