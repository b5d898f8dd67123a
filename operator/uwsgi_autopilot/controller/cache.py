"""What the watches have shown, a few fields of each object, and which applications have work waiting.

A hint, never the truth: whoever acts on it reads the object again or names its uid in the write.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from uwsgi_autopilot.api.complete import app_of
from uwsgi_autopilot.api.desired import DesiredShape, InvalidDesiredShape, parse_desired
from uwsgi_autopilot.api.schema import completed
from uwsgi_autopilot.api.uwsgiapp import KIND, UwsgiApp
from uwsgi_autopilot.controller.workqueue import Key, Workqueue
from uwsgi_autopilot.fleet.pod import PodInfo
from uwsgi_autopilot.resources.labels import APP, DESIRED, PROMOTED_KEY, promoted_name

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class AppSeen:
    """`mark` changes with everything but the status. `spec` None: nothing that this operator understands."""

    uid: str
    mark: str
    spec: UwsgiApp | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSeen:
    uid: str
    owner: str
    mark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PodSeen:
    """`owner`: the uid of its ReplicaSet."""

    owner: str
    info: PodInfo


@dataclass(slots=True)
class Cache:
    """specs: applications whose objects are to be brought to what the manifest asks for. statuses: those whose status
    is to be looked at; changed: of these, the ones whose objects have changed, so that they are read again first.

    pods: by uid, those whose ReplicaSet is named like one of the application's (`made_for`); strange: uids of such
    ReplicaSets that its Deployment does not control. promoted: what NAME-promoted holds, with the uid of its owner.
    listed: everything that exists was seen once. on_news: called with each application of which something was seen.
    """

    specs: Workqueue = field(default_factory=Workqueue)
    statuses: Workqueue = field(default_factory=Workqueue)
    changed: set[Key] = field(default_factory=set)
    apps: dict[Key, AppSeen] = field(default_factory=dict)
    pods: dict[Key, dict[str, PodSeen]] = field(default_factory=dict)
    strange: dict[Key, frozenset[str]] = field(default_factory=dict)
    children: dict[Key, dict[tuple[str, str], ChildSeen]] = field(default_factory=dict)
    promoted: dict[Key, tuple[str, DesiredShape]] = field(default_factory=dict)
    listed: bool = False
    on_news: Callable[[Key], None] = lambda key: None

    def look_again(self, key: Key, after: float = 0.0) -> None:
        """The status of this application may be another one, by what its objects say."""
        self.changed.add(key)
        self.statuses.mark(key, after)

    def app(self, body: Body, *, gone: bool = False) -> None:
        key = Key(body["metadata"]["namespace"], body["metadata"]["name"])
        if gone:
            self.apps.pop(key, None)
            self._work(key)
            return
        mark = fingerprint(body, "metadata.generation", "metadata.labels", "metadata.annotations", "metadata.uid",
                           "metadata.deletionTimestamp")  # fmt: skip
        before = self.apps.get(key)
        if before is None or before.mark != mark:
            self.apps[key] = AppSeen(uid=body["metadata"]["uid"], mark=mark, spec=spec_of(body))
            self._work(key)

    def pod(self, body: Body, *, gone: bool = False) -> None:
        key = owner_key(body)
        if key is None or not made_for(body, key.name):
            return
        pods = self.pods.setdefault(key, {})
        uid = body["metadata"]["uid"]
        before = pods.pop(uid, None)
        if not gone:
            pods[uid] = PodSeen(owner=owner_uid(body, "ReplicaSet"), info=pod_info(body))
        elif not pods:
            self._no_pods(key)
        if before != pods.get(uid):
            self.look_again(key, after=0.1)
            self.on_news(key)

    def pods_of(self, key: Key) -> dict[str, PodInfo]:
        """The application's pods, by uid."""
        strange = self.strange.get(key, frozenset())
        return {uid: seen.info for uid, seen in self.pods.get(key, {}).items() if seen.owner not in strange}

    def owners_of(self, key: Key) -> frozenset[str]:
        """The ReplicaSets of these pods, strange ones too."""
        return frozenset(seen.owner for seen in self.pods.get(key, {}).values())

    def controlled(self, key: Key, asked: frozenset[str], found: Set[str]) -> None:
        """Of the ReplicaSets `asked` the application's Deployment controls those in `found`, which were read later."""
        strange = asked - found
        if strange != self.strange.get(key, frozenset()):
            self.strange[key] = strange
            self.on_news(key)

    def _no_pods(self, key: Key) -> None:
        del self.pods[key]
        self.strange.pop(key, None)

    def child(self, body: Body, *, gone: bool = False) -> None:
        key = owner_key(body)
        if key is None:
            return
        children = self.children.setdefault(key, {})
        name = (body["kind"], body["metadata"]["name"])
        before = children.pop(name, None)
        if not gone:
            children[name] = child_seen(body)
        elif not children:
            del self.children[key]
        if name == ("ConfigMap", promoted_name(key.name)):
            self._promoted(key, body, gone)
        if before != children.get(name):
            self.specs.mark(key, after=0.1)
        if body["kind"] == "Deployment":
            # Its status says how a rollout goes.
            self.look_again(key, after=0.1)

    def _promoted(self, key: Key, body: Body, gone: bool) -> None:
        self.promoted.pop(key, None)
        desired = None if gone else desired_in(body.get("data") or {}, PROMOTED_KEY)
        if desired is not None:
            self.promoted[key] = (owner_uid(body), desired)
        self.on_news(key)

    def _work(self, key: Key, after: float = 0.0) -> None:
        self.specs.mark(key, after)
        self.on_news(key)

    def uids(self, kind: str) -> set[str]:
        if kind == "Pod":
            return {uid for pods in self.pods.values() for uid in pods}
        if kind == "UwsgiApp":
            return {seen.uid for seen in self.apps.values()}
        return {seen.uid for each in self.children.values() for (is_a, _), seen in each.items() if is_a == kind}

    def forget(self, kind: str, gone: set[str]) -> None:
        """Drop what a complete list no longer has: the watch has missed its end."""
        for key, pods in list(self.pods.items()) if kind == "Pod" else ():
            for uid in gone & set(pods):
                del pods[uid]
                self.look_again(key)
                self.on_news(key)
            if not pods:
                self._no_pods(key)
        for key, seen in list(self.apps.items()) if kind == "UwsgiApp" else ():
            if seen.uid in gone:
                del self.apps[key]
                self._work(key)
        for key, children in self.children.items():
            for name in [name for name, child in children.items() if name[0] == kind and child.uid in gone]:
                del children[name]
                if name == ("ConfigMap", promoted_name(key.name)):
                    self.promoted.pop(key, None)
                self._work(key)


def owner_key(body: Body) -> Key | None:
    name = body["metadata"].get("labels", {}).get(APP)
    return Key(body["metadata"]["namespace"], name) if name else None


def owner_uid(body: Body, kind: str = KIND) -> str:
    """The uid of the UwsgiApp, or another kind, that controls the object; empty when none does."""
    owners = body["metadata"].get("ownerReferences", ())
    return next((each["uid"] for each in owners if each.get("controller") and each.get("kind") == kind), "")


def made_for(body: Body, app: str) -> bool:
    """By the name of its ReplicaSet, NAME-HASH, the pod is the application's. Anybody may write our labels.

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
        # Whoever scales it changes nothing of what we apply.
        body = {**body, "spec": {name: value for name, value in body["spec"].items() if name != "replicas"}}
    return ChildSeen(
        uid=body["metadata"]["uid"],
        owner=owner_uid(body),
        mark=fingerprint(body, "metadata.labels", "metadata.annotations", "spec", "data", "immutable"),
    )


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
    """`2025-01-31T12:00:00Z` in seconds since 1970; 0 for what is no time."""
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
