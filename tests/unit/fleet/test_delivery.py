"""Who is given which shape: by what serves, at most half of the pods at a time, and no pod is waited for forever."""

from dataclasses import replace

import pytest

from tests.unit.fleet.making import (
    NOTHING_PROMOTED,
    NOW,
    OTHER,
    PROMOTED,
    START,
    SWAPPING,
    a_fleet,
    a_pod,
    an_app,
    refusal,
)
from uwsgi_autopilot.api.desired import DesiredShape, Version
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import Mode
from uwsgi_autopilot.fleet import delivery
from uwsgi_autopilot.fleet.actions import WarnLate, WriteDesired
from uwsgi_autopilot.fleet.delivery import LATE_SECONDS, RETRY_SECONDS, REWRITE_SECONDS
from uwsgi_autopilot.fleet.pod import SILENT_S

NEW = DesiredShape(version=Version(2, 9), shape=OTHER)


def writes(state, now=NOW):
    """The state after this look, with its writes done, and what they were: uid to desired shape."""
    state = delivery.update(state, now)
    found = {}
    for action in delivery.due(state, now):
        if isinstance(action, WriteDesired):
            found[action.uid] = action.desired
            state = delivery.written(state, action.uid, action.desired, now)
        elif isinstance(action, WarnLate):
            state = delivery.warned(state, action.uid)
    return state, found


@pytest.mark.parametrize(
    ("limit", "here", "expected"),
    [
        pytest.param({}, Shape(4, 4), False, id="no limit"),
        pytest.param({"max_connections": 24}, Shape(4, 4), False, id="4*4 + 2*4 = 24 have room for a swap"),
        pytest.param({"max_connections": 23}, Shape(4, 4), True, id="in 23 they have none"),
        pytest.param({"max_connections": 11}, Shape(1, 4), True, id="nor have 1*4 + 2*4 in 11, for one more process"),
        pytest.param({"max_connections": 8}, Shape(4, 8), False, id="other threads are a swap whatever is allowed"),
        pytest.param({"max_connections": 23, "connections_per_process": 3}, Shape(4, 4), False, id="pools of 3: 18"),
    ],
)
def test_where_both_generations_have_no_room_the_change_is_to_stay_in_place(limit, here, expected):
    pod = a_pod("a", target=here, accepted=Version(1, 2))
    _, found = writes(a_fleet(pod, app=an_app(**limit)))
    assert found["a"].in_place is expected
    assert found["a"].version == PROMOTED.version


@pytest.mark.parametrize(
    ("pod", "expected"),
    [
        pytest.param(a_pod("a"), None, id="it serves what is promoted"),
        pytest.param(a_pod("a", accepted=Version(1, 2)), None, id="by an older version: the shape is what counts"),
        pytest.param(a_pod("a", target=OTHER, accepted=Version(1, 2)), PROMOTED.version, id="another shape"),
        pytest.param(a_pod("a", target=OTHER, accepted=Version(1, 7)), Version(2, 10), id="under a later version"),
        pytest.param(
            a_pod("a", target=OTHER, accepted=Version(1, 2), desired=DesiredShape(version=Version(1, 6), shape=OTHER)),
            Version(2, 10),
            id="another one waits in its annotation",
        ),
        pytest.param(
            a_pod("a", on_trial=True, accepted=Version(1, 2)), PROMOTED.version, id="the same, on trial: confirmed"
        ),
        pytest.param(a_pod("a", target=OTHER, accepted=Version(1, 2), leaving=True), None, id="it is leaving"),
    ],
)
def test_what_a_pod_is_given(pod, expected):
    _, found = writes(a_fleet(pod))
    assert {uid: it.version for uid, it in found.items()} == ({} if expected is None else {"a": expected})


def test_a_pod_whose_agent_was_never_heard_is_given_nothing():
    pod = a_pod("a")
    pod.state = None
    assert writes(a_fleet(pod, promoted=NEW))[1] == {}


def test_at_most_half_of_the_pods_change_their_threads_at_a_time():
    pods = [a_pod(name) for name in "abcd"]
    state, found = writes(a_fleet(*pods, promoted=NEW))
    assert set(found) == {"a", "b"}
    for pod in pods[:2]:
        pod.state = replace(pod.state, accepted=NEW.version, change=SWAPPING, target=OTHER)
    state, found = writes(state, NOW + 1)
    assert found == {}, "they are still at it"
    for pod in pods[:2]:
        pod.state = replace(pod.state, change=None, shape=OTHER)
    _, found = writes(state, NOW + 2)
    assert set(found) == {"c", "d"}


def test_more_processes_of_the_same_threads_need_no_turn():
    more = DesiredShape(version=Version(2, 9), shape=Shape(3, 4))
    assert set(writes(a_fleet(*(a_pod(name) for name in "abcd"), promoted=more))[1]) == set("abcd")


def test_one_pod_that_never_reports_keeps_nobody_waiting():
    """Two pods: one is written to and stays silent. Its turn is over when it is late, and it is named once."""
    deaf, other = a_pod("a"), a_pod("b")
    state, found = writes(a_fleet(deaf, other, promoted=NEW))
    assert set(found) == {"a"}
    state, found = writes(state, NOW + LATE_SECONDS - 1)
    assert set(found) == {"a"}, "written again, for it may not have got through"
    late = NOW + LATE_SECONDS + 1
    assert WarnLate(uid="a", desired=NEW) in delivery.due(delivery.update(state, late), late)
    state, found = writes(state, NOW + LATE_SECONDS + 1)
    assert "b" in found
    assert [pod.uid for pod in delivery.late_pods(state, NOW + LATE_SECONDS + 1)] == ["a"]
    again = delivery.due(delivery.update(state, NOW + LATE_SECONDS + 30), NOW + LATE_SECONDS + 30)
    assert not any(isinstance(each, WarnLate) and each.uid == "a" for each in again)


def test_a_pod_that_falls_silent_with_its_turn_keeps_those_that_answer_waiting_no_longer_than_it_takes_to_notice():
    hung, other = a_pod("a"), a_pod("b")
    state, found = writes(a_fleet(hung, other, promoted=NEW))
    assert set(found) == {"a"}
    other.heard_at = NOW + SILENT_S
    state, found = writes(state, NOW + SILENT_S)
    assert set(found) == {"a"}, "it may be changing"
    other.heard_at = NOW + SILENT_S + 1
    _, found = writes(state, NOW + SILENT_S + 1)
    assert "b" in found


def test_a_pod_that_is_silent_is_given_its_shape_after_those_that_answer():
    hung, other = a_pod("a"), a_pod("b")
    hung.heard_at = NOW - SILENT_S - 1
    _, found = writes(a_fleet(hung, other, promoted=NEW))
    assert set(found) == {"b"}


def test_when_none_of_them_can_be_heard_they_are_given_it_half_at_a_time():
    """They may all be changing."""
    pods = [a_pod(name) for name in "abcd"]
    for pod in pods:
        pod.heard_at = NOW - SILENT_S - 1
    state, found = writes(a_fleet(*pods, promoted=NEW))
    assert set(found) == {"a", "b"}
    assert set(writes(state, NOW + LATE_SECONDS - 1)[1]) == {"a", "b"}


def test_a_write_that_the_watch_does_not_show_is_made_again():
    state, _ = writes(a_fleet(a_pod("a"), promoted=NEW))
    assert writes(state, NOW + REWRITE_SECONDS - 1)[1] == {}
    assert writes(state, NOW + REWRITE_SECONDS)[1] == {"a": NEW}
    shown = replace(state.pods["a"].info, desired=NEW)
    state.pods["a"].info = shown
    assert writes(state, NOW + REWRITE_SECONDS)[1] == {}


def test_a_pod_that_gave_the_promoted_shape_up_is_given_it_again_less_and_less_often():
    """A limit of memory that was in the way for a moment must not leave a pod behind forever."""
    pod = a_pod("a")
    state, found = writes(a_fleet(pod, a_pod("b", target=OTHER), promoted=NEW))
    now, seen = NOW, []
    for _ in range(3):
        version = found["a"].version
        pod.state = replace(pod.state, accepted=version, refused=refusal(version))
        state, found = writes(state, now)
        assert found == {}
        assert set(delivery.given_up(state)) == {"a"}
        began = now
        while not found:
            now += 1
            state, found = writes(state, now)
        assert found["a"].version > version
        seen.append(now - began)
    assert seen == [RETRY_SECONDS, 2 * RETRY_SECONDS, 4 * RETRY_SECONDS]


def test_in_mode_disabled_a_person_may_give_shapes_by_hand():
    pod = a_pod("a", target=OTHER, accepted=Version(1, 9))
    disabled = an_app(mode=Mode.DISABLED)
    assert writes(a_fleet(pod, app=disabled))[1] == {}
    assert writes(a_fleet(pod))[1]["a"].shape == START


def test_nothing_is_written_before_anything_was_promoted():
    assert writes(a_fleet(a_pod("a", accepted=Version(0, 0)), promoted=NOTHING_PROMOTED))[1] == {}
