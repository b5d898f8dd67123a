"""What holds the pods of an application back: one row each, and the sentence does not change from second to second."""

from dataclasses import replace

import pytest

from tests.unit.fleet.making import NOW, OTHER, PROMOTED, START, SWAPPING, a_fleet, a_pod, an_app
from uwsgi_autopilot.api.uwsgiapp import Mode
from uwsgi_autopilot.fleet.change import Change, Stage
from uwsgi_autopilot.fleet.guards import CALM_S, MUTED_S, REPLICAS_CHANGED_S, STUCK_S, first_objection, stretches
from uwsgi_autopilot.fleet.pod import PodInfo
from uwsgi_autopilot.fleet.state import Stretch
from uwsgi_autopilot.report.reasons import Reason

OLD = a_pod("old", revision="a")
NEW = PodInfo(uid="new", name="new", revision="b", ready=False, running=False, ready_at=None, created_at=NOW - 1)


def objection(state) -> Reason | None:
    found = first_objection(state, NOW)
    return found.reason if found else None


def beside(**changes):
    """A pod that serves, and another one with `changes`."""
    other = replace(NEW, **changes)
    if not other.running:
        return a_fleet(OLD, coming=(other,))
    return a_fleet(
        OLD,
        a_pod("new", **{name: getattr(other, name) for name in PodInfo.__slots__ if name not in ("uid", "name", "ip")}),
    )


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        pytest.param({}, Reason.ROLLOUT_IN_PROGRESS, id="a pod of a new version waits for a node"),
        pytest.param({"running": True}, Reason.ROLLOUT_IN_PROGRESS, id="it runs and is not ready"),
        pytest.param({"created_at": NOW - STUCK_S}, Reason.ROLLOUT_IN_PROGRESS, id="it was made just 10 minutes ago"),
        pytest.param({"created_at": NOW - STUCK_S - 1}, None, id="a second more: that version is broken"),
        pytest.param({"created_at": NOW - STUCK_S - 1, "running": True}, None, id="broken, though it runs"),
        pytest.param(
            {"created_at": NOW - STUCK_S - 1, "running": True, "ready": True, "ready_at": NOW - 300},
            Reason.ROLLOUT_IN_PROGRESS,
            id="two versions serve, however long",
        ),
        pytest.param({"leaving": True}, None, id="it goes before it ever ran"),
        pytest.param({"revision": "a"}, None, id="one more pod of the same version waits for a node"),
        pytest.param(
            {"revision": "a", "running": True, "created_at": NOW - 9999},
            Reason.POD_NOT_READY,
            id="a pod of the version that serves fails",
        ),
    ],
)
def test_beside_a_pod_that_serves(other, expected):
    assert objection(beside(**other)) is expected


def test_a_new_version_is_not_stuck_while_nothing_else_serves():
    old = a_pod("old", revision="a", ready=False, ready_at=None)
    assert objection(a_fleet(old, coming=(replace(NEW, created_at=NOW - 9999),))) is Reason.ROLLOUT_IN_PROGRESS


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        pytest.param(a_fleet(OLD), None, id="one settled pod"),
        pytest.param(a_fleet(OLD, app=an_app(pin=START)), Reason.PINNED, id="a pin"),
        pytest.param(a_fleet(OLD, app=an_app(mode=Mode.DISABLED)), Reason.DISABLED, id="mode Disabled"),
        pytest.param(a_fleet(OLD, app=an_app(mode=Mode.RECOMMEND)), None, id="mode Recommend looks"),
        pytest.param(a_fleet(OLD, a_pod("b", revision="a", leaving=True)), Reason.POD_NOT_READY, id="a pod is leaving"),
        pytest.param(a_fleet(OLD, left_at=NOW - REPLICAS_CHANGED_S + 1), Reason.REPLICAS_CHANGED, id="a pod left"),
        pytest.param(a_fleet(OLD, left_at=NOW - REPLICAS_CHANGED_S), None, id="a pod left a minute ago"),
        pytest.param(
            a_fleet(OLD, a_pod("b", revision="a", ready_at=NOW - REPLICAS_CHANGED_S + 1)),
            Reason.REPLICAS_CHANGED,
            id="a pod joined",
        ),
        pytest.param(a_fleet(a_pod("a", change=SWAPPING)), Reason.PODS_CHANGING, id="an agent is changing something"),
    ],
)
def test_one_objection_each(state, expected):
    assert objection(state) is expected


def test_no_sentence_counts_seconds():
    """Each second's would be news: another status write, another full look at the application."""
    late = a_fleet(OLD, a_pod("b", revision="a", ready_at=NOW - 10))
    assert first_objection(late, NOW) == first_objection(late, NOW + 7) is not None


def test_a_pod_that_is_changing_to_the_promoted_shape_is_waited_for_in_words():
    found = first_objection(a_fleet(a_pod("a", target=OTHER, change=SWAPPING), a_pod("b")), NOW)
    assert found is not None
    assert found.message == "1 of 2 pods are changing to 2x4"


# --- pods that come and go are waited for, but not for ever

TRIED = Change(stage=Stage.TRYING, shape=OTHER, before=START, version=PROMOTED.version, issued_at=NOW, pod="b")
WAITED = {reason: Stretch(NOW - MUTED_S, NOW) for reason in (Reason.POD_NOT_READY, Reason.REPLICAS_CHANGED)}
JOINED, COMING, LEAVING = {"ready_at": NOW - 5}, {"ready": False, "ready_at": None}, {"leaving": True}


def two_and(third, **fields):
    return a_fleet(OLD, a_pod("b", revision="a"), a_pod("c", revision="a", **third), **fields)


@pytest.mark.parametrize(
    ("third", "fields", "expected"),
    [
        pytest.param(JOINED, {}, Reason.REPLICAS_CHANGED, id="the first that joined"),
        pytest.param(JOINED, {"stretches": WAITED}, None, id="the last of many that joined"),
        pytest.param(COMING, {"stretches": WAITED}, None, id="another one is not ready yet"),
        pytest.param(LEAVING, {"stretches": WAITED}, None, id="another one is leaving"),
        pytest.param({}, {"stretches": WAITED, "left_at": NOW}, None, id="another one has left"),
        pytest.param(
            JOINED,
            {"stretches": {Reason.POD_NOT_READY: WAITED[Reason.POD_NOT_READY]}},
            Reason.REPLICAS_CHANGED,
            id="it took minutes to become ready, and is the first that joins",
        ),
        pytest.param(
            COMING,
            {"stretches": WAITED, "change": replace(TRIED, pod="c")},
            Reason.POD_NOT_READY,
            id="it is the pod that tries a shape",
        ),
        pytest.param(COMING, {"stretches": WAITED, "change": TRIED}, None, id="it is not the pod that tries a shape"),
    ],
)
def test_pods_that_come_and_go(third, fields, expected):
    assert objection(two_and(third, **fields)) is expected


def test_that_most_pods_do_not_serve_is_no_matter_of_an_autoscaler():
    failing = a_fleet(OLD, *(a_pod(uid, revision="a", **COMING) for uid in "bc"), stretches=WAITED)
    assert objection(failing) is Reason.POD_NOT_READY


def test_what_goes_on_with_a_short_calm_between_is_one_stretch():
    first = stretches(two_and(JOINED), NOW)
    assert first == {Reason.REPLICAS_CHANGED: Stretch(NOW, NOW)}
    calm = two_and({}, stretches=first)
    assert stretches(calm, NOW + CALM_S - 1) == first
    assert stretches(calm, NOW + CALM_S) == {}
    again = NOW + CALM_S - 1
    moved = two_and({"ready_at": again}, stretches=first)
    assert stretches(moved, again) == {Reason.REPLICAS_CHANGED: Stretch(NOW, again)}
