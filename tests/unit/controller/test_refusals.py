"""What no agent can carry out: told, not asked for again, and not what new pods start with."""

from tests.unit.controller.fleet import Fleet

from tests.simulator import workload
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.controller.report import told_of
from uwsgi_autopilot.report.reasons import WishReason
from uwsgi_autopilot.resources.tuned import tuned


def without_room(tmp_path, **settings) -> Fleet:
    fleet = Fleet(tmp_path, workload.IO, **settings)
    for agent in fleet.agents.values():
        agent.full = True
    return fleet


def test_a_wish_that_was_accepted_and_could_not_be_carried_out(tmp_path):
    """Such a refusal has no number: the wish itself was good."""
    fleet = without_room(tmp_path, clients=64)
    fleet.run(30)
    assert fleet.kinds() == ["try", "refuse", "undecided"]
    refused = fleet.pilot.history[1]
    assert (refused.reason, refused.message) == (WishReason.MEMORY_LIMIT.value, "does not fit")
    answer = tuned(fleet.spec.tuning, told_of(fleet.pilot, fleet.now))
    assert answer == ("False", "LimitedByMemory", f"the agent refused {refused.to_shape}: does not fit")
    assert fleet.shapes == ["2x4"] * 3
    assert fleet.pilot.quiet is None


def test_what_was_given_to_every_pod_and_taken_by_none_is_not_promoted(tmp_path):
    fleet = without_room(tmp_path, clients=600)
    fleet.run(60)
    assert fleet.kinds() == ["everywhere", "refuse", "undecided"]
    assert fleet.pilot.wishes.shape == Shape(2, 4)
    assert fleet.pilot.wishes.promoted.seq == 2, "newer than the one that was refused"
    assert fleet.pilot.quiet is None, "and the search goes on"


def test_what_every_pod_refuses_later_is_not_promoted_either(tmp_path):
    """The one that is judged was quick to refuse, the others were still starting then."""
    fleet = without_room(tmp_path, clients=8)
    fleet.run(3)
    fleet.pilot.wishes.everyone(Shape(12, 64))
    fleet.run(10)
    assert fleet.pilot.wishes.shape == Shape(2, 4)
    assert fleet.told == [(fleet.told[0][0], "change", "12x64->2x4")]


def test_what_one_pod_has_taken_stays(tmp_path):
    fleet = without_room(tmp_path, clients=8)
    fleet.agents["pod-1"].full = False
    fleet.run(3)
    fleet.pilot.wishes.everyone(Shape(3, 8))
    fleet.run(30)
    assert fleet.pilot.wishes.shape == Shape(3, 8)
    assert fleet.shapes == ["2x4", "3x8", "2x4"]
