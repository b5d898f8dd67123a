"""What counts for the memory guard: the cgroup's limit or the budget, whichever is nearer."""

import os

import pytest

from uwsgi_autopilot.agent.signals.collector import Running, Window
from uwsgi_autopilot.agent.signals.memory import Memory
from uwsgi_autopilot.kernel.cgroup import MemoryReading

MIB = 1024 * 1024


class FakeCgroup:
    def __init__(self, limit: int | None, held: int | None) -> None:
        self.reading = MemoryReading(limit=limit, usage=held, held=held)
        self.looks = 0

    def memory(self) -> MemoryReading:
        self.looks += 1
        return self.reading


class Master:
    """This process stands for all of them: its PSS is real."""

    pid = os.getpid()


class Alone:
    instance = Master()
    pids = ()


def measured(memory: Memory) -> Memory:
    for second in range(3):
        memory.collect(Window(now=float(second), seconds=1.0, running=Running(serving=None, all=[Alone()])))  # type: ignore[list-item]
    return memory


@pytest.mark.parametrize(("limit", "held"), [(None, 300), (512 * MIB, None)])
def test_without_a_limit_or_a_reading_there_is_nothing_to_guard(limit, held):
    assert measured(Memory(FakeCgroup(limit, held), None)).held() is None  # type: ignore[arg-type]


def test_the_limit_of_the_cgroup_counts_where_it_is_nearer():
    held = measured(Memory(FakeCgroup(512 * MIB, 500 * MIB), 8192 * MIB)).held()  # type: ignore[arg-type]
    assert held is not None
    assert (held.used, held.limit, held.of) == (500 * MIB, 512 * MIB, "cgroup")


def test_the_budget_counts_where_that_is_nearer_once_all_processes_were_measured():
    memory = Memory(FakeCgroup(8192 * MIB, 500 * MIB), 512 * MIB)  # type: ignore[arg-type]
    first = memory.held()
    assert first is not None
    assert first.of == "cgroup"
    held = measured(memory).held()
    assert held is not None
    assert (held.limit, held.of) == (512 * MIB, "budget")
    assert 0 < held.used < 512 * MIB


def test_the_sample_the_guard_and_a_change_are_told_the_same_from_one_look_at_the_cgroup():
    cgroup = FakeCgroup(512 * MIB, 300 * MIB)
    memory = measured(Memory(cgroup, None))  # type: ignore[arg-type]
    looks, memory.worker_bytes = cgroup.looks, 20 * MIB
    window = Window(now=4.0, seconds=1.0, running=Running(serving=None, all=[Alone()]))  # type: ignore[list-item]
    cgroup.reading = MemoryReading(limit=512 * MIB, usage=400 * MIB, held=400 * MIB)
    fields, held, use = memory.collect(window), memory.held(), memory.use()
    assert fields["memory_bytes"] == 400 * MIB
    assert held is not None
    assert use is not None
    assert (held.used, use.used) == (400 * MIB, 400 * MIB)
    assert cgroup.looks == looks + 1
