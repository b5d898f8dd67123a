"""The API server, as plain dicts: the only file that imports the Kubernetes client.

Every call is one request with a timeout; 429 is handled here, every other error is the caller's. A write that
is meant for one object carries its `metadata.uid`, so that another object of the same name causes a Conflict. Nothing
is written by an operator that does not lead: that is asked here, just before each write is sent.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any
from urllib.request import getproxies

import aiohttp
from kubernetes.aio import client, config

from uwsgi_autopilot.api.uwsgiapp import API_VERSION
from uwsgi_autopilot.controller.deepjson import Shallow
from uwsgi_autopilot.errors import AutopilotError
from uwsgi_autopilot.resources.labels import FIELD_MANAGER
from uwsgi_autopilot.resources.objects import CHILDREN

REQUEST_SECONDS = 30.0
CHUNK = 100
JSON = "application/json"
ONLY_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
MOST_AT_ONCE = 100
# 429 says when to retry; more of them in a row than this is an outage.
MOST_PAUSES = 5
LONGEST_PAUSE = 30.0
LONGEST_MESSAGE = 1024
# What a server-side apply answers to a field of the wrong type or name, whatever fieldValidation is. The API server
# calls that an error of its own: status 500 and no reason (seen in 1.34).
NOT_TYPED = "failed to create typed patch object"

Body = dict[str, Any]

# kind: its apiVersion. Those of an application's objects are listed where these are made.
KINDS: Mapping[str, str] = {
    **CHILDREN,
    "UwsgiApp": API_VERSION,
    "Pod": "v1",
    "PodTemplate": "v1",
    "ReplicaSet": "apps/v1",
    "ControllerRevision": "apps/v1",
    "HorizontalPodAutoscaler": "autoscaling/v2",
    "Event": "events.k8s.io/v1",
    "CustomResourceDefinition": "apiextensions.k8s.io/v1",
    "Lease": "coordination.k8s.io/v1",
}


class ApiError(AutopilotError):
    """The API server said no. `reason` is its word, such as AlreadyExists; the message its sentence.

    `written`: the kind of the object that it refused to write; empty where nothing was to be written.
    """

    def __init__(self, status: int, reason: str, message: str, *, written: str = "") -> None:
        self.status = status
        self.reason = reason
        self.written = written
        super().__init__(message[:LONGEST_MESSAGE])


class NotFound(ApiError):
    pass


class Conflict(ApiError):
    """409: the object already exists, another one has its name, or another manager owns the fields."""


class Unreachable(AutopilotError):
    """No answer, or one that is not the API server's: it cannot be reached."""


class NotLeader(Unreachable):
    """Another operator may be deciding by now, so a write was not sent. To whoever writes it is an outage: the process
    is about to end."""


def anyone() -> float:
    """Leave to write, for whom no other process can be in the way."""
    return REQUEST_SECONDS


class Kube:
    """One connection pool. `writes` counts what was sent, by verb and kind.

    The Kubernetes client brings address and credentials alone: its own way of sending a request copies the body, and
    asks a thread for ~/.netrc each time.
    """

    def __init__(self, api: Any, leave: Callable[[], float] = anyone) -> None:
        """leave: seconds that a write may take; raises NotLeader."""
        self._api = api
        self._leave = leave
        self._session: aiohttp.ClientSession | None = None
        self.writes: dict[tuple[str, str], int] = {}

    @classmethod
    async def connect(cls, leave: Callable[[], float] = anyone) -> "Kube":
        """In a pod with its service account, elsewhere as kubectl would. Raises Unreachable without either."""
        settings = client.Configuration()
        try:
            if os.environ.get("KUBERNETES_SERVICE_HOST"):
                config.load_incluster_config(client_configuration=settings)
            else:
                await config.load_kube_config(client_configuration=settings)
        except (config.ConfigException, OSError) as error:
            raise Unreachable(f"neither a service account nor a kubeconfig was found: {error}") from None
        return cls(client.ApiClient(settings), leave)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
        await self._api.close()

    async def get(self, kind: str, namespace: str | None, name: str) -> Body:
        """`namespace` None: of a kind that lies in none."""
        return await self._send("GET", path_of(kind, namespace, name))

    async def list(
        self, kind: str, namespace: str | None, labels: str = "", *, only_metadata: bool = False
    ) -> AsyncIterator[Body]:
        """Objects in chunks of 100; `namespace` None: of the whole cluster. `kind` is filled in."""
        onward, accept = "", ONLY_METADATA if only_metadata else JSON
        while True:
            query = {"limit": str(CHUNK), "labelSelector": labels, "continue": onward}
            asked = {name: value for name, value in query.items() if value}
            page = await self._send("GET", path_of(kind, namespace), query=asked, accept=accept)
            for item in page.get("items") or ():  # null where there are none, of their metadata alone
                yield {**item, "kind": kind}
            onward = page.get("metadata", {}).get("continue", "")
            if not onward:
                return

    async def create(self, body: Body) -> Body:
        """POST. Conflict when the name is taken. A field that the API server does not know is refused, not dropped."""
        meta = body["metadata"]
        self._count("create", body["kind"])
        query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
        return await self._send("POST", path_of(body["kind"], meta["namespace"]), body=body, query=query)

    async def apply(self, body: Body, *, subresource: str = "") -> Body:
        """Server-side apply. With `metadata.uid` in the body it is a Conflict when that object is gone. It is strict by
        itself: see NOT_TYPED."""
        meta = body["metadata"]
        query = {"fieldManager": FIELD_MANAGER, "force": "true"}
        self._count("apply", body["kind"] + ("/" + subresource if subresource else ""))
        path = path_of(body["kind"], meta.get("namespace"), meta["name"], subresource)
        return await self._send("PATCH", path, body=body, query=query, content="application/apply-patch+yaml")

    async def merge(self, kind: str, namespace: str, name: str, body: Body, *, subresource: str = "") -> Body:
        """JSON merge patch."""
        self._count("patch", kind + ("/" + subresource if subresource else ""))
        path = path_of(kind, namespace, name, subresource)
        query = {"fieldManager": FIELD_MANAGER}
        return await self._send("PATCH", path, body=body, query=query, content="application/merge-patch+json")

    async def delete(self, kind: str, namespace: str, name: str, uid: str) -> None:
        """Delete just the object with that uid; its own children follow in the background."""
        self._count("delete", kind)
        body = {"propagationPolicy": "Background", "preconditions": {"uid": uid}}
        try:
            await self._send("DELETE", path_of(kind, namespace, name), body=body)
        except NotFound:
            return

    def _count(self, verb: str, kind: str) -> None:
        self.writes[verb, kind] = self.writes.get((verb, kind), 0) + 1

    async def _send(
        self,
        method: str,
        path: str,
        *,
        body: Body | None = None,
        query: Mapping[str, str] | None = None,
        content: str = JSON,
        accept: str = JSON,
    ) -> Body:
        for _ in range(MOST_PAUSES):
            seconds = REQUEST_SECONDS if method == "GET" else min(REQUEST_SECONDS, self._leave())
            status, headers, data = await self._request(method, path, body, query or {}, (content, accept), seconds)
            if status != 429:
                break
            await asyncio.sleep(_pause(headers.get("Retry-After")))
        if 200 <= status < 300:
            return data
        written = str((body or {}).get("kind", "")) if method in ("POST", "PATCH") else ""
        raise _error(status, data, f"{method} {path}", written)

    async def _request(
        self, method: str, path: str, body: Body | None, query: Mapping[str, str], kinds: tuple[str, str],
        seconds: float,
    ) -> tuple[int, Mapping[str, str], Body]:  # fmt: skip
        """kinds: of what is sent, and of what is to be answered."""
        headers = {"Content-Type": kinds[0], "Accept": kinds[1], **await self._credentials()}
        settings, sent = self._api.configuration, None if body is None else json.dumps(body)
        try:
            async with self._connections().request(
                method, settings.host + path, params=query, data=sent, headers=headers, allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=seconds), proxy=settings.proxy,
                server_hostname=settings.tls_server_name,
            ) as answer:  # fmt: skip
                text = await answer.read()
        except (aiohttp.ClientError, OSError, asyncio.TimeoutError) as error:
            raise Unreachable(f"{method} {path}: {type(error).__name__} {error}".rstrip()) from None
        try:
            data = json.loads(text, cls=Shallow)
        except ValueError:
            data = None
        if not isinstance(data, dict):
            if 200 <= answer.status < 300:
                raise Unreachable(f"{method} {path}: expected a JSON object, and something else answers")
            data = {"message": text[:LONGEST_MESSAGE].decode(errors="replace")}
        return answer.status, answer.headers, data

    async def _credentials(self) -> dict[str, str]:
        """A service account's token is read again every minute by the client."""
        found = await self._api.configuration.auth_settings()
        return {each["key"]: each["value"] for each in found.values() if each["in"] == "header" and each["value"]}

    def _connections(self) -> aiohttp.ClientSession:
        """As kubectl's, through a proxy where the environment names one. Asking for that costs a thread each time."""
        if self._session is None:
            connector = aiohttp.TCPConnector(ssl=self._api.rest_client.ssl_context, limit=MOST_AT_ONCE)
            self._session = aiohttp.ClientSession(connector=connector, trust_env=bool(getproxies()))
        return self._session


def resource_of(kind: str) -> tuple[str, str, str]:
    """(group, version, plural); the group of the API server's own first kinds is empty."""
    group, _, version = KINDS[kind].rpartition("/")
    return group, version, f"{kind.lower()}s"


def path_of(kind: str, namespace: str | None, name: str = "", subresource: str = "") -> str:
    group, version, plural = resource_of(kind)
    parts = [f"/apis/{group}/{version}" if group else f"/api/{version}"]
    if namespace is not None:
        parts.append(f"namespaces/{namespace}")
    parts += [each for each in (plural, name, subresource) if each]
    return "/".join(parts)


def _pause(retry_after: str | None) -> float:
    try:
        return min(max(float(retry_after or 1.0), 0.1), LONGEST_PAUSE)
    except ValueError:
        return 1.0


def _error(status: int, data: Body, what: str, written: str) -> ApiError:
    reason, message = str(data.get("reason", "")), str(data.get("message", "")) or f"{what}: status {status}"
    if status == 500 and message.startswith(NOT_TYPED):
        status, reason = 400, "BadRequest"
    kind = {404: NotFound, 409: Conflict}.get(status, ApiError)
    return kind(status, reason, message, written=written)
