"""The agents of tests/reliability say what real ones say: the operator's own reader takes it."""

import asyncio
import json
import time

import pytest

from tests.reliability.agents import Agent
from tests.reliability.load import IDLE, Load, second
from uwsgi_autopilot.agent.following import Following
from uwsgi_autopilot.api.agentreader import parse_samples, parse_state
from uwsgi_autopilot.api.agentstate import MAX_SAMPLES
from uwsgi_autopilot.api.desired import DesiredShape, Version
from uwsgi_autopilot.api.sample import Sample
from uwsgi_autopilot.api.shape import Shape

SMALL = Shape(1, 2)


def agent(**more: float) -> Agent:
    return Agent(uid="u-1", app="shop", ip="127.1.0.1", following=Following.start(SMALL), shape=SMALL, **more)


def test_a_sample_is_written_as_the_agent_writes_it() -> None:
    text = '{"seq": 7, "at": 7.0, ' + second(Load(clients=24), SMALL, 1, True, 3)
    assert text == json.dumps(Sample.from_json(json.loads(text)).to_json())


@pytest.mark.parametrize("load", [IDLE, Load(clients=24)])
def test_the_reader_takes_its_answer(load: Load) -> None:
    it = agent()
    it.put(load)
    data = json.loads(it.answer(-1))
    assert parse_state(data, uid="u-1").shape == SMALL
    found = parse_samples(data, after=-1)
    assert len(found) == MAX_SAMPLES
    assert found[-1].seq == int(it.now)


def test_only_what_is_newer_than_the_cursor_is_told() -> None:
    it = agent(born=time.monotonic() - 100.5)
    assert [each["seq"] for each in json.loads(it.answer(397))["samples"]] == [398, 399, 400]
    assert json.loads(it.answer(400))["samples"] == []


def test_it_follows_its_annotation_and_more_load_is_served() -> None:
    async def story() -> tuple[Agent, Agent]:
        it = agent()
        it.follow(DesiredShape(version=Version(1, 1), shape=Shape(4, 8), uid="u-1").to_text())
        other = agent()
        other.follow(DesiredShape(version=Version(1, 1), shape=Shape(4, 8), uid="somebody").to_text())
        return it, other

    it, other = asyncio.run(story())
    assert it.state().target == Shape(4, 8)
    assert it.state().change is not None
    assert other.state().refused is not None
    load = Load(clients=24)
    assert load.throughput(Shape(4, 8)) > 5 * load.throughput(SMALL)
