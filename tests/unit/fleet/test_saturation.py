"""How busy an application's pods are: a mean over those that serve, or nothing."""

from dataclasses import replace

import pytest

from tests.simulator.workload import simple
from tests.unit.fleet.pods import EPOCH, SimFleet
from uwsgi_autopilot.fleet.saturation import EVERY_S, OLD_S, Gauge, saturation_of

IO = simple(wait=0.2)


def now(fleet: SimFleet) -> float:
    return EPOCH + fleet.now


def test_a_change_of_shape_moves_it_little():
    """The load stays; from 2x4 on, full, to more than 30 slots in each pod."""
    fleet = SimFleet(IO, pods=2, clients=48)
    found = []
    for second in range(90):
        fleet.run(1)
        value = saturation_of(fleet.state, now(fleet))
        if second >= 10:
            assert value is not None
            found.append(value)
    assert fleet.state.shape.slots > 30, fleet.told
    assert max(found) - min(found) < 0.1, found
    assert max(found) < 0.5


def test_it_follows_the_load():
    fleet = SimFleet(simple(cpu=0.02), pods=2, clients=0)
    for agent in fleet.agents.values():
        agent.machine.set_rate(50.0)
    fleet.run(30)
    half = saturation_of(fleet.state, now(fleet))
    assert half == pytest.approx(0.5, abs=0.1)
    for agent in fleet.agents.values():
        agent.machine.set_rate(130.0)
    fleet.run(30)
    assert saturation_of(fleet.state, now(fleet)) > 1.2


def test_nobody_comes():
    fleet = SimFleet(IO, clients=0)
    fleet.run(12)
    assert saturation_of(fleet.state, now(fleet)) == 0.0


def test_it_says_nothing_of_pods_that_it_does_not_see():
    fleet = SimFleet(IO, pods=3, clients=8)
    assert saturation_of(fleet.state, now(fleet)) is None, "there is none yet"
    fleet.run(12)
    fleet.agents["pod-0"].silent = True
    fleet.run(30)
    assert saturation_of(fleet.state, now(fleet)) is not None, "two of three"
    fleet.agents["pod-1"].silent = True
    fleet.run(30)
    assert saturation_of(fleet.state, now(fleet)) is None, "one of three"


def test_pods_that_are_not_ready_or_are_leaving_do_not_count():
    fleet = SimFleet(IO, pods=2, clients=8)
    fleet.run(12)
    alone = replace(fleet.state, pods={"pod-0": fleet.state.pods["pod-0"]})
    fleet.infos["pod-1"] = replace(fleet.infos["pod-1"], leaving=True)
    fleet.run(1)
    assert saturation_of(fleet.state, now(fleet)) == pytest.approx(saturation_of(alone, now(fleet)), rel=0.2)


def test_it_is_worked_out_now_and_then_and_forgotten_when_nobody_does():
    fleet, gauge = SimFleet(IO, clients=0), Gauge()
    fleet.run(12)
    at = now(fleet)
    gauge.look(fleet.state, at)
    assert gauge.read(at + OLD_S) == 0.0
    assert gauge.read(at + OLD_S + 1) is None
    gauge.look(replace(fleet.state, pods={}), at + EVERY_S - 1)
    assert gauge.read(at + EVERY_S) == 0.0
    gauge.look(replace(fleet.state, pods={}), at + EVERY_S)
    assert gauge.read(at + EVERY_S) is None
