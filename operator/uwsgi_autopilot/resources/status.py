"""The status of a UwsgiApp, whole, from what is seen: rebuilt from nothing at any time, because backups and GitOps
tools drop it."""

import json
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from uwsgi_autopilot.report.text import safe
from uwsgi_autopilot.resources import labels
from uwsgi_autopilot.resources.app import App
from uwsgi_autopilot.resources.conditions import Seen, conditions_of
from uwsgi_autopilot.resources.tuned import Answer, Tuning, tuned

Body = Mapping[str, Any]
Status = dict[str, Any]

MAX_BYTES = 6 * 1024
MAX_DECISIONS = 10
ORDER = ("Available", "Ready", "Progressing", "Tuned")
# Figures that move all the time: a change of nothing else may wait.
NUMBERS = ("rps", "p99")


def status_of(body: Body, app: App | None, seen: Seen, tuning: Tuning, *, now: datetime) -> Status:
    """Return the status to write. `body`: the UwsgiApp as it was read; of its status only the times are taken over.

    `app` None: its manifest cannot be read, and seen.problem says why.
    """
    name, generation = body["metadata"]["name"], body["metadata"]["generation"]
    live = (seen.deployment or {}).get("status") or {}
    answers: dict[str, Answer] = conditions_of(seen, now=now)
    answers["Tuned"] = (
        tuned(app.settings.tuning, tuning) if app else ("Unknown", "SpecInvalid", "see the condition Ready")
    )
    status: Status = {
        "observedGeneration": generation,
        "replicas": live.get("replicas", 0),
        "readyReplicas": live.get("readyReplicas", 0),
        "selector": labels.selector_text(name),
        "display": _display(seen, tuning),
        "decisions": [_entry(each) for each in tuning.decisions[-MAX_DECISIONS:]],
        "conditions": [_condition(body, kind, answers[kind], generation, now) for kind in ORDER],
    }
    if tuning.shape is not None:
        status["shape"] = tuning.shape.to_json()
    if tuning.wanted is not None:
        status["wanted"] = {"seq": tuning.wanted.seq, **tuning.wanted.shape.to_json()}
    if tuning.recommendation is not None:
        status["recommendation"] = _recommendation(tuning)
    if revision := ((seen.deployment or {}).get("metadata", {}).get("annotations") or {}).get(labels.TEMPLATE):
        status["templateRevision"] = revision
    return _fitting(status)


def worth_writing(old: Body, new: Status) -> str | None:
    """Return "now" when something has changed that a person or a program waits for, "later" when only figures have
    moved, None when nothing did."""
    if _without_figures(old) != _without_figures(new):
        return "now"
    return "later" if dict(old) != new else None


def _display(seen: Seen, tuning: Tuning) -> dict[str, str]:
    wanted = seen.deployment["spec"].get("replicas", 1) if seen.deployment else 0
    ready = ((seen.deployment or {}).get("status") or {}).get("readyReplicas", 0)
    shown = {"ready": f"{ready}/{wanted}"}
    if tuning.shape is not None:
        shown["shape"] = str(tuning.shape)
    if tuning.wanted is not None and tuning.wanted.shape != tuning.shape:
        shown["wanted"] = str(tuning.wanted.shape)
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


def _recommendation(tuning: Tuning) -> dict[str, Any]:
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


def _condition(body: Body, kind: str, answer: Answer, generation: int, now: datetime) -> dict[str, Any]:
    """lastTransitionTime moves only when the status does."""
    status, reason, message = answer
    known = (body.get("status") or {}).get("conditions") or ()
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
