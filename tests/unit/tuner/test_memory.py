"""The memory survives its trip through JSON, in any state, and stays small."""

import json
from dataclasses import replace

import pytest

from tests.simulator import workload
from tests.simulator.pod import Pod
from tests.simulator.story import tell
from tests.unit.tuner.making import WIDE, seconds
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.report.reasons import Reason
from uwsgi_autopilot.tuner.load import load_of
from uwsgi_autopilot.tuner.memory import MAX_JSON_BYTES, REFILL_S, VERSION, Memory
from uwsgi_autopilot.tuner.point import Point
from uwsgi_autopilot.tuner.propose import propose

LOAD = load_of(seconds(5))


def full() -> Memory:
    memory = replace(Memory(at=1234.56789), limit="x" * 256, pool_size=12, workload_since=1000 / 7)
    for number in range(1, 30):
        refused = memory.with_refused(Shape(number, 64), up=True, limit=Reason.MEMORY_LIMIT, why="x" * 300)
        memory = replace(refused, since=1000.0 + number / 7)
        load = replace(LOAD, shape=Shape(number, 7), throughput=1000 / 7, wait_s=1 / 70, at=2000.0 + number / 7)
        memory = memory.with_point(load)
    return replace(memory, reference=memory.points[-1], returned_to=memory.points[-2])


def test_there_and_back_again_and_small():
    memory = full()
    text = memory.to_text()
    assert len(text.encode()) < MAX_JSON_BYTES
    back = Memory.from_json(json.loads(text))
    assert back.to_text() == text
    assert Memory.from_json(Memory().to_json()) == Memory()


def test_another_version_starts_afresh():
    assert Memory.from_json({**full().to_json(), "version": 99}) == Memory()


@pytest.mark.parametrize("data", [None, [], "", 7, {}, {"version": VERSION}, {"version": VERSION, "points": 3}])
def test_what_is_no_memory_is_said_to_be_none(data):
    with pytest.raises(ValueError):
        Memory.from_json(data)


def test_another_boot_starts_afresh():
    told = tell(Pod(workload.MIXED, Shape(4, 13), clients=64), 60)
    assert told.state.memory.settled
    booted = [replace(each, at=each.at - 900.0) for each in told.agent.samples[:2]]
    assert propose(told.state.memory, booted, WIDE).memory == Memory(at=booted[1].at)


def test_a_window_that_grows_is_one_point_and_a_later_one_another():
    memory = replace(Memory(at=1005.0), since=1000.0).with_point(LOAD)
    grown = memory.with_point(replace(LOAD, at=LOAD.at + 3.0, samples=8))
    assert [each.samples for each in grown.points] == [8]
    later = replace(grown, since=1030.0).with_point(replace(LOAD, at=LOAD.at + 30.0, throughput=1.1 * LOAD.throughput))
    assert len(later.points) == 2
    both = later.known(Point.of(replace(LOAD, at=LOAD.at + 30.0, throughput=1.1 * LOAD.throughput), began=1030.0))
    assert LOAD.throughput < both.throughput < 1.1 * LOAD.throughput
    assert both.samples == 8 + LOAD.samples


def test_what_was_spent_comes_back_with_time():
    spent = Memory(at=100.0).spent(swaps=2, trials=3)
    assert (spent.seen(99.0 + REFILL_S).swaps, spent.seen(99.0 + REFILL_S).trials) == (2, 3)
    later = spent.seen(100.0 + REFILL_S)
    assert (later.swaps, later.trials) == (1, 1)
    assert later.seen(101.0 + 2 * REFILL_S).swaps == 0


def test_another_workload_has_a_budget_of_its_own_and_keeps_the_points():
    memory = replace(Memory(at=50.0), jumped=True, settled=True).with_point(LOAD).spent(swaps=4, trials=6)
    other = memory.another_workload(since=60.0)
    assert (other.swaps, other.trials, other.jumped, other.settled) == (0, 0, False, False)
    assert other.points == memory.points
    assert other.of_this_workload == tuple(each for each in memory.points if each.at >= 60.0)


def test_what_was_too_large_forbids_what_is_larger_until_the_workload_changes():
    memory = Memory(at=10.0).with_refused(Shape(4, 8), up=True)
    assert memory.forbids(Shape(4, 8))
    assert memory.forbids(Shape(5, 8))
    assert not memory.forbids(Shape(8, 4))
    assert not memory.another_workload(since=20.0).forbids(Shape(5, 8))
    assert not Memory(at=1.0).with_refused(Shape(4, 8), up=False).forbids(Shape(5, 8))


def test_three_changes_of_the_workload_in_two_minutes_are_alternation_until_one_lasts():
    memory = Memory(at=1000.0)
    for now in (1000.0, 1020.0, 1040.0):
        assert not memory.alternating
        memory = memory.seen(now).another_workload(now)
    assert memory.alternating
    assert Memory.from_json(memory.to_json()) == memory
    assert not memory.seen(1125.0).alternating
