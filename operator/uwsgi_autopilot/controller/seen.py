"""What is kept of an object that a watch has shown: a few fields, whose it is, a mark that moves with what counts."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from uwsgi_autopilot.api.complete import app_of
from uwsgi_autopilot.api.desired import DesiredShape, InvalidDesiredShape, parse_desired
from uwsgi_autopilot.api.schema import completed
from uwsgi_autopilot.api.uwsgiapp import KIND, UwsgiApp
from uwsgi_autopilot.controller.workqueue import Key
from uwsgi_autopilot.fleet.pod import PodInfo
from uwsgi_autopilot.resources.conditions import REVISION
from uwsgi_autopilot.resources.labels import APP, APPLIED, DESIRED
from uwsgi_autopilot.resources.rollouts import Made, made_from

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class AppSeen:
    """`mark` changes with everything but the status. `spec` None: nothing that this operator understands."""

    uid: str
    mark: str
    spec: UwsgiApp | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSeen:
    """applied: what the object itself says was last applied to it (children.py)."""

    uid: str
    owner: str
    mark: str
    applied: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutSeen:
    """Of a Deployment. done: every pod is of its newest version and serves."""

    made: Made
    done: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PodSeen:
    """`owner`: the uid of its ReplicaSet."""

    owner: str
    info: PodInfo


def owner_key(body: Body) -> Key | None:
    name = body["metadata"].get("labels", {}).get(APP)
    return Key(body["metadata"]["namespace"], name) if name else None


def owner_uid(body: Body, kind: str = KIND) -> str:
    """The uid of the UwsgiApp, or another kind, that controls the object; empty when none does."""
    owners = body["metadata"].get("ownerReferences", ())
    return next((each["uid"] for each in owners if each.get("controller") and each.get("kind") == kind), "")


def made_for(body: Body, app: str) -> bool:
    """By the name of its ReplicaSet, NAME-HASH, the pod is the application's. Anybody may set our labels.

    ReplicaSets are not watched, so at first the name has to do. It is wrong about pods of a ReplicaSet of that name
    which somebody else made, or which a deleted application of the same name has left. The status reads an
    application's ReplicaSets a moment after each news of its pods; from then on their uids count (`Cache.controlled`).
    """
    version = body["metadata"].get("labels", {}).get("pod-template-hash")
    owners = body["metadata"].get("ownerReferences", ())
    return any(
        each.get("controller") and each.get("kind") == "ReplicaSet" and each.get("name") == f"{app}-{version}"
        for each in owners
    )


def desired_in(texts: Mapping[str, str], name: str) -> DesiredShape | None:
    """None: there is none, or none that can be read."""
    try:
        return parse_desired(texts.get(name) or "")
    except InvalidDesiredShape:
        return None


def child_seen(body: Body) -> ChildSeen:
    if body["kind"] == "Deployment":
        # Scaling it changes nothing that we apply, nor does its controller's own annotation, which it gets at once.
        meta, spec = body["metadata"], body["spec"]
        known = {name: value for name, value in (meta.get("annotations") or {}).items() if name != REVISION}
        body = {
            **body,
            "metadata": {**meta, "annotations": known},
            "spec": {name: value for name, value in spec.items() if name != "replicas"},
        }
    return ChildSeen(
        uid=body["metadata"]["uid"],
        owner=owner_uid(body),
        mark=fingerprint(body, "metadata.labels", "metadata.annotations", "spec", "data", "immutable"),
        applied=(body["metadata"].get("annotations") or {}).get(APPLIED, ""),
    )


def rollout_seen(body: Body) -> RolloutSeen:
    status, wanted = body.get("status") or {}, body["spec"].get("replicas", 1)
    known = status.get("observedGeneration", 0) >= body["metadata"].get("generation", 0)
    pods = {status.get(name, 0) for name in ("replicas", "updatedReplicas", "availableReplicas")}
    return RolloutSeen(made=made_from(body), done=known and pods == {wanted})


def pod_info(body: Body) -> PodInfo:
    meta, status = body["metadata"], body.get("status", {})
    states = status.get("containerStatuses", ())
    ready: Body = next((each for each in status.get("conditions", ()) if each["type"] == "Ready"), {})
    is_ready = ready.get("status") == "True"
    return PodInfo(
        uid=meta["uid"],
        name=meta["name"],
        ip=status.get("podIP", ""),
        ready=is_ready,
        ready_at=seconds_of(ready.get("lastTransitionTime")) if is_ready else None,
        running=bool(states) and all("running" in each.get("state", {}) for each in states),
        leaving="deletionTimestamp" in meta or status.get("phase") in ("Succeeded", "Failed"),
        revision=meta.get("labels", {}).get("pod-template-hash", ""),
        desired=desired_in(meta.get("annotations") or {}, DESIRED),
        restarts=sum(each.get("restartCount", 0) for each in states),
        created_at=seconds_of(meta.get("creationTimestamp")),
    )


def seconds_of(text: str | None) -> float:
    """`2025-01-31T12:00:00Z` in seconds since 1970; 0 for anything that is not a time."""
    try:
        return datetime.fromisoformat(text or "").timestamp()
    except ValueError:
        return 0.0


def spec_of(body: Body) -> UwsgiApp | None:
    try:
        return app_of(completed(dict(body)), ignored=())
    except Exception:
        return None  # the reconcile finds the same, and says so in the status


def fingerprint(body: Body, *paths: str) -> str:
    """A short hash of the named parts."""
    parts = []
    for path in paths:
        found: Any = body
        for step in path.split("."):
            found = found.get(step) if isinstance(found, Mapping) else None
        parts.append(found)
    text = json.dumps(parts, sort_keys=True, default=dict)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
