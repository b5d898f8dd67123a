"""An API server in a dict, as far as the controller uses one: writes, reads, uids, conflicts."""

import asyncio
import copy
from collections.abc import Callable
from typing import Any

from uwsgi_autopilot.controller.kube import ApiError, Conflict, NotFound

Body = dict[str, Any]


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not done():  # noqa: ASYNC110  # it may be anything
            await asyncio.sleep(0.01)


class Killed(BaseException):
    """The operator's process ended here."""


class FakeKube:
    """`log`: (verb, kind, name) of each write; reads: (verb, kind) of each read. killed_after: so many writes more are
    carried out, then the process ends."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], Body] = {}
        self.log: list[tuple[str, str, str]] = []
        self.reads: list[tuple[str, str]] = []
        self.killed_after: int | None = None
        self._number = 0

    def put(self, body: Body) -> Body:
        self._number += 1
        meta = {"uid": f"uid-{self._number}", **body["metadata"], "resourceVersion": str(self._number)}
        made = {**copy.deepcopy(body), "metadata": meta}
        self.objects[body["kind"], meta["namespace"], meta["name"]] = made
        return copy.deepcopy(made)

    def _written(self) -> None:
        """An answer that never arrives: the write itself is done."""
        if self.killed_after is not None:
            self.killed_after -= 1
            if self.killed_after <= 0:
                self.killed_after = None
                raise Killed

    def writes(self, verb: str) -> list[str]:
        return [kind for done, kind, _ in self.log if done == verb]

    async def get(self, kind: str, namespace: str, name: str) -> Body:
        self.reads.append(("get", kind))
        return self._live(kind, namespace, name)

    def _live(self, kind: str, namespace: str, name: str) -> Body:
        try:
            return copy.deepcopy(self.objects[kind, namespace, name])
        except KeyError:
            raise NotFound(404, "NotFound", f"{kind} {name} not found") from None

    async def list(self, kind: str, namespace: str | None, labels: str = "", *, only_metadata: bool = False):
        self.reads.append(("list", kind))
        for (found, where, _), body in list(self.objects.items()):
            if found == kind and namespace in (None, where):
                yield copy.deepcopy(body)

    async def create(self, body: Body) -> Body:
        self._note("create", body)
        meta = body["metadata"]
        if (body["kind"], meta["namespace"], meta["name"]) in self.objects:
            raise Conflict(409, "AlreadyExists", f"{meta['name']} already exists")
        made = self.put(body)
        self._written()
        return made

    async def apply(self, body: Body, *, subresource: str = "", dry_run: bool = False) -> Body:
        self._note("apply", body)
        meta = body["metadata"]
        live = self._live(body["kind"], meta["namespace"], meta["name"])
        if live["metadata"]["uid"] != meta.get("uid"):
            raise Conflict(409, "Conflict", "another uid")
        return self.put({**live, **body, "metadata": {**live["metadata"], **meta}, **_kept(live, body)})

    async def merge(self, kind: str, namespace: str, name: str, body: Body, *, subresource: str = "") -> Body:
        self.log.append(("merge", kind, name))
        live = self._live(kind, namespace, name)
        if kind == "Event" and not body.keys() <= {"series", "metadata"}:
            raise ApiError(422, "Invalid", "nothing but the series of an Event can be changed")
        for field in ("uid", "resourceVersion"):
            if body.get("metadata", {}).get(field, live["metadata"][field]) != live["metadata"][field]:
                raise Conflict(409, "Conflict", f"another {field}")
        for part, fields in body.items():
            known = live.get(part, {})
            live[part] = {**known, **{name: _merged(known.get(name), value) for name, value in fields.items()}}
        made = self.put(live)
        self._written()
        return made

    async def delete(self, kind: str, namespace: str, name: str, uid: str) -> None:
        self.log.append(("delete", kind, name))
        if self.objects[kind, namespace, name]["metadata"]["uid"] != uid:
            raise Conflict(409, "Conflict", "another uid")
        del self.objects[kind, namespace, name]

    def _note(self, verb: str, body: Body) -> None:
        self.log.append((verb, body["kind"], body["metadata"]["name"]))


def _merged(known: Any, value: Any) -> Any:
    return {**known, **value} if isinstance(known, dict) and isinstance(value, dict) else value


def _kept(live: Body, body: Body) -> Body:
    """Replicas that an apply does not list stay."""
    replicas = live.get("spec", {}).get("replicas")
    return {} if replicas is None else {"spec": {**body["spec"], "replicas": replicas}}
