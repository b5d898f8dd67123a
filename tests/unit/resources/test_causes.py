"""What ails an application, in one sentence: from live objects that were recorded (ailing.yaml), and from made ones for
what a small cluster cannot show."""

import re
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import yaml

from tests.unit.resources.making import app
from uwsgi_autopilot.errors import SpecError
from uwsgi_autopilot.resources.causes import Cause, cause_of_pod
from uwsgi_autopilot.resources.conditions import Seen, cause_of, conditions_of
from uwsgi_autopilot.resources.unwritten import cause_of_failure, cause_of_fault, cause_of_server, cause_of_spec

AILING = yaml.safe_load((Path(__file__).parent / "ailing.yaml").read_text(encoding="utf-8"))
NOW = datetime(2026, 11, 23, 9, 30, tzinfo=timezone.utc)

RECORDED = [
    ("bad-image", "ImageNotPulled", ["image nope:1 of container app", "registry.example.com"]),
    ("import-fails", "ImportFailed", ["cannot be imported: ModuleNotFoundError: No module named 'nope'"]),
    ("no-python", "NoPython", ["has no python3", "Python 3.10 or newer and uWSGI", "spec.python"]),
    ("no-uwsgi", "NoUwsgi", ["uwsgi-autopilot:dev has no uwsgi", "install the package uwsgi or pyuwsgi"]),
    ("bad-option", "StartFailed", ["unknown config directive: nonsense"]),
    ("no-secret", "ReferenceMissing", ["container app", 'secret "nope" not found']),
    ("no-key", "ReferenceMissing", ["couldn't find key k in Secret"]),
    ("no-static", "InitFailed", ["spec.nginx.static: the image has no directory /nope"]),
    ("unschedulable", "Unschedulable", ["fits on no node", "2 Insufficient cpu"]),
    ("as-root", "RunsAsRoot", ["uwsgi-autopilot-app:dev would run as root", "numeric USER"]),
    ("too-small", "OOMKilled", ["container app was killed at its memory limit", "spec.resources.limits.memory"]),
    ("over-quota", "QuotaRefused", ["exceeded quota: q"]),
    ("privileged", "PodSecurityRefused", ["pods cannot be created", "securityContext.privileged=true"]),
]


def seen(name):
    return Seen(**AILING[name])


@pytest.mark.parametrize(("name", "reason", "words"), [pytest.param(*row, id=row[0]) for row in RECORDED])
def test_what_a_cluster_showed(name, reason, words):
    cause = cause_of(seen(name), now=NOW)
    assert cause is not None
    assert cause.reason == reason
    for each in words:
        assert each in cause.message
    assert len(cause.message.encode()) <= 1024
    assert cause.message.isprintable()
    answers = conditions_of(seen(name), now=NOW)
    assert answers["Ready"] == ("False", reason, cause.message)
    assert answers["Available"][:2] == ("False", reason)
    assert "0 of 1 pods" in answers["Available"][2]


def test_every_recorded_application_is_in_the_table():
    assert {row[0] for row in RECORDED} | {"demo", "old-serves"} == set(AILING)


def test_one_that_serves():
    answers = conditions_of(seen("demo"), now=NOW)
    assert {kind: answer[:2] for kind, answer in answers.items()} == {
        "Available": ("True", "Serving"),
        "Ready": ("True", "RolledOut"),
        "Progressing": ("False", "RolledOut"),
    }


def test_a_bad_image_while_the_version_before_serves():
    answers = conditions_of(seen("old-serves"), now=NOW)
    assert answers["Available"] == ("True", "PreviousVersionServes", "1 of 1 pods of the previous version are serving")
    assert answers["Ready"][:2] == ("False", "ImageNotPulled")
    assert "image nope:2 of container app" in answers["Ready"][2]
    assert answers["Progressing"][:2] == ("True", "ImageNotPulled")


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff"])
def test_the_two_messages_of_an_image_that_cannot_be_pulled_are_one(reason):
    """They alternate every few seconds: each flip would be a write of the status."""
    back_off = 'Back-off pulling image "shop:1": ErrImagePull: ' if reason == "ImagePullBackOff" else ""
    cause = cause_of_pod(pod(**waiting(reason, f"{back_off}no such host")), now=NOW)
    assert cause is not None
    assert cause.message == "pod shop-x: the image shop:1 of container app cannot be pulled: no such host"


def pod(name="app", image="shop:1", *, restarts=0, init=False, **status):
    """One pod with one container of interest; `status` is its state, lastState and so on."""
    kind = "init" if init else ""
    states = [{"name": name, "restartCount": restarts, **status}]
    return {
        "metadata": {"name": "shop-x", "labels": {}},
        "spec": {f"{kind}Containers" if init else "containers": [{"name": name, "image": image}]},
        "status": {f"{kind}ContainerStatuses" if init else "containerStatuses": states},
    }


def waiting(reason, message=""):
    return {"state": {"waiting": {"reason": reason, "message": message}}}


def ended(code, message="", reason="Error", **more):
    return {"lastState": {"terminated": {"exitCode": code, "message": message, "reason": reason}}, **more}


TRACEBACK = """the new generation ended with status 22 before it accepted requests: Traceback (most recent call last):
  File "/app/wsgi.py", line 3, in <module>
    import database
  File "/app/database.py", line 9, in <module>
    engine = connect("postgresql://shop:s3cret/x@db/shop")
             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
ConnectionError: could not connect"""

MADE = [
    (
        pod(**waiting("ErrImageNeverPull", 'Container image "shop:1" is not present with pull policy of Never')),
        "ImageNotPulled",
        ["pull policy of Never"],
    ),
    (pod(**waiting("InvalidImageName", "couldn't parse image name")), "ImageNotPulled", ["couldn't parse"]),
    (
        pod(
            **waiting("CreateContainerConfigError", "container has runAsNonRoot and image will run as root (pod: ...)")
        ),
        "RunsAsRoot",
        ["would run as root", "numeric USER"],
    ),
    (
        pod(
            **waiting(
                "CreateContainerConfigError",
                "container has runAsNonRoot and image has non-numeric user (www), cannot verify user is non-root",
            )
        ),
        "RunsAsRoot",
        ["a user that is not a number"],
    ),
    (
        pod(**waiting("CrashLoopBackOff"), **ended(137, reason="OOMKilled"), restarts=4),
        "OOMKilled",
        ["container app was killed at its memory limit (restarted 4 times)", "spec.resources.limits.memory"],
    ),
    (
        pod(**waiting("CrashLoopBackOff"), **ended(139), restarts=1),
        "Crashed",
        ["killed by signal 11", "restarted once"],
    ),
    (
        pod(**waiting("CrashLoopBackOff"), **ended(1, TRACEBACK), restarts=1),
        "ImportFailed",
        [
            "cannot be imported: ConnectionError: could not connect (",
            'File "/app/database.py", line 9, in <module> / engine = connect("postgresql://shop:***@db/shop")',
        ],
    ),
    (
        pod(
            **waiting("RunContainerError", 'exec: "/venv/bin/python": stat /venv/bin/python: no such file or directory')
        ),
        "NoPython",
        ["has no /venv/bin/python"],
    ),
    (
        pod(
            **waiting("CrashLoopBackOff"),
            **ended(1, "uwsgi could not be started: [Errno 2] No such file or directory: '/nope'"),
        ),
        "StartFailed",
        ["No such file or directory: '/nope'"],
    ),
    (pod(**waiting("CreateContainerError", "no space left")), "ContainerError", ["cannot be started: no space left"]),
    (
        pod("nginx", **waiting("CrashLoopBackOff"), **ended(1), restarts=2),
        "Crashed",
        ["container nginx exited with status 1 (restarted 2 times)"],
    ),
]


@pytest.mark.parametrize(("body", "reason", "words"), MADE, ids=[f"{row[1]}: {row[2][0]}" for row in MADE])
def test_what_a_container_says(body, reason, words):
    cause = cause_of_pod(body, now=NOW)
    assert cause is not None
    assert cause.reason == reason
    for each in words:
        assert each in cause.message


def test_a_pod_that_serves_has_no_cause_whatever_happened_before():
    body = pod(**ended(137, reason="OOMKilled"), restarts=4)
    body["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
    assert cause_of_pod(body, now=NOW) is None


@pytest.mark.parametrize(("seconds", "reason"), [(30, None), (90, "NeverReady")])
def test_a_pod_that_runs_and_does_not_answer_is_named_after_a_minute(seconds, reason):
    started = (NOW - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    cause = cause_of_pod(pod(state={"running": {"startedAt": started}}), now=NOW)
    assert (cause.reason if cause else None) == reason


def test_a_pod_that_leaves_explains_nothing():
    body = pod(**waiting("CrashLoopBackOff"), **ended(1), restarts=1)
    body["metadata"]["deletionTimestamp"] = "2026-11-23T09:29:00Z"
    deployment = {"metadata": {"generation": 1}, "spec": {}, "status": {"observedGeneration": 1}}
    assert cause_of(Seen(deployment=deployment, pods=[body]), now=NOW) is None


REPLICA_FAILURES = [
    ('pods "x" is forbidden: exceeded quota: small, requested: cpu=1, used: cpu=2, limited: cpu=2', "QuotaRefused"),
    ('pods "x" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi', "LimitRangeRefused"),
    ("admission webhook says no", "PodRefused"),
]


@pytest.mark.parametrize(("message", "reason"), REPLICA_FAILURES, ids=[row[1] for row in REPLICA_FAILURES])
def test_pods_that_cannot_be_made(message, reason):
    failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}
    deployment = {"metadata": {"generation": 1}, "status": {"observedGeneration": 1, "conditions": [failure]}}
    assert cause_of(Seen(deployment=deployment), now=NOW) == Cause(
        reason=reason, message=f"pods cannot be created: {message}"
    )


def test_causes_before_any_pod():
    image = cause_of_spec(SpecError([("spec.image", "expected the name of an image such as shop:1.4, found nothing")]))
    assert image.reason == "ImageMissing"
    overlay = cause_of_spec(SpecError([("spec.template.spec.x", "no"), ("spec.template.spec.y", "no")]))
    assert overlay == Cause(reason="OverlayRefused", message="spec.template.spec.x: no (and 1 more)")
    assert cause_of_spec(SpecError([("spec.module", "expected ...")])).reason == "SpecInvalid"
    assert cause_of_failure("etcdserver: leader changed").reason == "ApiServerFails"


INVALID = "Deployment.apps shop is invalid: spec.template.spec.x: Invalid value"


@pytest.mark.parametrize(
    ("template", "written", "words", "reason", "message"),
    [
        pytest.param({}, "Deployment", INVALID, "ApplyRefused", f"refused the Deployment: {INVALID}", id="no overlay"),
        pytest.param({"spec": {}}, "Service", INVALID, "ApplyRefused", "refused the Service: ", id="another object"),
        pytest.param({"spec": {}}, "", "no", "ApplyRefused", "refused a request of the operator: no", id="no object"),
        pytest.param({"spec": {}}, "Deployment", INVALID, "OverlayRefused", f"the pod: {INVALID}", id="the overlay"),
        pytest.param(
            {"spec": {}},
            "Deployment",
            'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: unknown field '
            '"spec.template.spec.nodeSelectors"',
            "OverlayRefused",
            'spec.template: the API server refused the pod: unknown field "spec.template.spec.nodeSelectors"',
            id="a create with a misspelt field",
        ),
        pytest.param(
            {"spec": {}},
            "Deployment",
            "failed to create typed patch object (web/shop; apps/v1, Kind=Deployment): "
            ".spec.template.spec.nodeSelectors: field not declared in schema",
            "OverlayRefused",
            "refused the pod: spec.template.spec.nodeSelectors: field not declared in schema",
            id="an apply with a misspelt field",
        ),
    ],
)
def test_what_the_api_server_refuses(template, written, words, reason, message):
    """The words are those of 1.34."""
    cause = cause_of_server(app(template=template), written, words)
    assert cause.reason == reason
    assert message in cause.message


def test_a_mistake_of_ours_is_told_without_the_values_that_it_met():
    try:
        app(module=7).spec["s3cret"]
    except SpecError as error:
        fault = cause_of_fault(error)
    assert fault.reason == "InternalError"
    assert re.match(r"SpecError at app\.py:\d+: this is a bug in the operator", fault.message)
    assert "module" not in fault.message


@pytest.mark.parametrize(
    "told",
    [
        "ModuleNotFoundError: No module named 'nope'",
        '  File "web.py", line 1\n    def app(:\n            ^\nSyntaxError: invalid syntax',
        "web has no callable named application: use web:app",
        "there is no file /app/src/web.py: expected the one that spec.module names",
        "the application ended the process while it was loaded, as sys.exit() does",
    ],
)
def test_what_the_agent_says_of_a_failed_import_is_known_as_one(told):
    message = f"the new generation ended with status 22 before it accepted requests: {told}"
    cause = cause_of_pod(pod(**waiting("CrashLoopBackOff"), **ended(1, message)), now=NOW)
    assert cause is not None
    assert cause.reason == "ImportFailed"
