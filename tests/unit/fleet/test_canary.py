"""A shape goes to one pod, then half of them, then all; and is taken back everywhere when what they share has no more.

Each pod has clients of its own; what they wait for is one backend for all where a story says so.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise

import pytest

from tests.simulator import workload
from tests.simulator.pod import Backend
from tests.simulator.workload import Workload, degrades, simple
from tests.unit.fleet.pods import SimFleet
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.fleet.change import Stage
from uwsgi_autopilot.report.reasons import Reason

START = "2x4"
IO = simple(wait=0.2)  # of few requests, so that the stories take less time


def slow_database(*, wait: float = 0.05, capacity: int = 20, power: float = 1.0) -> Workload:
    """It serves so many at once without delay; more take it longer, and from a power above 1 on fewer are served."""
    return simple(wait=wait, cpu=0.001, slowdown=degrades(capacity, power))


def seconds(fleet: SimFleet, number: int) -> Iterator[int]:
    """Second by second: how many pods have another shape than at the start."""
    for _ in range(number):
        fleet.run(1)
        yield sum(shape != START for shape in fleet.shapes)


def served(fleet: SimFleet, last: int) -> float:
    """Requests a second of all pods together."""
    return sum(each.requests for agent in fleet.agents.values() for each in agent.samples[-last:]) / last


def stages(fleet: SimFleet, number: int) -> list[tuple[str, int]]:
    """The stages of its first change, each with the number of pods that are to have the shape."""
    found: list[tuple[str, int]] = []
    for _ in range(number):
        fleet.run(1)
        change = fleet.change
        if change is None and found:
            break
        if change is not None:
            having = sum(change.concerns(uid) for uid in fleet.agents)
            found.append((change.stage.value, having))
    return [each for before, each in pairwise([None, *found]) if before != each]


# --- what all pods share is the limit


@pytest.mark.parametrize(
    ("load", "clients"),
    [
        pytest.param(slow_database(), 32, id="it serves no more, however many ask"),
        pytest.param(
            slow_database(wait=0.3, power=1.2), 120, id="it serves fewer the more ask, and all pods are overloaded"
        ),
        pytest.param(workload.DEGRADING, 32, id="it slows down with the square root more than they are"),
    ],
)
def test_three_pods_before_a_slow_database(load: Workload, clients: int):
    fleet = SimFleet(load, clients=clients, backend=Backend())
    assert max(seconds(fleet, 90)) == 1, "at no moment has more than one pod another shape"
    assert {"try", "back"} <= set(fleet.kinds())
    assert "promote" not in fleet.kinds()
    tries, backs = ([at for at, kind, _ in fleet.told if kind == wanted] for wanted in ("try", "back"))
    assert all(back - begun <= 10 for begun, back in zip(tries, backs, strict=True)), fleet.told
    assert fleet.shapes == [START] * 3
    back = next(each for each in fleet.state.history if each.kind.value == "back")
    assert back.reason == Reason.BACKEND_LIMITED.value
    assert back.message.startswith("1 of 3 pods had 2x")
    assert back.message.endswith("at once: what all pods share is the limit: back to 2x4")
    untouched = SimFleet(load, clients=clients, backend=Backend())
    untouched.down = True
    untouched.run(90)
    assert served(fleet, 20) > 0.95 * served(untouched, 20)


@pytest.mark.parametrize(("seed", "noise"), [(100, 0.2), (600, 0.2)])
def test_three_seconds_of_luck_give_it_to_no_other_pod(seed: int, noise: float):
    """Busy neighbours: in the first seconds all pods seem to serve more, although each request waits longer."""
    load = slow_database(wait=0.1, capacity=6)
    fleet = SimFleet(load, clients=16, backend=Backend(), seed=seed, noise=noise)
    assert max(seconds(fleet, 90)) == 1
    assert {"try", "back"} <= set(fleet.kinds())


def test_what_was_too_much_is_tried_again_once_the_load_has_grown_and_not_before():
    fleet = SimFleet(slow_database(), clients=16, backend=Backend())
    fleet.run(120)
    assert fleet.kinds() == ["try", "back", "refuse"], "and then no more"
    for agent in fleet.agents.values():
        agent.machine.set_clients(48)
    fleet.run(40)
    assert fleet.kinds()[3:5] == ["try", "back"]
    assert fleet.shapes == [START] * 3


def test_what_only_shows_once_all_pods_have_it_is_taken_back_everywhere():
    """The database bears one pod with more slots, and two; with three it collapses."""
    load = simple(wait=0.05, cpu=0.001, slowdown=degrades(75, 5))
    fleet = SimFleet(load, backend=Backend())
    most = max(seconds(fleet, 40))
    assert most == 3
    back = next(each for each in fleet.state.history if each.kind.value == "back")
    assert back.reason == Reason.BACKEND_LIMITED.value
    assert back.message.startswith("3 of 3 pods had ")
    assert fleet.stored is None, "no new pod starts with it"
    refused = fleet.state.memory.refused
    assert [each.limit for each in refused] == [Reason.BACKEND_LIMITED]
    assert refused[0].most > 8, "two pods served far more: something in between is worth a try"
    measured = [each.shape for each in fleet.state.memory.points]
    assert refused[0].shape not in measured, "what one pod took from the others is not what the shape serves"


def test_a_pod_that_slows_down_by_itself_is_no_sign_of_what_all_share():
    """Each has a backend of its own, and those with the old shape answer as before."""
    fleet = SimFleet(slow_database(capacity=8, power=1.1))
    fleet.until("back")
    back = fleet.state.history[-1]
    assert back.reason != Reason.BACKEND_LIMITED.value
    assert "share" not in back.message


@pytest.mark.parametrize(("having", "refused"), [(1, True), (2, False), (3, False)])
def test_errors_of_all_pods_end_a_trial_and_a_shape_that_was_kept_is_not_to_blame(having: int, refused: bool):
    fleet = SimFleet(IO)
    at(fleet, Stage.TRYING, having)
    assert (fleet.change.kept is None) is refused
    for agent in fleet.agents.values():
        agent.machine.set_workload(replace(IO, errors=0.2))
    fleet.until("back", 20)
    back = fleet.state.history[-1]
    assert back.reason == Reason.ERRORS_HIGH.value
    assert back.message.startswith(f"{having} of 3 pods had ")
    assert bool(fleet.state.memory.refused) is refused
    # After some more seconds that many errors are usual, and another shape may be tried.
    assert 0 in seconds(fleet, 8), fleet.shapes


def test_a_database_with_room_for_some_more_is_used():
    """Each request waits longer in the end; but all pods together serve far more than before."""
    fleet = SimFleet(slow_database(capacity=40), backend=Backend())
    fleet.run(60)
    assert "promote" in fleet.kinds()
    assert served(fleet, 10) > 1.6 * 24 / 0.0515


# --- nothing is shared


@pytest.mark.parametrize(
    ("pods", "expected"),
    [
        pytest.param(1, [("Starting", 1), ("Trying", 1), ("Promoting", 1)], id="one"),
        pytest.param(2, [1, 2], id="two"),
        pytest.param(3, [1, 2, 3], id="three"),
        pytest.param(4, [1, 2, 4], id="four"),
        pytest.param(5, [1, 3, 5], id="five"),
    ],
)
def test_to_how_many_pods_a_shape_goes(pods: int, expected: list):
    fleet = SimFleet(IO, pods=pods)
    if pods > 1:
        tried = [(stage, number) for number in expected for stage in ("Starting", "Trying")]
        expected = [*tried, ("Promoting", pods)]
    assert stages(fleet, 60) == expected


@pytest.mark.parametrize(
    "load",
    [
        pytest.param(workload.CPU, id="CPU"),
        pytest.param(workload.MIXED, id="mixed", marks=pytest.mark.thorough),
        pytest.param(IO, id="I/O"),
    ],
)
def test_one_replica_and_three_replicas_alike(load: Workload):
    alone, three = SimFleet(load, pods=1), SimFleet(load, pods=3)
    for fleet in (alone, three):
        fleet.run(90)
    assert len(set(three.shapes)) == 1
    assert math.log(served(three, 20) / 3 / served(alone, 20)) > -0.04

    def first_kept(fleet: SimFleet) -> int:
        return next(at for at, kind, _ in fleet.told if kind == "promote")

    assert first_kept(three) - first_kept(alone) <= 15
    assert "undecided" not in three.kinds()


def test_while_all_are_overloaded_the_others_follow_before_the_tuner_is_sure():
    fleet = SimFleet(workload.CPU, pods=4, clients=400)
    fleet.until("try")
    assert fleet.change.urgent
    for having in seconds(fleet, 30):
        if having > 1:
            break
    assert fleet.change.kept is None
    fleet.until("promote")
    assert len(set(fleet.shapes)) == 1


def test_at_most_half_of_the_pods_swap_at_a_time():
    fleet = SimFleet(IO, pods=5)
    most = 0
    while "promote" not in fleet.kinds():
        fleet.run(1)
        most = max(most, sum(not agent.machine.settled for agent in fleet.agents.values()))
    assert 0 < most <= 2
    assert not any(agent.following.trial for agent in fleet.agents.values() if agent.machine.shape == Shape(2, 4))


def test_which_of_how_many_pods_have_it_is_said_in_one_sentence():
    fleet = SimFleet(IO)
    said = []
    while "promote" not in fleet.kinds():
        fleet.run(1)
        said.append(fleet.state.word.message if fleet.state.word else "")
    shape = fleet.state.shape
    assert f"1 of 3 pods serve {shape} without harm, 2 of 3 are given it" in said
    assert f"2 of 3 pods serve {shape} without harm, 3 of 3 are given it" in said
    assert "; all 3 pods " in fleet.state.history[-1].message


# --- whoever dies


def at(fleet: SimFleet, stage: Stage, having: int) -> None:
    """Run to that stage of the first change."""
    for _ in range(90):
        change = fleet.change
        if change and change.stage is stage and sum(change.concerns(uid) for uid in fleet.agents) == having:
            return
        fleet.run(1)
    raise AssertionError(f"never {stage} with {having}: {fleet.told}")


EACH_STAGE = [(stage, having) for having in (1, 2, 3) for stage in (Stage.STARTING, Stage.TRYING)]
each_stage = pytest.mark.parametrize(
    ("stage", "having"), EACH_STAGE, ids=lambda each: str(getattr(each, "value", each))
)


@each_stage
@pytest.mark.parametrize("which", ["the first", "another"])
def test_a_pod_that_dies_in_a_stage(stage: Stage, having: int, which: str):
    fleet = SimFleet(IO)
    at(fleet, stage, having)
    first = fleet.change.pod
    dead = first if which == "the first" else max(uid for uid in fleet.agents if uid != first)
    fleet.remove(dead)
    fleet.run(8)
    assert fleet.kinds()[-1] == "undecided"
    assert fleet.shapes == [START] * 2
    assert fleet.stored is None
    assert fleet.state.memory.refused == (), "the shape is not to blame"
    fleet.run(110)
    assert fleet.kinds()[-1] == "promote"
    assert len(set(fleet.shapes)) == 1


@each_stage
@pytest.mark.parametrize("after", [0, 1])
def test_an_operator_that_is_restarted_in_a_stage_continues_it(stage: Stage, having: int, after: int):
    fleet = SimFleet(IO)
    at(fleet, stage, having)
    fleet.run(after)
    fleet.restart_operator()
    fleet.until("promote", 40)
    fleet.run(5)
    assert fleet.kinds() == ["try", "promote"], "nothing was begun a second time"
    assert len(set(fleet.shapes)) == 1
    assert not any(agent.following.trial for agent in fleet.agents.values())


@pytest.mark.parametrize("having", [1, 2, 3])
def test_an_operator_that_is_restarted_still_sees_that_the_database_is_the_limit(having: int):
    """What all pods did before the trial outlives it."""
    load = simple(wait=0.05, cpu=0.001, slowdown=degrades(75, 5))
    fleet = SimFleet(load, backend=Backend())
    at(fleet, Stage.TRYING, having)
    fleet.restart_operator()
    fleet.until("back", 40)
    assert fleet.state.history[-1].reason == Reason.BACKEND_LIMITED.value


@each_stage
def test_an_operator_that_does_not_come_back_leaves_no_trial_behind(stage: Stage, having: int):
    """Nothing of it was promoted, and each agent ends its own trial, not all in the same second."""
    fleet = SimFleet(IO)
    at(fleet, stage, having)
    fleet.run(1)
    fleet.down = True
    fleet.run(3)
    trials = [agent.following.trial for agent in fleet.agents.values()]
    ends = [trial.expires_at for trial in trials if trial is not None]
    assert len(set(ends)) == len(ends)
    fleet.run(150)
    assert fleet.shapes == [START] * 3
    fleet.down = False
    fleet.restart_operator(forgetful=True)
    fleet.run(3)
    assert fleet.state.shape == Shape(2, 4)


def deaf(fleet: SimFleet, uid: str) -> None:
    fleet.agents[uid].deaf = True


def silent(fleet: SimFleet, uid: str) -> None:
    fleet.agents[uid].silent = True


def full(fleet: SimFleet, uid: str) -> None:
    fleet.agents[uid].refuses = lambda shape: True


@pytest.mark.parametrize("fault", [deaf, silent, full], ids=["deaf", "silent", "without room"])
def test_a_pod_that_cannot_follow_does_not_hold_up_the_others(fault: Callable[[SimFleet, str], None]):
    fleet = SimFleet(IO)
    fleet.until("try")
    last = max(uid for uid in fleet.agents if uid != fleet.change.pod)
    fault(fleet, last)
    fleet.until("promote", 90)
    fleet.run(5)
    assert sum(shape == str(fleet.state.shape) for shape in fleet.shapes) >= 2
