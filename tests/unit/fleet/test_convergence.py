"""Whatever happens, and wherever the operator dies: in the end every pod serves what is promoted, none on trial."""

import random

import pytest

from tests.simulator import workload
from tests.simulator.agent import anything, nothing
from tests.unit.fleet.pods import SimFleet
from uwsgi_autopilot.api.desired import DesiredShape
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import Mode

PIN = Shape(5, 3)  # no other event gives it out, so no pod has given it up before


def calm(fleet: SimFleet) -> None:
    """Nothing is pending, and everybody has what is promoted and stored."""
    assert fleet.change is None, fleet.told
    assert fleet.shapes == [str(fleet.state.shape)] * len(fleet.agents), fleet.told
    assert not any(agent.following.trial for agent in fleet.agents.values())
    assert fleet.promoted.version == fleet.state.stored


def by_hand(fleet: SimFleet, uid: str) -> None:
    """Somebody writes an annotation, newer than everything."""
    newest = max(max(agent.following.accepted.version for agent in fleet.agents.values()), fleet.state.last)
    fleet.agents[uid].annotation = DesiredShape(version=newest.next(), shape=Shape(1, 3), uid=uid).to_text()


class Ledger:
    """No version stands for two shapes in any pod, and no agent goes back to an older one.

    Two pods may get one version with two shapes: from two operators, the second of which has never seen the first pod.
    """

    def __init__(self, fleet: SimFleet) -> None:
        self.fleet = fleet
        self.shapes: dict[object, Shape] = {}
        self.last: dict[str, object] = {}

    def look(self) -> None:
        for uid, agent in self.fleet.agents.items():
            desired = agent.following.accepted
            assert self.shapes.setdefault((uid, desired.version), desired.shape) == desired.shape
            assert desired.version >= self.last.get(uid, desired.version)
            self.last[uid] = desired.version


def story(fleet: SimFleet, *, seconds: int) -> Ledger:
    """A search, then a pin, then none again."""
    ledger = Ledger(fleet)
    for second in range(seconds):
        if second == seconds // 2:
            fleet.tune(pin=PIN)
        if second == seconds * 3 // 4:
            fleet.tune(mode=Mode.DISABLED)
        fleet.run(1)
        ledger.look()
    return ledger


def test_an_operator_that_dies_at_any_write():
    whole = SimFleet(workload.IO, pods=3, clients=12)
    story(whole, seconds=100)
    calm(whole)
    assert {"try", "promote", "change"} <= set(whole.kinds()), whole.told
    assert whole.writes >= 7
    for write in range(whole.writes):
        fleet = SimFleet(workload.IO, pods=3, clients=12)
        fleet.crash_after = write
        story(fleet, seconds=100)
        assert fleet.crash_after is None, "it died"
        calm(fleet)
        assert fleet.state.shape == PIN


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(each, marks=pytest.mark.thorough) for each in range(2, 6))])
def test_any_sequence_of_events_ends_in_the_promoted_shape(seed):
    chance = random.Random(seed)
    fleet = SimFleet(workload.IO, pods=3, clients=4)
    ledger, born = Ledger(fleet), 0
    for _ in range(40):
        event = chance.choice(["pin", "unpin", "add", "remove", "deaf", "full", "silent", "crash", "amnesia", "hand"])
        pods = list(fleet.agents.values())
        one = chance.choice(pods)
        if event == "pin":
            fleet.tune(pin=Shape(chance.randint(1, 4), chance.choice((2, 4, 8))))
        elif event == "unpin":
            fleet.tune()
        elif event == "add" and len(pods) < 5:
            born += 1
            fleet.add(f"born-{born}", clients=4, seed=born)
        elif event == "remove" and len(pods) > 1:
            fleet.remove(one.uid)
        elif event == "full":
            one.refuses = nothing if one.refuses is anything else anything
        elif event in ("deaf", "silent"):
            setattr(one, event, not getattr(one, event))
        elif event == "crash":
            fleet.crash_after = fleet.writes + chance.randint(0, 2)
        elif event == "amnesia":
            fleet.restart_operator(forgetful=True)
        elif event == "hand":
            by_hand(fleet, one.uid)
        for _ in range(chance.randint(1, 12)):
            fleet.run(1)
            ledger.look()
    for agent in fleet.agents.values():
        agent.deaf = agent.silent = False
        agent.refuses = nothing
    fleet.crash_after = None
    fleet.tune(pin=PIN)
    fleet.run(100)
    by_hand(fleet, min(fleet.agents))
    fleet.run(30)
    ledger.look()
    calm(fleet)
    assert fleet.shapes == [str(PIN)] * len(fleet.agents)
