"""The status of a UwsgiApp, whole, from what is seen: rebuilt from nothing at any time, because backups and GitOps
tools drop it."""

import json
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from uwsgi_autopilot.report.text import safe
from uwsgi_autopilot.resources import labels
from uwsgi_autopilot.resources.app import App
from uwsgi_autopilot.resources.causes import Cause
from uwsgi_autopilot.resources.conditions import Seen, conditions_of
from uwsgi_autopilot.resources.tuned import Answer, TuningStatus, tuned

Body = Mapping[str, Any]
Status = dict[str, Any]

MAX_BYTES = 6 * 1024
MAX_DECISIONS = 10
# The condition Tuned comes after these.
OF_OBJECTS = ("Available", "Ready", "Progressing")
CONDITIONS = (*OF_OBJECTS, "Tuned")
# Figures that move all the time: if only they change, the write may wait.
NUMBERS = ("rps", "p99")


def of_objects(body: Body, seen: Seen, *, now: datetime, generation: int) -> Status:
    """The part that says what became of the objects, as fresh as what was read for it.

    `body`: the UwsgiApp as it was read; of its status only the times are taken over. generation: of the manifest that
    was last worked on.
    """
    live = (seen.deployment or {}).get("status") or {}
    wanted = seen.deployment["spec"].get("replicas", 1) if seen.deployment else 0
    answers, before = conditions_of(seen, now=now), body.get("status") or {}
    status: Status = {
        "observedGeneration": generation,
        "replicas": live.get("replicas", 0),
        "readyReplicas": live.get("readyReplicas", 0),
        "selector": labels.selector_text(body["metadata"]["name"]),
        "display": {"ready": f"{live.get('readyReplicas', 0)}/{wanted}"},
        "conditions": [_condition(before, kind, answers[kind], generation, now) for kind in OF_OBJECTS],
    }
    if revision := ((seen.deployment or {}).get("metadata", {}).get("annotations") or {}).get(labels.TEMPLATE):
        status["templateRevision"] = revision
    return status


def with_tuning(objects: Status, before: Body, app: App | None, tuning: TuningStatus, *, now: datetime) -> Status:
    """The whole status. `objects`: of_objects(). before: the last one, whose times are taken over. app None: the
    manifest cannot be read, and the condition Ready says why."""
    answer: Answer = (
        tuned(app.settings.tuning, tuning) if app else ("Unknown", "SpecInvalid", "see the condition Ready")
    )
    condition = _condition(before, "Tuned", answer, objects["observedGeneration"], now)
    status: Status = {
        **objects,
        "display": {**objects["display"], **_shown(tuning)},
        "decisions": [_entry(each) for each in tuning.decisions[-MAX_DECISIONS:]],
        "conditions": [*objects["conditions"], condition],
    }
    if tuning.shape is not None:
        status["shape"] = tuning.shape.to_json()
    if tuning.desired is not None:
        status["desired"] = {**tuning.desired.version._asdict(), **tuning.desired.shape.to_json()}
    if tuning.recommendation is not None:
        status["recommendation"] = _recommendation(tuning)
    return _fitting(status)


def status_of_failure(body: Body, cause: Cause, *, now: datetime) -> Status:
    """When the look at the live objects itself fails: Ready says so, everything else stays as it was told last."""
    name, generation, old = body["metadata"]["name"], body["metadata"]["generation"], body.get("status") or {}
    known = [each for each in old.get("conditions") or () if {"type", "status", "reason", "message"} <= each.keys()]
    told = {each["type"]: (each["status"], each["reason"], each["message"]) for each in known}
    answers = {kind: told.get(kind, ("Unknown", cause.reason, "see the condition Ready")) for kind in CONDITIONS}
    answers["Ready"] = ("False", cause.reason, cause.message)
    return {
        **old,
        "observedGeneration": generation,
        "selector": labels.selector_text(name),
        "conditions": [_condition(old, kind, answers[kind], generation, now) for kind in CONDITIONS],
    }


def worth_writing(old: Body, new: Status) -> str | None:
    """Return "now" when something has changed that a person or a program waits for, "later" when only figures have
    moved, None when nothing did."""
    if _without_figures(old) != _without_figures(new):
        return "now"
    return "later" if dict(old) != new else None


def _shown(tuning: TuningStatus) -> dict[str, str]:
    shown = {}
    if tuning.shape is not None:
        shown["shape"] = str(tuning.shape)
    if tuning.desired is not None and tuning.desired.shape != tuning.shape:
        shown["desired"] = str(tuning.desired.shape)
    if tuning.rps is not None:
        shown["rps"] = two_digits(tuning.rps)
    if tuning.p99_s is not None:
        shown["p99"] = in_milliseconds(tuning.p99_s)
    return shown


def two_digits(value: float) -> str:
    """`0`, `0.12`, `3.4`, `87`, `1200`: two significant digits, so that noise writes no status."""
    rounded = float(f"{value:.2g}")
    return f"{rounded:.0f}" if rounded >= 10 or rounded == 0 else f"{rounded:.2g}"


def in_milliseconds(seconds: float) -> str:
    return f"{two_digits(seconds)} s" if float(f"{seconds:.2g}") >= 1 else f"{two_digits(seconds * 1000)} ms"


def _recommendation(tuning: TuningStatus) -> dict[str, Any]:
    assert tuning.recommendation is not None
    told: dict[str, Any] = {
        "shape": tuning.recommendation.to_json(),
        "reason": tuning.recommendation_reason,
        "message": safe(tuning.recommendation_message, 256),
    }
    if tuning.recommendation_gain is not None:
        told["gain"] = f"{tuning.recommendation_gain:+.0%}".replace("%", " %")
    return told


def _entry(decision: Body) -> dict[str, Any]:
    return {**decision, **({"message": safe(decision["message"], 256)} if "message" in decision else {})}


def _condition(before_status: Body, kind: str, answer: Answer, generation: int, now: datetime) -> dict[str, Any]:
    """lastTransitionTime changes only when the status does."""
    status, reason, message = answer
    known = before_status.get("conditions") or ()
    before: Body = next((each for each in known if each.get("type") == kind), {})
    since = before.get("lastTransitionTime") if before.get("status") == status else None
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": safe(message),
        "observedGeneration": generation,
        "lastTransitionTime": since or timestamp(now),
    }


def timestamp(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _fitting(status: Status) -> Status:
    """The oldest decisions go first: four long conditions and ten long decisions are more than is allowed."""
    while len(json.dumps(status, ensure_ascii=False).encode()) > MAX_BYTES and status["decisions"]:
        status = {**status, "decisions": status["decisions"][1:]}
    return status


def _without_figures(status: Body) -> dict[str, Any]:
    """The tuner's message names what was measured in the last second."""
    shown = {name: value for name, value in (status.get("display") or {}).items() if name not in NUMBERS}
    conditions = [
        {name: value for name, value in each.items() if name != "message" or each["type"] != "Tuned"}
        for each in status.get("conditions") or ()
    ]
    return {**status, "display": shown, "conditions": conditions}
