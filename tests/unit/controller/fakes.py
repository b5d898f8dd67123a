"""An API server in a dict, as far as the controller uses one: writes, reads, uids, conflicts."""

import copy
from typing import Any

from uwsgi_autopilot.controller.kube import ApiError, Conflict, NotFound

Body = dict[str, Any]


class FakeKube:
    """`log`: (verb, kind, name) of each write."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], Body] = {}
        self.log: list[tuple[str, str, str]] = []
        self._number = 0

    def put(self, body: Body) -> Body:
        self._number += 1
        meta = {"uid": f"uid-{self._number}", **body["metadata"], "resourceVersion": str(self._number)}
        made = {**copy.deepcopy(body), "metadata": meta}
        self.objects[body["kind"], meta["namespace"], meta["name"]] = made
        return copy.deepcopy(made)

    def writes(self, verb: str) -> list[str]:
        return [kind for done, kind, _ in self.log if done == verb]

    async def get(self, kind: str, namespace: str, name: str) -> Body:
        try:
            return copy.deepcopy(self.objects[kind, namespace, name])
        except KeyError:
            raise NotFound(404, "NotFound", f"{kind} {name} not found") from None

    async def list(self, kind: str, namespace: str | None, labels: str = ""):
        for (found, where, _), body in list(self.objects.items()):
            if found == kind and namespace in (None, where):
                yield copy.deepcopy(body)

    async def create(self, body: Body) -> Body:
        self._note("create", body)
        meta = body["metadata"]
        if (body["kind"], meta["namespace"], meta["name"]) in self.objects:
            raise Conflict(409, "AlreadyExists", f"{meta['name']} already exists")
        return self.put(body)

    async def apply(self, body: Body, *, subresource: str = "") -> Body:
        self._note("apply", body)
        meta = body["metadata"]
        live = await self.get(body["kind"], meta["namespace"], meta["name"])
        if live["metadata"]["uid"] != meta.get("uid"):
            raise Conflict(409, "Conflict", "another uid")
        _same_version(live, meta)
        notes = {"annotations": {**live["metadata"].get("annotations", {}), **meta.get("annotations", {})}}
        return self.put({**live, **body, "metadata": {**live["metadata"], **meta, **notes}, **_kept(live, body)})

    async def merge(self, kind: str, namespace: str, name: str, body: Body, *, subresource: str = "") -> Body:
        self.log.append(("merge", kind, name))
        live = await self.get(kind, namespace, name)
        if kind == "Event" and not body.keys() <= {"series", "metadata"}:
            raise ApiError(422, "Invalid", "nothing but the series of an Event can be changed")
        if body.get("metadata", {}).get("uid", live["metadata"]["uid"]) != live["metadata"]["uid"]:
            raise Conflict(409, "Conflict", "another uid")
        _same_version(live, body.get("metadata", {}))
        for part, fields in body.items():
            live[part] = {**live.get(part, {}), **fields}
        return self.put(live)

    async def delete(self, kind: str, namespace: str, name: str, uid: str) -> None:
        self.log.append(("delete", kind, name))
        if self.objects[kind, namespace, name]["metadata"]["uid"] != uid:
            raise Conflict(409, "Conflict", "another uid")
        del self.objects[kind, namespace, name]

    def _note(self, verb: str, body: Body) -> None:
        self.log.append((verb, body["kind"], body["metadata"]["name"]))


def _same_version(live: Body, meta: Body) -> None:
    if meta.get("resourceVersion", live["metadata"]["resourceVersion"]) != live["metadata"]["resourceVersion"]:
        raise Conflict(409, "Conflict", "the object has been modified")


def _kept(live: Body, body: Body) -> Body:
    """Replicas that an apply does not list stay."""
    replicas = live.get("spec", {}).get("replicas")
    return {} if replicas is None else {"spec": {**body["spec"], "replicas": replicas}}
