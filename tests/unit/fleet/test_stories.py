"""One application with several pods, second by second: who tries what, and who gets it."""

from dataclasses import replace

import pytest

from tests.simulator import workload
from tests.unit.controller.fleet import Fleet
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import Mode, TuningSpec
from uwsgi_autopilot.controller.memory import mark_of, remembered, text_of
from uwsgi_autopilot.controller.report import told_of
from uwsgi_autopilot.resources.labels import PROMOTED_KEY, TUNING_KEY


def test_one_pod_tries_first_and_the_others_follow(tmp_path):
    fleet = Fleet(tmp_path, workload.MIXED, clients=32)
    while "try" not in fleet.kinds():
        fleet.run(1)
        assert fleet.second_number < 60, "nothing was tried"
    fleet.run(4)
    assert len(set(fleet.shapes)) == 2, "one pod tries"
    assert sorted(fleet.shapes).count("2x4") == 2
    fleet.run(120)
    assert "promote" in fleet.kinds()
    assert len(set(fleet.shapes)) == 1, fleet.told
    assert fleet.shapes[0] == str(fleet.pilot.wishes.shape) != "2x4"


def test_a_lonely_pod_tries_and_keeps(tmp_path):
    fleet = Fleet(tmp_path, workload.IO, pods=1, clients=64)
    fleet.run(120)
    assert fleet.pilot.wishes.promoted.seq > 0, fleet.told
    assert fleet.pilot.wishes.promoted.trial_seconds is None
    assert fleet.shapes == [str(fleet.pilot.wishes.shape)]
    assert fleet.pilot.wishes.shape.slots > 30


def test_recommend_changes_nothing_and_says_what_it_would_do(tmp_path):
    fleet = Fleet(tmp_path, workload.IO, tuning=TuningSpec(mode=Mode.RECOMMEND, start=Shape(2, 4)))
    fleet.run(60)
    assert fleet.shapes == ["2x4"] * 3
    assert fleet.kinds() == ["recommend"]


def test_disabled_changes_nothing_and_says_nothing(tmp_path):
    fleet = Fleet(tmp_path, workload.IO, tuning=TuningSpec(mode=Mode.DISABLED, start=Shape(2, 4)))
    fleet.run(60)
    assert fleet.shapes == ["2x4"] * 3
    assert fleet.told == []


def test_a_pin_reaches_every_pod_and_holds(tmp_path):
    fleet = Fleet(tmp_path, workload.IO)
    fleet.run(30)
    fleet.pilot.spec = replace(fleet.spec, tuning=TuningSpec(start=Shape(2, 4), pin=Shape(3, 5)))
    fleet.run(90)
    assert fleet.shapes == ["3x5"] * 3


def test_swaps_happen_on_at_most_half_of_the_pods_at_a_time(tmp_path):
    fleet = Fleet(tmp_path, workload.IO, pods=4, tuning=TuningSpec(start=Shape(2, 4), pin=Shape(2, 9)))
    most = 0
    for _ in range(40):
        fleet.run(1)
        most = max(most, sum(not agent.pod.settled for agent in fleet.agents.values()))
    assert fleet.shapes == ["2x9"] * 4
    assert most <= 2


def test_an_operator_that_dies_in_a_trial_leaves_no_trial_behind(tmp_path):
    fleet = Fleet(tmp_path, workload.MIXED)
    while "try" not in fleet.kinds():
        fleet.run(1)
    fleet.run(3)
    fleet.down = True
    assert len(set(fleet.shapes)) == 2
    fleet.run(120)
    assert fleet.shapes == ["2x4"] * 3, "the agent ended the trial by itself"


def test_a_new_operator_goes_on_from_what_the_last_one_wrote(tmp_path):
    fleet = Fleet(tmp_path, workload.MIXED)
    fleet.run(150)
    assert "promote" in fleet.kinds()
    known = remembered({PROMOTED_KEY: fleet.pilot.wishes.promoted.to_text()}, {TUNING_KEY: text_of(fleet.pilot)})
    before = fleet.pilot
    fleet.pilot = fleet.new_pilot()
    fleet.pilot.wishes.promoted, fleet.pilot.wishes.seq = known.promoted, known.seq
    fleet.pilot.memory, fleet.pilot.trial = known.memory, known.trial
    fleet.told.clear()
    shape = before.wishes.shape
    fleet.run(60)
    assert fleet.shapes == [str(shape)] * 3
    assert fleet.told == [], "nothing is tried again"


def test_a_trial_whose_pod_goes_ends_undecided(tmp_path):
    fleet = Fleet(tmp_path, workload.MIXED)
    while "try" not in fleet.kinds():
        fleet.run(1)
    fleet.remove(fleet.pilot.trial.pod)
    fleet.run(5)
    assert fleet.kinds()[-1] == "undecided"
    assert fleet.pilot.trial is None
    assert fleet.shapes == ["2x4"] * 2


def test_nothing_is_tried_within_a_minute_of_a_change_of_replicas(tmp_path):
    fleet = Fleet(tmp_path, workload.MIXED, pods=2)
    fleet.add("late", clients=32)
    fleet.run(58)
    assert "try" not in fleet.kinds()
    fleet.run(60)
    assert "try" in fleet.kinds()


def test_a_pod_that_never_gets_its_wish_is_named_once(tmp_path):
    fleet = Fleet(tmp_path, workload.IO, tuning=TuningSpec(start=Shape(2, 4), pin=Shape(3, 4)))
    fleet.agents["pod-1"].deaf = True
    fleet.run(30)
    assert fleet.shapes == ["3x4", "2x4", "3x4"]
    named = []
    for _ in range(120):
        fleet.run(1)
        named += [view.uid for view, _ in fleet.pilot.wishes.undelivered(fleet.pilot.pods, fleet.now + 1_800_000_000.0)]
    assert named == ["pod-1"]


def test_a_slow_swap_of_the_others_waits_for_no_silent_pod(tmp_path):
    fleet = Fleet(tmp_path, workload.IO)
    fleet.agents["pod-2"].silent = True
    fleet.run(150)
    assert "promote" in fleet.kinds()
    assert set(fleet.shapes[:2]) == {str(fleet.pilot.wishes.shape)}


@pytest.mark.parametrize("pods", [1, 3])
def test_sequence_numbers_only_grow(tmp_path, pods):
    fleet = Fleet(tmp_path, workload.MIXED, pods=pods)
    last = dict.fromkeys(fleet.agents, -1)
    for _ in range(120):
        fleet.run(1)
        for uid, agent in fleet.agents.items():
            seq = agent.wishes.accepted.seq if agent.wishes.accepted else -1
            assert seq >= last[uid]
            last[uid] = seq


def test_a_second_without_a_new_sample_is_no_second_decision(tmp_path):
    """A poll may come between two samples, or fail: the tuner's last answer is not asked for again."""
    fleet = Fleet(tmp_path, workload.IO, pods=1, clients=64)
    while "try" not in fleet.kinds():
        fleet.run(1)
    fleet.agents["pod-0"].silent = True
    fleet.run(3)
    assert fleet.kinds() == ["try"]


def test_a_recommendation_is_one_in_mode_recommend_only(tmp_path):
    fleet = Fleet(tmp_path, workload.IO, tuning=TuningSpec(mode=Mode.RECOMMEND, start=Shape(2, 4)))
    fleet.run(60)
    told = told_of(fleet.pilot, fleet.now)
    assert told.recommendation is not None
    assert told.recommendation_message
    fleet.pilot.spec = replace(fleet.spec, tuning=TuningSpec(mode=Mode.DISABLED, start=Shape(2, 4)))
    fleet.run(1)
    told = told_of(fleet.pilot, fleet.now)
    assert (told.recommendation, told.recommendation_reason, told.recommendation_message) == (None, "", "")


@pytest.mark.parametrize("pods", [1, 3])
def test_only_a_lonely_pods_trial_is_what_the_application_wants(tmp_path, pods):
    fleet = Fleet(tmp_path, workload.IO, pods=pods, clients=64)
    while fleet.pilot.trial is None:
        fleet.run(1)
    wanted = told_of(fleet.pilot, fleet.now).wanted.shape
    assert wanted == (fleet.pilot.trial.shape if pods == 1 else Shape(2, 4))
    assert fleet.pilot.trial.shape != Shape(2, 4)


@pytest.mark.parametrize("clients", [0, 1])
def test_looking_is_not_learning(tmp_path, clients):
    """What is kept in NAME-tuning changes each second; it is worth a write when something follows from it."""
    fleet = Fleet(tmp_path, workload.IO, pods=1, clients=clients)
    fleet.run(120)
    mark, text = mark_of(fleet.pilot), text_of(fleet.pilot)
    fleet.run(120)
    assert mark_of(fleet.pilot) == mark
    assert text_of(fleet.pilot) != text


def test_another_start_reaches_all_pods_while_nothing_was_promoted(tmp_path):
    """Pods born now have it already: two starts beside each other could never be compared."""
    fleet = Fleet(tmp_path, workload.IO, clients=0)
    fleet.run(5)
    fleet.pilot.spec = replace(fleet.spec, tuning=TuningSpec(start=Shape(3, 6)))
    fleet.run(20)
    assert fleet.shapes == ["3x6"] * 3
    assert fleet.kinds() == ["change"]
    fleet.pilot.spec = replace(fleet.spec, tuning=TuningSpec(start=Shape(2, 9)))
    fleet.run(20)
    assert fleet.shapes == ["3x6"] * 3, "without effect once a shape was promoted"


def test_connections_keep_to_their_bound_when_pods_are_added(tmp_path):
    # 2 x 4x8 = 64 connections of 100; 6 x 4x8 would be 192, 6 x 2x8 are 96.
    tuning = TuningSpec(start=Shape(4, 8), max_connections=100)
    fleet = Fleet(tmp_path, workload.IO, pods=2, clients=1, start=Shape(4, 8), tuning=tuning)
    fleet.run(10)
    assert fleet.shapes == ["4x8"] * 2
    for number in range(4):
        fleet.add(f"more-{number}", clients=1)
    fleet.run(40)
    assert fleet.shapes == ["2x8"] * 6


def test_connections_of_pods_that_do_not_run_yet_count(tmp_path):
    tuning = TuningSpec(start=Shape(4, 8), max_connections=100)
    fleet = Fleet(tmp_path, workload.IO, pods=2, clients=1, start=Shape(4, 8), tuning=tuning)
    pod = fleet.seen["pod-0"]
    fleet.pilot.coming = [replace(pod, uid=f"more-{number}", ready=False, running=False) for number in range(4)]
    fleet.pilot.coming.append(replace(pod, uid="gone", running=False, leaving=True))
    fleet.run(20)
    assert fleet.shapes == ["2x8"] * 2
