"""The memory survives its trip through JSON, in any state, and stays small."""

import json
from dataclasses import replace

import pytest
from uwsgi_autopilot.tuner.phases import TRANSITIONS, Event, Phase, after

from tests.simulator import workload
from tests.simulator.pod import Pod
from tests.simulator.story import tell
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.tuner.memory import MAX_JSON_BYTES, Memory


def full() -> Memory:
    memory = tell(Pod(workload.DEGRADING, Shape(8, 1), clients=64), 14).memory
    for number in range(1, 30):
        memory = memory.with_rejected(Shape(number, 64), up=True, demand=1e9, change=-0.123456789)
        if memory.asked is not None:
            point = replace(memory.asked.before, shape=Shape(number, 7))
            memory = replace(memory.with_point(point), reference=point)
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


@pytest.mark.parametrize("data", [None, [], "", 7, {}, {"version": 1}, {"version": 1, "phase": "Sleep"}])
def test_what_is_no_memory_is_said_to_be_none(data):
    with pytest.raises(ValueError):
        Memory.from_json(data)


def test_every_phase_can_be_left_and_entered():
    assert {phase for phase, _ in TRANSITIONS} == set(Phase)
    assert set(TRANSITIONS.values()) == set(Phase)
    assert all(after(phase, Event.WORKLOAD_CHANGED) is Phase.OBSERVE for phase in Phase)


def test_an_event_that_cannot_happen_is_an_error():
    with pytest.raises(KeyError):
        after(Phase.HOLD, Event.KEPT)
