"""One application with several pods, second by second: who tries what, and who gets it."""

from dataclasses import replace

import pytest

from tests.simulator import workload
from tests.simulator.agent import anything, nothing
from tests.unit.fleet.pods import SimFleet
from uwsgi_autopilot.api.desired import DesiredShape, Version
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import Bounds, Mode, ProcessBounds, TuningSpec, UwsgiApp
from uwsgi_autopilot.fleet.state import FleetState
from uwsgi_autopilot.report.reasons import Reason, RefusalReason


def test_one_pod_tries_first_and_the_others_follow():
    fleet = SimFleet(workload.MIXED, clients=32)
    fleet.until("try")
    fleet.run(4)
    assert len(set(fleet.shapes)) == 2, "one pod tries"
    assert sorted(fleet.shapes).count("2x4") == 2
    fleet.run(120)
    assert "promote" in fleet.kinds()
    assert len(set(fleet.shapes)) == 1, fleet.told
    assert fleet.shapes[0] == str(fleet.state.shape) != "2x4"


def test_a_lonely_pod_tries_and_keeps():
    fleet = SimFleet(workload.IO, pods=1, clients=64)
    fleet.run(120)
    assert fleet.promoted.version.seq > 0, fleet.told
    assert fleet.promoted.trial_seconds is None
    assert fleet.shapes == [str(fleet.state.shape)]
    assert fleet.state.shape.slots > 30


def test_recommend_changes_nothing_and_says_what_it_would_do():
    fleet = SimFleet(workload.IO, tuning=TuningSpec(mode=Mode.RECOMMEND, start=Shape(2, 4)))
    fleet.run(60)
    assert fleet.shapes == ["2x4"] * 3
    assert fleet.kinds() == ["recommend"]


def test_disabled_changes_nothing_and_says_nothing():
    fleet = SimFleet(workload.IO, tuning=TuningSpec(mode=Mode.DISABLED, start=Shape(2, 4)))
    fleet.run(60)
    assert fleet.shapes == ["2x4"] * 3
    assert fleet.told == []


def test_a_pin_reaches_every_pod_and_holds():
    fleet = SimFleet(workload.IO)
    fleet.run(30)
    fleet.tune(pin=Shape(3, 5))
    fleet.run(90)
    assert fleet.shapes == ["3x5"] * 3


def test_a_pin_before_anything_was_promoted_is_recorded_as_one():
    fleet = SimFleet(workload.IO, clients=0)
    fleet.run(5)
    assert fleet.told == []
    fleet.tune(pin=Shape(3, 5))
    fleet.run(20)
    assert fleet.shapes == ["3x5"] * 3
    assert [each for _, *each in fleet.told] == [["change", "2x4->3x5"]]
    assert fleet.state.history[-1].reason == Reason.PINNED.value
    assert fleet.stored is not None


def test_pods_that_start_with_the_pin_need_no_change():
    fleet = SimFleet(workload.IO, clients=0, tuning=TuningSpec(start=Shape(1, 1), pin=Shape(2, 4)))
    fleet.run(20)
    assert fleet.told == []
    assert fleet.shapes == ["2x4"] * 3


def test_swaps_happen_on_at_most_half_of_the_pods_at_a_time():
    fleet = SimFleet(workload.IO, pods=4, tuning=TuningSpec(start=Shape(2, 4), pin=Shape(2, 9)))
    most = 0
    for _ in range(40):
        fleet.run(1)
        most = max(most, sum(not agent.machine.settled for agent in fleet.agents.values()))
    assert fleet.shapes == ["2x9"] * 4
    assert most <= 2


def test_an_operator_that_dies_in_a_trial_leaves_no_trial_behind():
    fleet = SimFleet(workload.MIXED)
    fleet.until("try")
    fleet.run(3)
    fleet.down = True
    assert len(set(fleet.shapes)) == 2
    fleet.run(120)
    assert fleet.shapes == ["2x4"] * 3, "the agent ended the trial by itself"


@pytest.mark.parametrize("forgetful", [pytest.param(False, marks=pytest.mark.thorough), True])
def test_a_new_operator_continues_with_what_the_last_one_stored(forgetful):
    fleet = SimFleet(workload.MIXED)
    fleet.run(150)
    assert "promote" in fleet.kinds()
    shape, epoch = fleet.state.shape, fleet.promoted.version.epoch
    fleet.restart_operator(forgetful=forgetful)
    fleet.told.clear()
    fleet.run(20)
    assert fleet.state.promoted.shape == shape
    assert "promote" not in fleet.kinds(), "what was found stays, whatever is tried beside it"
    assert fleet.state.last.epoch > epoch, "what it gives out is newer than anything that the last one did"


def test_a_trial_whose_pod_goes_ends_undecided():
    fleet = SimFleet(workload.MIXED)
    fleet.until("try")
    fleet.remove(fleet.change.pod)
    fleet.run(5)
    assert fleet.kinds()[-1] == "undecided"
    assert fleet.change is None
    assert fleet.shapes == ["2x4"] * 2


def test_nothing_is_tried_within_a_minute_of_a_change_of_replicas():
    fleet = SimFleet(workload.MIXED, pods=2)
    fleet.add("late", clients=32)
    fleet.run(58)
    assert "try" not in fleet.kinds()
    fleet.run(60)
    assert "try" in fleet.kinds()


def test_a_pod_that_never_gets_its_shape_is_named_once_and_keeps_nobody_waiting():
    """Two pods, of which half may change at a time: the other one's turn comes when the first is late."""
    fleet = SimFleet(workload.IO, pods=2, tuning=TuningSpec(start=Shape(2, 4), pin=Shape(3, 5)))
    fleet.agents["pod-0"].deaf = True
    fleet.run(30)
    assert fleet.shapes == ["2x4", "2x4"]
    fleet.run(120)
    assert fleet.shapes == ["2x4", "3x5"]
    assert fleet.warned == ["pod-0"]
    fleet.agents["pod-0"].deaf = False
    fleet.run(10)
    assert fleet.shapes == ["3x5", "3x5"]


def test_a_slow_swap_of_the_others_waits_for_no_silent_pod():
    fleet = SimFleet(workload.IO)
    fleet.agents["pod-2"].silent = True
    fleet.run(150)
    assert "promote" in fleet.kinds()
    assert set(fleet.shapes[:2]) == {str(fleet.state.shape)}


@pytest.mark.parametrize("pods", [1, 3])
def test_versions_only_grow(pods):
    fleet = SimFleet(workload.MIXED, pods=pods)
    last = dict.fromkeys(fleet.agents, (-1, -1))
    for _ in range(120):
        fleet.run(1)
        for uid, agent in fleet.agents.items():
            seq = agent.following.accepted.version
            assert seq >= last[uid]
            last[uid] = seq


def test_a_second_without_a_new_sample_is_no_second_decision():
    """A poll may come between two samples, or fail: the tuner's last answer is not asked for again."""
    fleet = SimFleet(workload.IO, pods=1, clients=64)
    fleet.until("try")
    fleet.agents["pod-0"].silent = True
    fleet.run(3)
    assert fleet.kinds() == ["try"]


def test_another_start_reaches_all_pods_while_nothing_was_promoted():
    """Pods born now have it already: two starts beside each other could never be compared."""
    fleet = SimFleet(workload.IO, clients=0)
    fleet.run(5)
    fleet.tune(start=Shape(3, 6))
    fleet.run(20)
    assert fleet.shapes == ["3x6"] * 3
    assert fleet.kinds() == ["change"]
    fleet.tune(start=Shape(2, 9))
    fleet.run(20)
    assert fleet.shapes == ["3x6"] * 3, "without effect once a shape was promoted"


def test_connections_keep_to_their_bound_when_pods_are_added():
    # 2 x 4x8 = 64 connections of 100; 6 x 4x8 would be 192, 6 x 2x8 are 96.
    tuning = TuningSpec(start=Shape(4, 8), max_connections=100)
    fleet = SimFleet(workload.IO, pods=2, clients=1, start=Shape(4, 8), tuning=tuning)
    fleet.run(10)
    assert fleet.shapes == ["4x8"] * 2
    for number in range(4):
        fleet.add(f"more-{number}", clients=1)
    fleet.run(40)
    assert fleet.shapes == ["2x8"] * 6


def test_connections_of_pods_that_do_not_run_yet_count():
    tuning = TuningSpec(start=Shape(4, 8), max_connections=100)
    fleet = SimFleet(workload.IO, pods=2, clients=1, start=Shape(4, 8), tuning=tuning)
    pod = fleet.infos["pod-0"]
    fleet.coming = tuple(replace(pod, uid=f"more-{number}", ready=False, running=False) for number in range(4))
    fleet.coming += (replace(pod, uid="gone", running=False, leaving=True),)
    fleet.run(20)
    assert fleet.shapes == ["2x8"] * 2


# --- what no agent can carry out


def without_room(**settings) -> SimFleet:
    fleet = SimFleet(workload.IO, **settings)
    for agent in fleet.agents.values():
        agent.refuses = anything
    return fleet


def test_a_shape_that_was_accepted_and_could_not_be_carried_out():
    fleet = without_room(clients=64)
    fleet.run(20)
    assert fleet.kinds()[:2] == ["try", "refuse"]
    refused = fleet.state.history[1]
    assert (refused.reason, refused.message) == (RefusalReason.MEMORY_LIMIT.value, "does not fit")
    assert fleet.shapes == ["2x4"] * 3
    assert fleet.state.hold is None, "the search continues"


def test_what_the_agent_has_no_room_for_is_the_limit_that_is_named_in_the_end():
    """It has room for six slots a pod; the tuner sees no memory at all."""
    fleet = SimFleet(workload.IO, clients=64, tuning=TuningSpec(threads=Bounds(min=1, max=1), start=Shape(2, 1)))
    for agent in fleet.agents.values():
        agent.refuses = lambda shape: shape.slots > 6
    fleet.run(240)
    assert fleet.shapes == ["6x1"] * 3
    assert (fleet.state.memory.said, fleet.state.memory.settled) == (Reason.MEMORY_LIMIT, True)
    assert fleet.state.memory.limit.startswith("the agent refused ")


def test_what_no_pod_can_take_is_not_promoted_though_all_are_overloaded():
    fleet = without_room(clients=120)
    fleet.run(60)
    assert fleet.kinds()[:2] == ["try", "refuse"]
    assert "promote" not in fleet.kinds()
    assert fleet.state.shape == Shape(2, 4)
    assert fleet.stored is None, "new pods never start with a shape that was only tried"


def test_what_every_pod_gives_up_is_promoted_no_longer():
    fleet = SimFleet(workload.IO, clients=8, tuning=TuningSpec(start=Shape(2, 4), pin=Shape(3, 8)))
    fleet.run(20)
    for agent in fleet.agents.values():
        agent.refuses = anything
    fleet.tune(pin=Shape(12, 64))
    fleet.run(60)
    assert fleet.shapes == ["3x8"] * 3
    fleet.tune()
    fleet.run(60)
    assert fleet.state.shape == Shape(3, 8)


def test_a_pod_that_had_no_room_for_the_promoted_shape_gets_it_later():
    fleet = SimFleet(workload.IO, clients=8, tuning=TuningSpec(start=Shape(2, 4), pin=Shape(3, 8)))
    fleet.agents["pod-1"].refuses = anything
    fleet.run(30)
    assert fleet.shapes == ["3x8", "2x4", "3x8"]
    fleet.agents["pod-1"].refuses = nothing
    fleet.run(90)
    assert fleet.shapes == ["3x8"] * 3


# --- versions


def test_a_lost_configmap_neither_moves_the_pods_nor_is_refused_by_them():
    fleet = SimFleet(workload.IO, clients=8, tuning=TuningSpec(start=Shape(2, 4), pin=Shape(3, 8)))
    fleet.run(20)
    fleet.tune()
    fleet.stored = None
    fleet.restart_operator(forgetful=True)
    fleet.run(20)
    assert fleet.shapes == ["3x8"] * 3
    assert fleet.state.shape == Shape(3, 8)
    fleet.tune(pin=Shape(2, 2))
    fleet.run(20)
    assert fleet.shapes == ["2x2"] * 3


def test_bounds_and_connections_that_bind_at_once_give_one_shape_one_version():
    """Two writers once gave one number to two shapes."""
    fleet = SimFleet(workload.IO, pods=2, clients=1, start=Shape(8, 16), tuning=TuningSpec(start=Shape(8, 16)))
    fleet.run(10)
    fleet.tune(start=Shape(8, 16), processes=ProcessBounds(min=1, max=4), max_connections=96)
    given = {}
    for _ in range(30):
        fleet.run(1)
        for agent in fleet.agents.values():
            desired = agent.following.accepted
            assert given.setdefault(desired.version, desired.shape) == desired.shape
    assert fleet.shapes == ["3x16"] * 2


def test_a_promoted_shape_beyond_what_two_cores_would_be_given_is_kept_while_nobody_has_named_a_maximum():
    """After a restart no cores are known yet, and a shape of a larger node must not shrink for that."""
    app = UwsgiApp(name="shop", module="wsgi:app")
    state = FleetState.begin(app, DesiredShape(version=Version(1, 1), shape=Shape(40, 1)))
    assert state.inside(state.shape) == Shape(40, 1)
    bounded = replace(app, tuning=TuningSpec(processes=ProcessBounds(max=16)))
    assert replace(state, app=bounded).inside(state.shape) == Shape(16, 1)


def test_an_application_of_which_a_third_always_fails_is_tuned_in_all_pods():
    failing = workload.simple(wait=0.020, cpu=0.0021, errors=0.3)
    fleet = SimFleet(failing, clients=32, start=Shape(1, 2), tuning=TuningSpec(start=Shape(1, 2)))
    fleet.run(90)
    assert "promote" in fleet.kinds(), fleet.told
    assert all(Shape.parse(each).slots >= 12 for each in fleet.shapes), fleet.told
    assert not any(each.reason == "ErrorsHigh" for each in fleet.state.history), fleet.told


def test_requests_that_hold_all_slots_of_all_pods_are_given_more_in_all_of_them():
    fleet = SimFleet(workload.simple(wait=20.0), clients=32)
    fleet.until("promote", 120)
    fleet.run(10)
    assert fleet.kinds() == ["try", "promote"], fleet.told
    assert all(Shape.parse(each).slots >= 32 for each in fleet.shapes), fleet.told
    assert fleet.state.history[0].reason == "MoreThreads", fleet.told
