"""The memory survives its trip through JSON, in any state, and stays small."""

import json
from dataclasses import replace

import pytest

from tests.simulator import workload
from tests.simulator.pod import Pod
from tests.simulator.story import tell
from tests.unit.tuner.making import WIDE
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.tuner.memory import MAX_JSON_BYTES, Memory
from uwsgi_autopilot.tuner.propose import propose


def full() -> Memory:
    memory = tell(Pod(workload.DEGRADING, Shape(8, 1), clients=64), 14).state.memory
    for number in range(1, 30):
        memory = memory.with_rejected(Shape(number, 64), up=True, demand=1e9, change=-0.123456789)
        point = replace(memory.points[-1], shape=Shape(number, 7), throughput=1000 / 7, wait_s=1 / 70)
        memory = replace(memory.with_point(point), reference=point, returned_to=point)
    return memory


def test_there_and_back_again_and_small():
    memory = full()
    text = memory.to_text()
    assert len(text.encode()) < MAX_JSON_BYTES
    back = Memory.from_json(json.loads(text))
    assert back.to_text() == text
    assert Memory.from_json(Memory().to_json()) == Memory()


def test_another_version_starts_afresh():
    assert Memory.from_json({**full().to_json(), "version": 99}) == Memory()


@pytest.mark.parametrize("data", [None, [], "", 7, {}, {"version": 3}, {"version": 3, "points": 3}])
def test_what_is_no_memory_is_said_to_be_none(data):
    with pytest.raises(ValueError):
        Memory.from_json(data)


def test_another_boot_starts_afresh():
    told = tell(Pod(workload.MIXED, Shape(4, 13), clients=64), 30)
    assert told.state.memory.settled
    booted = [replace(each, at=each.at - 900.0) for each in told.agent.samples[:2]]
    assert propose(told.state.memory, booted, WIDE).memory == Memory(at=booted[1].at)
