"""Three pods whose database answers ten times slower for a minute, by itself: nothing that they did made it slow."""

from collections.abc import Iterator
from itertools import pairwise

import pytest

from tests.simulator.pod import Backend
from tests.simulator.workload import Workload, degrades, simple
from tests.unit.fleet.pods import START, SimFleet
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import TuningSpec
from uwsgi_autopilot.tuner.limits import LEAST_SLOTS

SLOWER, SECONDS = 10.0, 60
QUERY = simple(wait=0.2)  # of few requests, so that the stories take less time
FULL_QUERY = simple(wait=0.2, slowdown=degrades(60, 1.2))  # more than 60 at once are answered no sooner


def tuned(load: Workload, *, clients: int = 0, rate: float = 0.0, most: int | None = None) -> SimFleet:
    """`rate`: requests a second of each pod that come whether others were answered or not."""
    tuning = TuningSpec(start=START, max_connections=most)
    fleet = SimFleet(load, clients=clients, backend=Backend(), tuning=tuning)
    for agent in fleet.agents.values():
        agent.machine.set_rate(rate)
    fleet.run(80)
    return fleet


def answers(fleet: SimFleet, times: float) -> None:
    """The database takes so many times as long from now on."""
    for agent in fleet.agents.values():
        agent.machine.wait_factor = times


def brownout(fleet: SimFleet) -> Iterator[list[int]]:
    """Second by second: the slots of each pod."""
    answers(fleet, SLOWER)
    for _ in range(SECONDS):
        fleet.run(1)
        yield slots_of(fleet)
    answers(fleet, 1.0)


def slots_of(fleet: SimFleet) -> list[int]:
    return [Shape.parse(each).slots for each in fleet.shapes]


def connections(fleet: SimFleet) -> int:
    """One for each thread of all pods, those of generations and workers that are ending included."""
    number = 0
    for agent in fleet.agents.values():
        machine = agent.machine
        for each in (machine.serving, *machine.leaving):
            number += (len(each.processes) + len(each.leaving)) * each.threads
    return number


def served(fleet: SimFleet, last: int = 20) -> float:
    """Requests a second of all pods together."""
    return sum(each.requests for agent in fleet.agents.values() for each in agent.samples[-last:]) / last


def test_more_slots_go_to_one_pod_after_the_other():
    """Requests come all the same, and queue: with more slots more of them are answered, so in the end all pods have
    them, but each of them has shown first that it does no harm."""
    fleet = tuned(QUERY, rate=40.0)
    before, slots = served(fleet), slots_of(fleet)
    raised: list[int] = []
    for second, now in enumerate(brownout(fleet)):
        more = sum(after > each for each, after in zip(slots, now, strict=True))
        assert more <= 1, "in no second more than one pod"
        raised += [second] * more
        slots = now
    assert raised, "otherwise this story says nothing"
    assert all(later - sooner >= 4 for sooner, later in pairwise(raised)), raised
    fleet.run(60)
    assert served(fleet) > 0.9 * before


def test_a_minute_of_requests_that_pile_up_does_not_open_a_thousand_slots():
    """It once ended with up to 1,024 slots in each pod, of which a dozen were used from then on."""
    fleet = tuned(QUERY, rate=60.0)
    most = max(max(now) for now in brownout(fleet))
    fleet.run(30)
    assert max(most, *slots_of(fleet)) <= LEAST_SLOTS


@pytest.mark.parametrize(
    ("load", "clients"),
    [
        pytest.param(QUERY, 16, id="the database had room before"),
        pytest.param(FULL_QUERY, 16, id="it had little room", marks=pytest.mark.thorough),
        pytest.param(FULL_QUERY, 40, id="it was full"),
    ],
)
def test_who_waits_for_an_answer_is_given_no_more_slots(load: Workload, clients: int):
    fleet = tuned(load, clients=clients)
    before, slots = served(fleet), fleet.state.shape.slots
    for now in brownout(fleet):
        assert max(now) <= slots
        assert sum(each != slots for each in now) <= 1, "and one pod alone tries fewer"
    fleet.run(60)
    assert fleet.state.shape.slots <= 1.5 * slots, fleet.told
    assert served(fleet) > 0.95 * before


@pytest.mark.parametrize("most", [48, 150])
def test_connections_never_exceed_their_bound(most: int):
    fleet = tuned(QUERY, rate=40.0, most=most)
    for _ in brownout(fleet):
        assert connections(fleet) <= most, fleet.told
    for _ in range(30):
        fleet.run(1)
        assert connections(fleet) <= most, fleet.told
