"""What the watches have shown, a few fields of each object, and which applications are due for a reconcile.

A hint, never the truth: whoever acts on it reads the object again or names its uid in the write.
"""

import asyncio
import hashlib
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from uwsgi_autopilot.api.complete import app_of
from uwsgi_autopilot.api.schema import completed
from uwsgi_autopilot.api.uwsgiapp import TuningSpec, UwsgiApp
from uwsgi_autopilot.resources.labels import APP, WANTED

Body = Mapping[str, Any]


class Key(NamedTuple):
    """An application: what stands in its children's label, and their namespace."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AppSeen:
    """`mark` changes with everything but the status. `spec` None: nothing that this operator understands."""

    uid: str
    mark: str
    spec: UwsgiApp | None

    @property
    def tuning(self) -> TuningSpec | None:
        return self.spec.tuning if self.spec else None


@dataclass(frozen=True, slots=True, kw_only=True)
class PodSeen:
    """`owner`: uid of the ReplicaSet that made it; empty when none did. `wanted`: the text of our annotation.
    `revision`: the pod-template-hash. `running`: its containers run.

    `ready_at`, `created_at`: seconds since 1970; `ready_at` None while it is not ready.
    """

    uid: str
    name: str
    ip: str
    ready: bool
    running: bool
    leaving: bool
    revision: str
    wanted: str | None
    restarts: int
    ready_at: float | None = None
    created_at: float = 0.0
    owner: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSeen:
    """`version`: its resourceVersion, which changes with its status too."""

    uid: str
    owner: str
    mark: str
    version: str = field(default="", compare=False)


class Due:
    """Applications to reconcile: each at most once at a time, some of them not before a moment (monotonic seconds)."""

    def __init__(self) -> None:
        self._at: dict[Key, float] = {}
        self._busy: set[Key] = set()
        self._news = asyncio.Event()

    def mark(self, key: Key, after: float = 0.0) -> None:
        at = time.monotonic() + after
        self._at[key] = min(self._at.get(key, at), at)
        self._news.set()

    def __len__(self) -> int:
        """Those whose moment has come."""
        now = time.monotonic()
        return sum(at <= now for at in self._at.values())

    async def take(self) -> Key:
        """The next one that is due; call `done` with it after the work."""
        while True:
            now = time.monotonic()
            waiting = {key: at for key, at in self._at.items() if key not in self._busy}
            key = min(waiting, key=lambda each: waiting[each], default=None)
            if key is not None and waiting[key] <= now:
                del self._at[key]
                self._busy.add(key)
                return key
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), None if key is None else waiting[key] - now)
            except asyncio.TimeoutError:
                continue

    def done(self, key: Key) -> None:
        self._busy.discard(key)
        self._news.set()


@dataclass(slots=True)
class Mirror:
    """`pods`: those of an application's own ReplicaSets. `strangers`: those that carry its labels and are somebody
    else's, or not known to be its own yet. `replicasets`: uids of its own, as the last reconcile has read them; a watch
    on them would bring a whole pod template for each of the last versions."""

    due: Due = field(default_factory=Due)
    apps: dict[Key, AppSeen] = field(default_factory=dict)
    pods: dict[Key, dict[str, PodSeen]] = field(default_factory=dict)
    strangers: dict[Key, dict[str, PodSeen]] = field(default_factory=dict)
    replicasets: dict[Key, frozenset[str]] = field(default_factory=dict)
    children: dict[Key, dict[tuple[str, str], ChildSeen]] = field(default_factory=dict)

    def app(self, body: Body, *, gone: bool = False) -> None:
        key = Key(body["metadata"]["namespace"], body["metadata"]["name"])
        if gone:
            self.apps.pop(key, None)
            self.due.mark(key)
            return
        mark = fingerprint(body, "metadata.generation", "metadata.labels", "metadata.annotations", "metadata.uid",
                           "metadata.deletionTimestamp")  # fmt: skip
        before = self.apps.get(key)
        if before is None or before.mark != mark:
            self.apps[key] = AppSeen(uid=body["metadata"]["uid"], mark=mark, spec=spec_of(body))
            self.due.mark(key)

    def pod(self, body: Body, *, gone: bool = False) -> None:
        key = owner_key(body)
        if key is None:
            return
        before = self._take(key, body["metadata"]["uid"])
        now = None if gone else pod_seen(body)
        if now is not None:
            self._put(key, now)
        # A reconcile finds out whose ReplicaSet it is. What no ReplicaSet made concerns no application.
        if before != now and any(each.owner for each in (before, now) if each is not None):
            self.due.mark(key, after=0.1)

    def own(self, key: Key, replicasets: Iterable[str]) -> None:
        """uids of all ReplicaSets that the application's Deployment has now."""
        known = frozenset(replicasets)
        if known == self.replicasets.get(key, frozenset()):
            return
        self.replicasets[key] = known
        if not known:
            del self.replicasets[key]
        for uid in [*self.pods.get(key, ()), *self.strangers.get(key, ())]:
            if (pod := self._take(key, uid)) is not None:
                self._put(key, pod)

    def _put(self, key: Key, pod: PodSeen) -> None:
        among = self.pods if pod.owner in self.replicasets.get(key, ()) else self.strangers
        among.setdefault(key, {})[pod.uid] = pod

    def _take(self, key: Key, uid: str) -> PodSeen | None:
        found = None
        for among in (self.pods, self.strangers):
            found = among.get(key, {}).pop(uid, None) or found
            if not among.get(key, True):
                del among[key]
        return found

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
        # A Deployment's status says how a rollout goes: due, though there is nothing to repair.
        if before != children.get(name) or body["kind"] == "Deployment":
            self.due.mark(key, after=0.1)

    def uids(self, kind: str) -> set[str]:
        if kind == "Pod":
            return {uid for among in (self.pods, self.strangers) for pods in among.values() for uid in pods}
        if kind == "UwsgiApp":
            return {seen.uid for seen in self.apps.values()}
        return {seen.uid for each in self.children.values() for (is_a, _), seen in each.items() if is_a == kind}

    def forget(self, kind: str, gone: set[str]) -> None:
        """Drop what a complete list no longer has: the watch has missed its end."""
        for key in {*self.pods, *self.strangers} if kind == "Pod" else ():
            for uid in gone:
                if self._take(key, uid) is not None:
                    self.due.mark(key)
        for key, seen in list(self.apps.items()) if kind == "UwsgiApp" else ():
            if seen.uid in gone:
                del self.apps[key]
                self.due.mark(key)
        for key, children in self.children.items():
            for name in [name for name, child in children.items() if name[0] == kind and child.uid in gone]:
                del children[name]
                self.due.mark(key)


def owner_key(body: Body) -> Key | None:
    name = body["metadata"].get("labels", {}).get(APP)
    return Key(body["metadata"]["namespace"], name) if name else None


def owner_uid(body: Body, kind: str = "UwsgiApp") -> str:
    """The uid of the `kind` that controls the object; empty when none does."""
    owners = body["metadata"].get("ownerReferences", ())
    return next((each["uid"] for each in owners if each.get("controller") and each.get("kind") == kind), "")


def child_seen(body: Body) -> ChildSeen:
    if body["kind"] == "Deployment":
        # Whoever scales it changes nothing of what we apply.
        body = {**body, "spec": {name: value for name, value in body["spec"].items() if name != "replicas"}}
    return ChildSeen(
        uid=body["metadata"]["uid"],
        owner=owner_uid(body),
        mark=fingerprint(body, "metadata.labels", "metadata.annotations", "spec", "data", "immutable"),
        version=body["metadata"].get("resourceVersion", ""),
    )


def pod_seen(body: Body) -> PodSeen:
    meta, status = body["metadata"], body.get("status", {})
    states = status.get("containerStatuses", ())
    ready: Body = next((each for each in status.get("conditions", ()) if each["type"] == "Ready"), {})
    is_ready = ready.get("status") == "True"
    return PodSeen(
        uid=meta["uid"],
        owner=owner_uid(body, "ReplicaSet"),
        name=meta["name"],
        ip=status.get("podIP", ""),
        ready=is_ready,
        ready_at=seconds_of(ready.get("lastTransitionTime")) if is_ready else None,
        running=bool(states) and all("running" in each.get("state", {}) for each in states),
        leaving="deletionTimestamp" in meta or status.get("phase") in ("Succeeded", "Failed"),
        revision=meta.get("labels", {}).get("pod-template-hash", ""),
        wanted=meta.get("annotations", {}).get(WANTED),
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
    except Exception:  # an object can be older than the CRD; what is wrong with it is for the reconcile to say
        return None


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
