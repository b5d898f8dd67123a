"""The status as it is written: four conditions, columns, history; never too large."""

import json
from datetime import datetime, timedelta, timezone

import pytest

from tests.unit.resources.making import app, body, status_of
from uwsgi_autopilot.api.desired import DesiredShape, Version
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.report.reasons import Reason
from uwsgi_autopilot.resources.causes import Cause
from uwsgi_autopilot.resources.conditions import Seen
from uwsgi_autopilot.resources.status import (
    MAX_BYTES,
    in_milliseconds,
    of_objects,
    two_digits,
    with_tuning,
    worth_writing,
)
from uwsgi_autopilot.resources.tuned import TuningStatus, tuned

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)
HASH, REVISION = "pod-template-hash", "deployment.kubernetes.io/revision"


def rolled(*, wanted=3, new=3, old=0, known=True, overdue=False):
    """A Deployment, its ReplicaSets and pods in the middle of a rollout: so many of each version serve."""
    conditions = [{"type": "Progressing", "reason": "ProgressDeadlineExceeded"}] if overdue else []
    deployment = {
        "metadata": {"generation": 2, "annotations": {REVISION: "2", "uwsgi-autopilot.dev/template": "t-1"}},
        "spec": {"replicas": wanted},
        "status": {
            "observedGeneration": 2 if known else 1,
            "replicas": new + old,
            "updatedReplicas": new,
            "readyReplicas": new + old,
            "availableReplicas": new + old,
            "conditions": conditions,
        },
    }
    sets = [
        {"metadata": {"labels": {HASH: name}, "annotations": {REVISION: revision}}, "status": {"availableReplicas": n}}
        for name, revision, n in (("one", "1", old), ("two", "2", new))
    ]
    return {"deployment": deployment, "replicasets": sets}


def failing(version, words, created="2026-01-01T00:00:00Z"):
    waiting = {"reason": "ErrImagePull", "message": words}
    return {
        "metadata": {"name": f"shop-{version}", "labels": {HASH: version}, "creationTimestamp": created},
        "spec": {"containers": [{"name": "app", "image": "shop:2"}]},
        "status": {"containerStatuses": [{"name": "app", "state": {"waiting": waiting}}]},
    }


def conditions(seen, tuning=None, **spec):
    status = status_of(body(**spec), app(**spec), seen, tuning or TuningStatus(), now=NOW)
    return {each["type"]: (each["status"], each["reason"], each["message"]) for each in status["conditions"]}


def test_four_conditions_from_the_first_moment_on():
    found = conditions(Seen(deployment=None))
    assert [(kind, *answer[:2]) for kind, answer in found.items()] == [
        ("Available", "False", "NotCreated"),
        ("Ready", "False", "NotCreated"),
        ("Progressing", "True", "Creating"),
        ("Tuned", "Unknown", "NoLoad"),
    ]


ROLLOUTS = [
    (rolled(), "True Serving", "True RolledOut", "False RolledOut"),
    (rolled(new=1, old=2), "True Serving", "False RollingOut", "True RollingOut"),
    (rolled(new=0, old=3), "True PreviousVersionServes", "False RollingOut", "True RollingOut"),
    (rolled(new=0, old=3, known=False), "True PreviousVersionServes", "False RollingOut", "True RollingOut"),
    (rolled(new=3, old=1), "True Serving", "False RollingOut", "True RollingOut"),
    (rolled(new=2), "True Serving", "False RollingOut", "True RollingOut"),
    (rolled(new=0), "False NotServing", "False RollingOut", "True RollingOut"),
    (rolled(wanted=0, new=0), "False ScaledToZero", "True ScaledToZero", "False RolledOut"),
    (
        rolled(new=0, old=3, overdue=True),
        "True PreviousVersionServes",
        "False ProgressDeadlineExceeded",
        "False ProgressDeadlineExceeded",
    ),
]


@pytest.mark.parametrize(("seen", "available", "ready", "progressing"), ROLLOUTS)
def test_how_far_a_rollout_is(seen, available, ready, progressing):
    found = {kind: " ".join(answer[:2]) for kind, answer in conditions(Seen(**seen)).items()}
    assert (found["Available"], found["Ready"], found["Progressing"]) == (available, ready, progressing)


def test_a_failed_new_version_is_explained_while_the_old_one_serves():
    found = conditions(Seen(**rolled(new=0, old=3), pods=[failing("two", "no such host"), failing("one", "old news")]))
    assert found["Available"] == ("True", "PreviousVersionServes", "3 of 3 pods of the previous version are serving")
    assert found["Ready"][:2] == ("False", "ImageNotPulled")
    assert "pod shop-two" in found["Ready"][2]
    assert found["Progressing"][:2] == ("True", "ImageNotPulled")


def test_what_was_refused_before_any_pod_leaves_the_previous_version_serving():
    refused = Cause(reason="OverlayRefused", message="spec.template.spec.x: no")
    found = conditions(Seen(**rolled(), problem=refused))
    assert found["Available"] == ("True", "PreviousVersionServes", "3 of 3 pods of the previous version are serving")
    assert found["Ready"] == ("False", "OverlayRefused", "spec.template.spec.x: no")
    assert found["Progressing"][:2] == ("False", "OverlayRefused")


def test_a_manifest_that_cannot_be_read_has_a_status_too():
    seen = Seen(deployment=None, problem=Cause(reason="SpecInvalid", message="spec.module: expected ..."))
    status = status_of(body(module=7), None, seen, TuningStatus(), now=NOW)
    found = {each["type"]: (each["status"], each["reason"]) for each in status["conditions"]}
    assert found["Ready"] == ("False", "SpecInvalid")
    assert found["Tuned"] == ("Unknown", "SpecInvalid")


# --- Tuned


AGENTS = {"pods": 3, "reachable": 3, "shape": Shape(4, 16), "message": "why"}
TUNED = [
    ({}, {}, "Unknown NoLoad"),
    ({}, AGENTS | {"reason": Reason.TOO_FEW_REQUESTS}, "Unknown NoLoad"),
    ({}, AGENTS | {"reason": Reason.VERIFYING}, "False Searching"),
    ({}, AGENTS | {"reason": Reason.TOO_FEW_REQUESTS, "settled": True}, "True Settled"),
    ({}, AGENTS | {"reason": Reason.SETTLED, "settled": True}, "True Settled"),
    ({}, AGENTS | {"reason": Reason.SETTLED, "settled": True, "limited": Reason.MEMORY_LIMIT}, "False LimitedByMemory"),
    ({}, AGENTS | {"reason": Reason.SETTLED, "limited": Reason.BOUNDS_REACHED}, "False LimitedByBounds"),
    ({}, AGENTS | {"reason": Reason.SETTLED, "limited": Reason.CONNECTION_LIMIT}, "False LimitedByBounds"),
    ({}, AGENTS | {"reason": Reason.CHANGE_BUDGET_EXHAUSTED, "taken_back": "4x32 was worse"}, "False TrialRolledBack"),
    (
        {},
        AGENTS | {"reason": Reason.SETTLED, "settled": True, "reachable": 0, "silent": ["pod a"]},
        "Unknown AgentUnreachable",
    ),
    ({"mode": "Recommend"}, AGENTS | {"reason": Reason.SETTLED, "settled": True}, "Unknown Recommending"),
    ({"mode": "Disabled"}, AGENTS | {"reachable": 0}, "Unknown Disabled"),
    (
        {},
        AGENTS | {"reason": Reason.SETTLED, "reachable": 0, "incompatible": ["pod a: v1"]},
        "Unknown AgentIncompatible",
    ),
    ({}, AGENTS | {"reason": Reason.SETTLED, "settled": True, "given_up": ["pod a: full"]}, "False ShapeGivenUp"),
    ({}, AGENTS | {"reason": Reason.SETTLED, "settled": True, "late": ["pod a"]}, "False ShapeNotDelivered"),
    ({}, {"trouble": ("InternalError", "KeyError")}, "Unknown InternalError"),
    ({"pin": {"processes": 4, "threads": 16}}, AGENTS, "True Pinned"),
    ({"pin": {"processes": 4, "threads": 16}}, AGENTS | {"given_up": ["pod a: full"]}, "False ShapeGivenUp"),
    ({"mode": "Disabled"}, AGENTS | {"late": ["pod a"]}, "Unknown Disabled"),
    ({"pin": {"processes": 4, "threads": 8}, "mode": "Disabled"}, AGENTS, "False Pinned"),
]


@pytest.mark.parametrize(("spec", "seen", "expected"), TUNED)
def test_is_the_shape_found(spec, seen, expected):
    status, reason, message = tuned(app(tuning=spec).settings.tuning, TuningStatus(**seen))
    assert f"{status} {reason}" == expected
    assert message


def test_recommend_says_what_it_would_do():
    tuning = TuningStatus(
        **AGENTS,
        recommendation=Shape(4, 32),
        recommendation_gain=0.35,
        recommendation_reason="MoreThreads",
        recommendation_message="waits 95% of the time",
    )
    status = status_of(body(), app(tuning={"mode": "Recommend"}), Seen(**rolled()), tuning, now=NOW)
    assert status["recommendation"] == {
        "shape": {"processes": 4, "threads": 32},
        "gain": "+35 %",
        "reason": "MoreThreads",
        "message": "waits 95% of the time",
    }
    assert status["conditions"][3]["message"] == "4x32 instead of 4x16: waits 95% of the time"


def test_of_many_pods_three_are_named():
    late = [f"pod shop-{letter}" for letter in "edcba"]
    _, _, message = tuned(app().settings.tuning, TuningStatus(**AGENTS, late=late))
    assert message == "pod shop-a; pod shop-b; pod shop-c (and 2 more pods)"


# --- the whole


def test_the_columns():
    tuning = TuningStatus(
        **AGENTS, desired=DesiredShape(version=Version(2, 7), shape=Shape(4, 32)), rps=1234.5, p99_s=0.0234
    )
    status = status_of(body(), app(), Seen(**rolled(new=2, old=1)), tuning, now=NOW)
    assert status["display"] == {"ready": "3/3", "shape": "4x16", "desired": "4x32", "rps": "1200", "p99": "23 ms"}
    assert status["desired"] == {"epoch": 2, "seq": 7, "processes": 4, "threads": 32}
    assert status["shape"] == {"processes": 4, "threads": 16}
    assert (status["replicas"], status["readyReplicas"], status["templateRevision"]) == (3, 3, "t-1")
    assert status["selector"] == "app.kubernetes.io/managed-by=uwsgi-autopilot,uwsgi-autopilot.dev/app=shop"
    assert status["observedGeneration"] == 3


@pytest.mark.parametrize(
    ("value", "told"),
    [(0, "0"), (0.1234, "0.12"), (3.44, "3.4"), (9.96, "10"), (87.4, "87"), (1234.0, "1200"), (98765.0, "99000")],
)
def test_two_digits(value, told):
    assert two_digits(value) == told


@pytest.mark.parametrize(
    ("seconds", "told"), [(0.00042, "0.42 ms"), (0.0234, "23 ms"), (0.9996, "1 s"), (2.34, "2.3 s"), (61, "61 s")]
)
def test_milliseconds(seconds, told):
    assert in_milliseconds(seconds) == told


def test_a_condition_keeps_its_time_until_its_status_flips():
    manifest = body()
    manifest["status"] = status_of(manifest, app(), Seen(deployment=None), TuningStatus(), now=NOW)
    later = NOW + timedelta(minutes=5)
    status = status_of(manifest, app(), Seen(**rolled(new=0)), TuningStatus(), now=later)
    found = {each["type"]: (each["reason"], each["lastTransitionTime"]) for each in status["conditions"]}
    assert found["Ready"] == ("RollingOut", "2026-01-01T00:00:00Z"), "another reason is no transition"
    status = status_of(manifest, app(), Seen(**rolled()), TuningStatus(), now=later)
    assert status["conditions"][1]["lastTransitionTime"] == "2026-01-01T00:05:00Z"


def test_figures_alone_are_renewed_without_another_look_at_the_objects():
    objects = of_objects(body(), Seen(**rolled(new=2, old=1)), now=NOW, generation=1)
    before = with_tuning(objects, {}, app(), TuningStatus(**AGENTS, rps=10.0, p99_s=3.2), now=NOW)
    after = with_tuning(objects, before, app(), TuningStatus(**AGENTS, rps=10.0), now=NOW + timedelta(seconds=5))
    assert before["display"] == {**after["display"], "p99": "3.2 s"}, "without fresh samples the column is empty"
    assert before["conditions"] == after["conditions"]


def test_a_status_is_never_too_large():
    """Ten decisions of the longest kind beside conditions of the longest kind."""
    decisions = [{"time": "2026-01-01T00:00:00Z", "reason": "Grown", "message": "ß" * 256} for _ in range(20)]
    words = "é" * 4000
    seen = Seen(**rolled(new=0), problem=Cause(reason="ApplyRefused", message=words))
    tuning = TuningStatus(**AGENTS | {"message": words}, reason=Reason.SETTLED, settled=True, decisions=decisions)
    status = status_of(body(), app(), seen, tuning, now=NOW)
    assert len(json.dumps(status, ensure_ascii=False).encode()) <= MAX_BYTES
    assert 1 <= len(status["decisions"]) <= 10
    assert all(len(each["message"].encode()) <= 1024 for each in status["conditions"])


def test_of_more_decisions_the_last_ten_are_told():
    decisions = [{"time": "2026-01-01T00:00:00Z", "reason": "Grown", "message": str(number)} for number in range(12)]
    status = status_of(body(), app(), Seen(**rolled()), TuningStatus(decisions=decisions), now=NOW)
    assert [each["message"] for each in status["decisions"]] == [str(number) for number in range(2, 12)]


def test_what_is_worth_writing():
    def at(**tuning):
        return status_of(body(), app(), Seen(**rolled()), TuningStatus(**AGENTS | tuning), now=NOW)

    old = at(rps=10.0)
    assert worth_writing(old, at(rps=10.0)) is None
    assert worth_writing(old, at(rps=20.0)) == "later"
    assert worth_writing(old, at(rps=10.0, shape=Shape(1, 1))) == "now"
    searching = at(reason=Reason.SETTLING, message="5 requests seen")
    assert worth_writing(old, searching) == "now"
    assert worth_writing(searching, at(reason=Reason.SETTLING, message="9 requests seen")) == "later"
    assert worth_writing({}, old) == "now"
