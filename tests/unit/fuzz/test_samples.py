"""A server that does not answer is one of which nothing is known: no Sample says that nothing happened."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.agent.making import FakeInstance, FakeServer, config
from tests.unit.fuzz.mutations import A_TENTH
from uwsgi_autopilot.agent.follower import Follower
from uwsgi_autopilot.agent.generations import Generations
from uwsgi_autopilot.agent.observe import Observer
from uwsgi_autopilot.agent.server import WorkerStats
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.tuner.window import window


@dataclass
class Counting(FakeInstance):
    """finished: requests, as its last answer has it."""

    finished: int = 0

    @property
    def workers(self):
        return [
            WorkerStats(
                slot=1, pid=self.pid + 1, live=True, accepting=True, threads=2,
                requests=self.finished, service_s=0.5 * self.finished, in_service=2, oldest_start=None,
            )
        ]  # fmt: skip


class CountingServer(FakeServer):
    def start(self, number, shape):
        self.started.append(Counting(number, shape, accepting=True))
        return self.started[-1]


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """An observer and what it watches, used by all examples one after the other."""
    settings = config(tmp_path_factory.mktemp("w"), start=Shape(1, 2))
    made = Generations(
        CountingServer(), Follower(settings), lambda: None, start_seconds=1, request_seconds=1, stream_seconds=1
    )
    made.step(0.0)
    made.step(0.1)
    observer = Observer(settings)
    yield observer, made
    observer.socket.close()


SECONDS = st.lists(st.tuples(st.integers(0, 50), st.booleans()), min_size=1, max_size=12)


@A_TENTH
@given(seconds=SECONDS)
def test_every_request_is_in_one_sample_and_no_sample_says_none_for_unknown(watched, seconds):
    observer, generations = watched
    instance = generations.serving.instance
    now, unseen = observer._last_at, 0
    begin, spanned = now, 0.0
    # What an earlier example left.
    instance.answers = True
    now += 1.0
    observer.sample(generations, now)
    begin, answered_at = now, now
    for finished, answers in seconds:
        now += 1.0
        unseen += finished
        instance.answers = answers
        if answers:
            instance.finished += unseen
        observer.tick(generations, now - 0.1)
        sample = observer.sample(generations, now)
        if not answers:
            assert sample is None
            continue
        assert sample is not None
        assert sample.requests == unseen
        assert sample.service_s == pytest.approx(0.5 * unseen)
        assert sample.seconds == pytest.approx(now - answered_at)
        assert sample.busy == 2.0
        spanned += sample.seconds
        unseen, answered_at = 0, now
    assert spanned == pytest.approx(answered_at - begin)


@A_TENTH
@given(seconds=SECONDS)
def test_a_time_without_answers_is_in_no_window_of_the_tuner(watched, seconds):
    observer, generations = watched
    instance = generations.serving.instance
    now = observer._last_at
    samples = []
    for finished, answers in [(5, True), *seconds, (5, True)]:
        now += 1.0
        instance.answers = answers
        instance.finished += finished if answers else 0
        samples.append(observer.sample(generations, now))
    assert all(each.seconds <= 4.0 for each in window([each for each in samples if each is not None]))
