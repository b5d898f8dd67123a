"""How much of what others use on the machine is taken from us."""

from types import SimpleNamespace

import pytest

from uwsgi_autopilot.agent.signals import cpu
from uwsgi_autopilot.agent.signals.cpu import Machine, felt
from uwsgi_autopilot.kernel.process import MachineCpu


@pytest.mark.parametrize(
    ("foreign", "cores", "machine", "expected"),
    [
        pytest.param(1.5, 2.0, 2.0, 1.5, id="no limit: all of it"),
        pytest.param(0.8, 1.0, 2.0, 0.0, id="one core for us, others use most of the other"),
        pytest.param(1.5, 1.0, 2.0, 0.5, id="one core for us, others want more than theirs"),
        pytest.param(10.0, 1.0, 64.0, 0.0, id="a small pod on a large busy node"),
    ],
)
def test_felt(foreign, cores, machine, expected):
    assert felt(foreign, cores, machine) == pytest.approx(expected)


def test_the_agent_and_the_workers_are_no_others(monkeypatch):
    """Of 1.5 s that the machine computed, 0.8 were the workers' and 0.1 the agent's, which has more threads to look at
    in a larger shape: as somebody else's they would excuse a smaller one that serves less."""
    machine = Machine(SimpleNamespace(cpu_quota=lambda: None, throttled_seconds=lambda: None), cores=None)
    seen = iter(
        [MachineCpu(busy_s=10.0, total_s=100.0, steal_s=0.0), MachineCpu(busy_s=11.5, total_s=102.0, steal_s=0.0)]
    )
    monkeypatch.setattr(cpu, "machine_cpu", lambda: next(seen))
    own = iter([7.0, 7.1])
    monkeypatch.setattr(cpu, "time", SimpleNamespace(process_time=lambda: next(own)))
    window = SimpleNamespace(fields={"cpu_s": 0.8}, seconds=1.0)
    monkeypatch.setattr(cpu, "usable_cores", lambda quota: 2.0)
    monkeypatch.setattr(cpu.os, "cpu_count", lambda: 2)
    assert "foreign_cpu" not in machine.collect(window)
    assert machine.collect(window)["foreign_cpu"] == pytest.approx(0.6)
