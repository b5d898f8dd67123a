"""The API server as the harness uses it: with an administrator's rights, plain JSON, and watches that go on."""

import asyncio
import contextlib
import json
import ssl
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp

from tests.reliability.kindcluster import admin
from uwsgi_autopilot.controller.kube import path_of

Body = dict[str, Any]
MERGE = "application/merge-patch+json"


class Refused(Exception):
    """The API server said no."""


class Api:
    def __init__(self) -> None:
        self.server, self._tls = _tls()
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "Api":
        # One watch line may hold a large object.
        self._session = aiohttp.ClientSession(
            self.server, connector=aiohttp.TCPConnector(ssl=self._tls, limit=32), read_bufsize=2**22,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
        )  # fmt: skip
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._session is not None
        await self._session.close()

    async def send(
        self, method: str, path: str, body: Body | None = None, *, content: str = "application/json",
        query: dict[str, str] | None = None,
    ) -> Body:  # fmt: skip
        """Raises Refused."""
        text = await self.text(method, path, body, content=content, query=query)
        found: Body = json.loads(text)
        return found

    async def text(
        self, method: str, path: str, body: Body | None = None, *, content: str = "application/json",
        query: dict[str, str] | None = None,
    ) -> str:  # fmt: skip
        assert self._session is not None
        data = None if body is None else json.dumps(body)
        headers = {"Content-Type": content}
        async with self._session.request(method, path, data=data, headers=headers, params=query) as answer:
            text = await answer.text()
            if answer.status >= 300:
                raise Refused(f"{method} {path}: {answer.status} {text[:300]}")
            return text

    async def get(self, kind: str, namespace: str, name: str) -> Body | None:
        try:
            return await self.send("GET", path_of(kind, namespace, name))
        except Refused:
            return None

    async def create(self, kind: str, body: Body) -> Body:
        return await self.send("POST", path_of(kind, body["metadata"]["namespace"]), body)

    async def merge(self, kind: str, namespace: str, name: str, body: Body, subresource: str = "") -> Body:
        return await self.send("PATCH", path_of(kind, namespace, name, subresource), body, content=MERGE)

    async def delete(self, kind: str, namespace: str, name: str = "", **query: str) -> None:
        with contextlib.suppress(Refused):
            await self.send("DELETE", path_of(kind, namespace, name), query=query)

    async def list(self, kind: str, namespace: str, labels: str = "") -> tuple[list[Body], str]:
        """The objects, and the version of the list."""
        items: list[Body] = []
        query = {"limit": "500", "labelSelector": labels}
        while True:
            page = await self.send("GET", path_of(kind, namespace), query=query)
            items += page["items"]
            if not page["metadata"].get("continue"):
                return items, page["metadata"]["resourceVersion"]
            query["continue"] = page["metadata"]["continue"]

    async def follow(self, kind: str, namespace: str, seen: Callable[[str, Body], None], labels: str = "") -> None:
        """Call `seen` with each object and each change of one, for ever."""
        while True:
            try:
                items, version = await self.list(kind, namespace, labels)
                for each in items:
                    seen("ADDED", {"kind": kind, **each})
                async for event in self._events(kind, namespace, version, labels):
                    seen(event["type"], event["object"])
            except (aiohttp.ClientError, Refused, TimeoutError):
                await asyncio.sleep(1.0)

    async def _events(self, kind: str, namespace: str, version: str, labels: str) -> AsyncIterator[Body]:
        assert self._session is not None
        query = {"watch": "1", "resourceVersion": version, "labelSelector": labels}
        async with self._session.get(path_of(kind, namespace), params=query) as answer:
            async for line in answer.content:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    return
                yield event


def _tls() -> tuple[str, ssl.SSLContext]:
    server, authority, certificate, key = admin()
    context = ssl.create_default_context(cadata=authority.decode())
    with tempfile.TemporaryDirectory() as folder:
        pair = Path(folder, "certificate"), Path(folder, "key")
        for file, data in zip(pair, (certificate, key), strict=True):
            file.write_bytes(data)
        context.load_cert_chain(*pair)
    return server, context
