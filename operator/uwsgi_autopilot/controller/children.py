"""Make the objects of one application what is desired: create, apply, repair, prune. Never adopt.

The first write of each is a POST, so an object of that name that is not ours stays as it is. (An apply on the
ServiceAccount `default` silently took it over: measured.) Later writes carry the uid of what we made.

Each object says in an annotation what was last applied to it. So an operator that has just started reads an object and
leaves it alone when that is what it would apply, and all of it is still there: to apply all objects of 500 applications
again took 112 s.
"""

import asyncio
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from uwsgi_autopilot.controller.cache import Cache
from uwsgi_autopilot.controller.kube import Conflict, Kube, NotFound
from uwsgi_autopilot.controller.managedfields import migrated
from uwsgi_autopilot.controller.seen import ChildSeen, child_seen, owner_uid
from uwsgi_autopilot.controller.workqueue import Key
from uwsgi_autopilot.errors import AutopilotError
from uwsgi_autopilot.resources.app import App
from uwsgi_autopilot.resources.labels import APPLIED, FIELD_MANAGER, annotated, promoted_name, tuning_name

Body = dict[str, Any]
Name = tuple[str, str]

AT_ONCE = 8
# Chosen: the deployment controller writes twice within the first tenth of a second of a Deployment.
OWN_TRIES = 5


class NameTaken(AutopilotError):
    """An object with a name that we need belongs to somebody else."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"{kind} {name} already exists and does not belong to this application: it is left alone")


@dataclass(slots=True)
class Children:
    """`applied`: for each child the hash of what we last wrote, and what the object looked like after that."""

    kube: Kube
    cache: Cache
    applied: dict[tuple[Key, Name], tuple[str, ChildSeen]] = field(default_factory=dict)
    _gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def ensure(self, app: App, desired: Sequence[Body]) -> None:
        """Everything that a pod needs before the Deployment, which comes last. Raises NameTaken, ApiError,
        Unreachable."""
        key = Key(app.namespace, app.name)
        first = [body for body in desired if body["kind"] != "Deployment"]
        await asyncio.gather(*(self._one(key, app, body) for body in first))
        for body in desired:
            if body["kind"] == "Deployment":
                await self._one(key, app, body)
        await self._scale(app)
        await self._prune(key, app, {name_of(body) for body in desired})

    def forget(self, key: Key) -> None:
        self.applied = {at: known for at, known in self.applied.items() if at[0] != key}

    async def _one(self, key: Key, app: App, body: Body) -> None:
        name = name_of(body)
        text = hash_of(body)
        live = self.cache.children.get(key, {}).get(name)
        known = self.applied.get((key, name))
        if known is not None and live is not None and known == (text, live):
            return
        body = annotated(body, {APPLIED: text})
        async with self._gate:
            after = await self._unchanged(app, body) if known is None and self._may_be(live, app, text) else None
            if after is None:
                after = await self._written(app, body, live)
        self.applied[key, name] = (text, child_seen(after))

    def _may_be(self, live: ChildSeen | None, app: App, text: str) -> bool:
        """May it be as an earlier operator has left it? Until everything was listed, what was not seen may be there."""
        if live is None:
            return not self.cache.listed
        return live.owner == app.uid and live.applied == text

    async def _unchanged(self, app: App, body: Body) -> Body | None:
        """The object, if an earlier operator has applied just this to it, and nobody has changed anything of it. One
        that it has only created, whose fields no apply owns yet, is written once more."""
        kind, name = name_of(body)
        try:
            found = await self.kube.get(kind, app.namespace, name)
        except NotFound:
            return None
        applied = migrated(found["metadata"].get("managedFields", []), FIELD_MANAGER) is None
        return {**found, "kind": kind} if applied and owner_uid(found) == app.uid and holds(found, body) else None

    async def _written(self, app: App, body: Body, live: ChildSeen | None) -> Body:
        created, after = await self._write(app, body, live)
        owned, after = await self._own(after)
        if owned or created:
            return after
        # What this apply no longer lists belonged to the POST until now, so it is still there.
        return await self._apply(app, body, after["metadata"]["uid"])

    async def _write(self, app: App, body: Body, live: ChildSeen | None) -> tuple[bool, Body]:
        """Whether it was made, and as what."""
        if live is None or live.owner != app.uid:
            try:
                return True, await self.kube.create(_first(body, app))
            except Conflict:
                found = await self._ours(app, body)
                uid = found["metadata"]["uid"]
        else:
            uid = live.uid
        return False, await self._apply(app, body, uid)

    async def _apply(self, app: App, body: Body, uid: str) -> Body:
        metadata = {**body["metadata"], "uid": uid}
        try:
            return await self.kube.apply({**body, "metadata": metadata})
        except (Conflict, NotFound):
            # It was deleted in between, or the watch missed its deletion: the next turn creates it.
            self.cache.children.get(Key(app.namespace, app.name), {}).pop(name_of(body), None)
            self.cache.specs.mark(Key(app.namespace, app.name), after=1.0)
            raise

    async def _own(self, body: Body) -> tuple[bool, Body]:
        """Whether the fields belonged to our applies already, and the object in which they do.

        Raises Conflict when others keep being faster, as a controller can be that has just seen the object appear: then
        all of it is tried again. Left for the next write it would be too late, because an apply with fewer fields only
        removes what it owns.
        """
        kind, owned = body["kind"], True
        for turn in range(OWN_TRIES):
            meta = body["metadata"]
            entries = migrated(meta.get("managedFields", []), FIELD_MANAGER)
            if entries is None:
                break
            owned = False
            change = {"uid": meta["uid"], "resourceVersion": meta["resourceVersion"], "managedFields": entries}
            try:
                body = await self.kube.merge(kind, meta["namespace"], meta["name"], {"metadata": change})
                break
            except Conflict:
                if turn == OWN_TRIES - 1:
                    raise
                body = await self.kube.get(kind, meta["namespace"], meta["name"])
        return owned, {"kind": kind, **body}

    async def _ours(self, app: App, body: Body) -> Body:
        kind, name = name_of(body)
        found = await self.kube.get(kind, app.namespace, name)
        if owner_uid(found) != app.uid:
            raise NameTaken(kind, name)
        return found

    async def _scale(self, app: App) -> None:
        """The apply never contains replicas, so that whoever scales the Deployment keeps the number they set."""
        if app.replicas is None:
            return
        live = await self.kube.get("Deployment", app.namespace, app.name)
        if live["spec"].get("replicas") != app.replicas:
            body = {"spec": {"replicas": app.replicas}}
            await self.kube.merge("Deployment", app.namespace, app.name, body, subresource="scale")

    async def _prune(self, key: Key, app: App, desired: set[Name]) -> None:
        """Delete what we made and nobody needs. A pod's configuration stays while a ReplicaSet refers to it: otherwise
        no rollback and no replacement of an old pod could start. The Deployment always stays: it is not among what is
        desired while it is to be left as it is."""
        keep = desired | {("ConfigMap", name) for name in (promoted_name(app.name), tuning_name(app.name))}
        keep |= {("Deployment", app.name)}
        old = {
            name: seen
            for name, seen in self.cache.children.get(key, {}).items()
            if name not in keep and seen.owner == app.uid
        }
        if not old:
            return
        named = await self._configs_in_use(app) if any(kind == "ConfigMap" for kind, _ in old) else set()
        for (kind, name), seen in old.items():
            if kind == "ConfigMap" and name in named:
                continue
            try:
                await self.kube.delete(kind, app.namespace, name, seen.uid)
            except (NotFound, Conflict):
                continue

    async def _configs_in_use(self, app: App) -> set[str]:
        used = set()
        async for each in self.kube.list("ReplicaSet", app.namespace, f"uwsgi-autopilot.dev/app={app.name}"):
            for volume in each["spec"]["template"]["spec"].get("volumes", ()):
                used.add(volume.get("configMap", {}).get("name", ""))
        return used


def name_of(body: Body) -> Name:
    return body["kind"], body["metadata"]["name"]


def holds(live: Any, asked: Any) -> bool:
    """Is all that is asked for there, as it was written? The API server keeps no empty list or map. Where it writes a
    value in other words, such as 0.5 for 500m, the answer is no, and it is applied once more."""
    if isinstance(asked, dict):
        return isinstance(live, dict) and all(
            holds(live[name], value) if name in live else value in (None, [], {}) for name, value in asked.items()
        )
    if isinstance(asked, list):
        return isinstance(live, list) and len(live) == len(asked) and all(map(holds, live, asked))
    return type(live) is type(asked) and bool(live == asked)


def hash_of(body: Body) -> str:
    return hashlib.blake2b(json.dumps(body, sort_keys=True).encode(), digest_size=12).hexdigest()


def _first(body: Body, app: App) -> Body:
    """The only write that sets the initial number of pods."""
    if body["kind"] != "Deployment":
        return body
    return {**body, "spec": {**body["spec"], "replicas": 1 if app.replicas is None else app.replicas}}
