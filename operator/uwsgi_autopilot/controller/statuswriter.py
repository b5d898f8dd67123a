"""Write an application's status: read what exists, let resources/ interpret it, write what is worth writing.

Of two kinds: after something happened to the objects they are read again; for figures and words of the tuner nothing
is read, and what was last found of the objects stands.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any

from uwsgi_autopilot.api.uwsgiapp import API_VERSION, KIND
from uwsgi_autopilot.controller.cache import Cache
from uwsgi_autopilot.controller.children import NameTaken
from uwsgi_autopilot.controller.kube import ApiError, Conflict, Kube, NotFound, Unreachable
from uwsgi_autopilot.controller.seen import owner_uid
from uwsgi_autopilot.controller.workqueue import Key
from uwsgi_autopilot.errors import SpecError, TemplateError
from uwsgi_autopilot.resources.app import App
from uwsgi_autopilot.resources.causes import Cause
from uwsgi_autopilot.resources.conditions import Answer, Seen, rollout_of
from uwsgi_autopilot.resources.labels import selector_text
from uwsgi_autopilot.resources.status import of_objects, status_of_failure, with_tuning, worth_writing
from uwsgi_autopilot.resources.tuned import TuningStatus
from uwsgi_autopilot.resources.unwritten import cause_of_failure, cause_of_fault, cause_of_server, cause_of_spec

Body = dict[str, Any]

HEAD = {"apiVersion": API_VERSION, "kind": KIND}

MOST_PER_SECOND = 20
# Figures alone, with the words of the moment.
FIGURES_SECONDS = 4.5
# Some causes show only with time, such as a pod that never becomes ready.
LOOK_AGAIN_SECONDS = 20.0
LOOK_AGAIN_CALM_SECONDS = 300.0
# These last until somebody changes something.
REFUSALS = (400, 403, 422)
PODS_READ = 50  # of a large application; the rest have the same causes


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """What the objects were last brought to. problem: what kept them from that; None: nothing did. app None: the
    manifest cannot be read."""

    uid: str
    generation: int
    app: App | None
    problem: Exception | None = None


@dataclass(slots=True, kw_only=True)
class Known:
    """objects: the part of the status that was read; written: the status as it lies there. again: when the objects are
    to be read again although nothing was seen to happen. at: when it was last written. Monotonic seconds."""

    uid: str
    objects: Body
    written: Body
    again: float
    at: float = float("-inf")


@dataclass(slots=True)
class StatusWriter:
    """tuning: what the fleet says of an application. waiting: why it has not taken over the chart's newest pod
    template, as the condition Progressing; None: it has."""

    kube: Kube
    cache: Cache
    tuning: Callable[[Key], TuningStatus]
    waiting: Callable[[Key], Answer | None] = lambda key: None
    known: dict[Key, Known] = field(default_factory=dict)
    _next_slot: float = 0.0

    async def refresh(self, key: Key, done: Reconciled, *, read: bool) -> float:
        """Returns in how many seconds to look again. read: something happened to the objects. Raises ApiError,
        Unreachable."""
        known, now = self.known.get(key), time.monotonic()
        if read or known is None or known.uid != done.uid or known.again <= now:
            known = await self._read(key, done)
            if known is None:
                self.forget(key)
                return LOOK_AGAIN_CALM_SECONDS
            self.known[key] = known
        status = with_tuning(known.objects, known.written, done.app, self.tuning(key), now=datetime.now(timezone.utc))
        worth = worth_writing(known.written, status)
        if worth == "now" or (worth == "later" and time.monotonic() - known.at >= FIGURES_SECONDS):
            await self._write(key, done.uid, status)
            known.written, known.at = status, time.monotonic()
        return max(0.0, known.again - time.monotonic())

    async def tell_failure(self, key: Key, uid: str, error: Exception) -> None:
        """The look at the objects itself failed. Raises ApiError, Unreachable."""
        body = await self.kube.get("UwsgiApp", key.namespace, key.name)
        if body["metadata"]["uid"] != uid:
            return
        cause = cause_of_problem(None, error) or cause_of_fault(error)
        status = status_of_failure(body, cause, now=datetime.now(timezone.utc))
        if worth_writing(body.get("status") or {}, status):
            await self._write(key, uid, status)

    def forget(self, key: Key) -> None:
        self.known.pop(key, None)

    def serves(self, key: Key) -> bool:
        """Whether it was Ready when its objects were last looked at."""
        return self._ready(key).get("status") == "True"

    def trouble(self, key: Key) -> str:
        """What kept it from being Ready then, other than time; empty: nothing did."""
        ready = self._ready(key)
        return str(ready["message"]) if ready.get("status") == "False" and ready["reason"] != "RollingOut" else ""

    def _ready(self, key: Key) -> Body:
        known = self.known.get(key)
        conditions: list[Body] = known.objects["conditions"] if known is not None else []
        return next((each for each in conditions if each["type"] == "Ready"), {})

    async def _read(self, key: Key, done: Reconciled) -> Known | None:
        """None: the application is not there any more."""
        try:
            body = await self.kube.get("UwsgiApp", key.namespace, key.name)
        except NotFound:
            return None
        if body["metadata"]["uid"] != done.uid:
            return None
        seen = await self._seen(key, done)
        objects = of_objects(body, seen, now=datetime.now(timezone.utc), generation=done.generation)
        ready = any(each["type"] == "Ready" and each["status"] == "True" for each in objects["conditions"])
        again = LOOK_AGAIN_CALM_SECONDS if ready else LOOK_AGAIN_SECONDS
        before = self.known.get(key)
        at = before.at if before is not None else float("-inf")
        written = body.get("status") or {}
        return Known(uid=done.uid, objects=objects, written=written, again=time.monotonic() + again, at=at)

    async def _seen(self, key: Key, done: Reconciled) -> Seen:
        cause = cause_of_problem(done.app, done.problem)
        try:
            deployment: Body | None = await self.kube.get("Deployment", key.namespace, key.name)
        except NotFound:
            deployment = None
        if deployment is not None and owner_uid(deployment) != done.uid:
            self.cache.controlled(key, self.cache.owners_of(key), frozenset())
            deployment = None
        if deployment is None:
            return Seen(deployment=None, problem=cause)
        waiting = self.waiting(key)
        labels, uid = selector_text(key.name), deployment["metadata"]["uid"]
        # Each is older than its first pod, so whatever the list lacks is not one of ours.
        asked = self.cache.owners_of(key)
        # Anybody may put our labels on anything.
        listed = self.kube.list("ReplicaSet", key.namespace, labels)
        replicasets = [each async for each in listed if owner_uid(each, "Deployment") == uid]
        own = {each["metadata"]["uid"] for each in replicasets}
        self.cache.controlled(key, asked, own)
        seen = Seen(deployment=deployment, replicasets=replicasets, problem=cause, waiting=waiting)
        rollout = rollout_of(seen)
        if rollout is not None and rollout.done:
            return seen  # nothing is asked of its pods
        pods: list[Body] = []
        async for each in self.kube.list("Pod", key.namespace, labels):
            if owner_uid(each, "ReplicaSet") in own and len(pods) < PODS_READ:
                pods.append(each)
        return replace(seen, pods=pods)

    async def _write(self, key: Key, uid: str, status: Body) -> None:
        slot = max(self._next_slot, time.monotonic())
        self._next_slot = slot + 1.0 / MOST_PER_SECOND
        await asyncio.sleep(max(0.0, slot - time.monotonic()))
        meta = {"name": key.name, "namespace": key.namespace, "uid": uid}
        try:
            await self.kube.apply({**HEAD, "metadata": meta, "status": status}, subresource="status")
        except (NotFound, Conflict):
            return  # it is gone, or another one has its name: there is nobody to tell


def cause_of_problem(app: App | None, problem: Exception | None) -> Cause | None:
    if problem is None:
        return None
    if isinstance(problem, SpecError):
        return cause_of_spec(problem)
    if isinstance(problem, TemplateError):
        return Cause(reason="TemplateUnusable", message=str(problem))
    if isinstance(problem, NameTaken):
        return Cause(reason="NameTaken", message=str(problem))
    if isinstance(problem, ApiError) and problem.status in REFUSALS:
        return cause_of_server(app, problem.written, str(problem))
    if isinstance(problem, ApiError | Unreachable):
        return cause_of_failure(str(problem))
    return cause_of_fault(problem)


def lasting(problem: Exception) -> bool:
    """Does it last until somebody changes something? Anything else is retried with growing delays."""
    if isinstance(problem, ApiError):
        return problem.status in REFUSALS
    return isinstance(problem, SpecError | TemplateError | NameTaken)
