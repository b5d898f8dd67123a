"""The conditions Available, Ready and Progressing, from the Deployment and its pods.

Available     clients are served, by whatever version
Ready         this generation of the manifest is rolled out and serves: what `kubectl wait` and GitOps tools read
Progressing   a rollout runs, waits or is stuck
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from uwsgi_autopilot.report.text import safe
from uwsgi_autopilot.resources.causes import Cause, cause_of_pod, cause_of_replica_failure

Body = Mapping[str, Any]
Answer = tuple[str, str, str]

REVISION = "deployment.kubernetes.io/revision"
HASH = "pod-template-hash"
# Not the manifest's fault: nothing has changed, and as far as anyone knows what runs is what it asks for.
NOT_ITS_FAULT = frozenset({"TemplateUnusable", "ApiServerFails", "InternalError"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Live objects, read after the apply. `problem`: what kept the objects from being written; None: nothing did.
    waiting: why they are not of the chart's newest pod template, as the condition Progressing; None: they are."""

    deployment: Body | None
    replicasets: Sequence[Body] = ()
    pods: Sequence[Body] = ()
    problem: Cause | None = None
    waiting: Answer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """How far a rollout is. wanted: pods that the Deployment should have; there: that exist; updated: of this version.

    serving: pods that clients are sent to, of any version; serving_old: those of an earlier one. known: the Deployment
    controller has looked at the newest version. overdue: for longer than progressDeadlineSeconds nothing has moved.
    """

    wanted: int
    there: int
    updated: int
    serving: int
    serving_new: int
    known: bool
    overdue: bool

    @property
    def serving_old(self) -> int:
        return max(0, self.serving - self.serving_new)

    @property
    def done(self) -> bool:
        return self.known and self.updated == self.there == self.wanted == self.serving_new


def rollout_of(seen: Seen) -> Rollout | None:
    """None: there is no Deployment."""
    if seen.deployment is None:
        return None
    meta, status = seen.deployment["metadata"], seen.deployment.get("status") or {}
    known = status.get("observedGeneration", 0) >= meta.get("generation", 0)
    newest = newest_replicaset(seen)
    serving = status.get("availableReplicas", 0)
    new = (newest.get("status") or {}).get("availableReplicas", 0) if newest else 0
    conditions = {each["type"]: each for each in status.get("conditions") or ()}
    return Rollout(
        wanted=seen.deployment["spec"].get("replicas", 1),
        there=status.get("replicas", 0),
        updated=status.get("updatedReplicas", 0),
        serving=serving,
        serving_new=min(serving, new),
        known=known,
        overdue=conditions.get("Progressing", {}).get("reason") == "ProgressDeadlineExceeded",
    )


def newest_replicaset(seen: Seen) -> Body | None:
    """The ReplicaSet of the Deployment's current version; None until it exists."""
    if seen.deployment is None:
        return None
    meta, status = seen.deployment["metadata"], seen.deployment.get("status") or {}
    if status.get("observedGeneration", 0) < meta.get("generation", 0):
        return None
    revision = (meta.get("annotations") or {}).get(REVISION)
    found = (each for each in seen.replicasets if (each["metadata"].get("annotations") or {}).get(REVISION) == revision)
    return next(found, None)


def cause_of(seen: Seen, *, now: datetime) -> Cause | None:
    """The one thing to report: what kept us from writing, what keeps pods from being created, what ails the newest."""
    if seen.problem is not None:
        return seen.problem
    if seen.deployment is None:
        return None
    newest = newest_replicaset(seen)
    if refused := cause_of_replica_failure(seen.deployment, [newest] if newest else ()):
        return refused
    version = newest["metadata"]["labels"].get(HASH) if newest else None
    of_newest = [each for each in seen.pods if (each["metadata"].get("labels") or {}).get(HASH) == version]
    if found := _of_pods(of_newest, now):
        return found
    rollout = rollout_of(seen)
    if rollout is not None and rollout.overdue:
        return Cause(reason="ProgressDeadlineExceeded", message="the rollout has made no progress within its deadline")
    return _of_pods(seen.pods, now)


def conditions_of(seen: Seen, *, now: datetime) -> dict[str, Answer]:
    """Available, Ready and Progressing as (status, reason, message)."""
    rollout, cause = rollout_of(seen), cause_of(seen, now=now)
    answers = {
        "Available": _available(seen, rollout, cause),
        "Ready": _ready(seen, rollout, cause),
        "Progressing": _progressing(seen, rollout, cause),
    }
    return {kind: (status, reason, safe(message)) for kind, (status, reason, message) in answers.items()}


def _available(seen: Seen, rollout: Rollout | None, cause: Cause | None) -> Answer:
    if rollout is None:
        reason, message = (cause.reason, cause.message) if cause else ("NotCreated", "no pod has been created yet")
        return "False", reason, message
    if rollout.wanted == 0 and rollout.serving == 0:
        return "False", "ScaledToZero", "no pods are requested"
    if rollout.serving == 0:
        why = "; the condition Ready says why" if cause else ""
        return "False", cause.reason if cause else "NotServing", f"{_serve(0, rollout)}{why}"
    refused = seen.problem is not None and seen.problem.reason not in NOT_ITS_FAULT
    if refused or (rollout.serving_old and not rollout.serving_new):
        return "True", "PreviousVersionServes", _serve(rollout.serving, rollout, " of the previous version")
    return "True", "Serving", _serve(rollout.serving, rollout)


def _ready(seen: Seen, rollout: Rollout | None, cause: Cause | None) -> Answer:
    if seen.problem is not None or rollout is None:
        reason, message = (cause.reason, cause.message) if cause else ("NotCreated", "no pod has been created yet")
        return "False", reason, message
    if rollout.done and rollout.wanted == 0:
        return "True", "ScaledToZero", "no pods are requested"
    if rollout.done:
        return "True", "RolledOut", _serve(rollout.serving_new, rollout, " of this version")
    if cause is not None:
        return "False", cause.reason, cause.message
    return "False", "RollingOut", _how_far(rollout)


def _progressing(seen: Seen, rollout: Rollout | None, cause: Cause | None) -> Answer:
    if seen.problem is not None:
        return "False", seen.problem.reason, "nothing is being rolled out: see the condition Ready"
    if rollout is None:
        return "True", "Creating", "the objects are being created"
    if rollout.done:
        return seen.waiting or ("False", "RolledOut", "no rollout is in progress")
    if rollout.overdue:
        return "False", "ProgressDeadlineExceeded", f"stuck: {_how_far(rollout)}"
    if cause is not None:
        return "True", cause.reason, f"{_how_far(rollout)}: it continues once the cause in Ready is gone"
    return "True", "RollingOut", _how_far(rollout)


def _how_far(rollout: Rollout) -> str:
    if not rollout.known:
        return "the new version is about to be rolled out"
    old = f", {rollout.serving_old} of the previous one" if rollout.serving_old else ""
    return _serve(rollout.serving_new, rollout, " of this version") + old


def _of_pods(pods: Iterable[Body], now: datetime) -> Cause | None:
    """The cause of the youngest pod that has one: what an older pod suffered from may have been fixed."""
    staying = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    youngest = sorted(staying, key=lambda pod: pod["metadata"].get("creationTimestamp", ""), reverse=True)
    return next((cause for pod in youngest if (cause := cause_of_pod(pod, now=now)) is not None), None)


def _serve(number: int, rollout: Rollout, version: str = "") -> str:
    return f"{number} of {rollout.wanted} pods{version} are serving"
