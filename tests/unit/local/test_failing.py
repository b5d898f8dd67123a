"""What local mode says about failures, from samples alone."""

from dataclasses import replace

import pytest

from uwsgi_autopilot.api.agentstate import AgentState
from uwsgi_autopilot.api.sample import Sample
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.local.failing import Failing

READY = AgentState(
    agent="0", app="shop", uid="*", pid=7, now=1.0, target=Shape(1, 1), serving=True, ready=True,
    why="requests are answered",
)  # fmt: skip
HANGS = replace(READY, ready=False, why="the application hangs")


def second(at, *, fine=0, failed=0):
    latency = ((10, fine + failed),) if fine + failed else ()
    return Sample(
        seq=int(at), at=at, seconds=1, generation=1, shape=Shape(1, 1), settled=True, requests=9, errors=failed,
        latency=latency,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("seconds", "says"),
    [
        pytest.param([{"fine": 5}, {}, {"fine": 2, "failed": 9}], [], id="some fail"),
        pytest.param([{"failed": 2}, {}], [], id="two in a row may be chance"),
        pytest.param([{"failed": 2}, {"failed": 1}, {"failed": 7}], ["every request fails: the last 3 "],
                     id="said when it begins, and once"),
        pytest.param([{"failed": 3}, {}, {"fine": 1}], ["every request fails", "requests are answered again"],
                     id="and when it ends"),
        pytest.param([{"failed": 3}, {"fine": 1}, {"failed": 3}],
                     ["every request fails", "requests are answered again", "every request fails"], id="and again"),
    ],
)  # fmt: skip
def test_failures_are_told_when_they_begin_and_end(seconds, says):
    failing, samples, said = Failing(), [], []
    for at, counts in enumerate(seconds, 1):
        samples.append(second(float(at), **counts))
        said += failing.step(READY, samples)
        said += failing.step(READY, samples)  # asked more often than samples come
    assert len(said) == len(says)
    assert all(text.startswith(start) for text, start in zip(said, says, strict=True))


def test_an_application_that_hangs_is_told():
    failing = Failing()
    assert failing.step(READY, []) == []
    assert failing.step(HANGS, []) == ["not ready: the application hangs"]
    assert failing.step(HANGS, []) == []
    assert failing.step(READY, []) == ["requests are answered again"]


@pytest.mark.parametrize(
    ("seconds", "outcome"),
    [
        pytest.param([], None, id="nobody came"),
        pytest.param([{"failed": 2}], None, id="too few to say"),
        pytest.param([{"failed": 2}, {"failed": 5}], "each of 7 requests", id="not one was served"),
        pytest.param([{"failed": 99}, {"fine": 1}, {"failed": 99}], None, id="one was"),
    ],
)
def test_the_outcome(seconds, outcome):
    failing = Failing()
    failing.step(READY, [second(float(at), **counts) for at, counts in enumerate(seconds, 1)])
    told = failing.outcome()
    assert told is None if outcome is None else outcome in told
