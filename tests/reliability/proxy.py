"""A proxy between the operator and the API server, for faults on the way: real requests, real answers, real watches."""

import asyncio
import base64
import contextlib
import json
import re
import ssl
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from tests.reliability.kindcluster import Installed

# /api/v1/namespaces/web/pods/shop-1/status, /apis/apps/v1/deployments, …
PATH = re.compile(
    r"/apis?/(?:[^/]+/)?v[^/]+/(?:namespaces/[^/]+/)?(?P<what>[a-z]+)(?:/(?P<name>[^/]+))?(?:/(?P<sub>.+))?"
)
HOP = {"transfer-encoding", "connection", "content-length", "content-encoding", "keep-alive"}
WRITES = {"POST", "PUT", "PATCH", "DELETE"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """what: the kind's plural, with its subresource."""

    method: str
    what: str
    name: str
    watch: bool

    @property
    def writes(self) -> bool:
        return self.method in WRITES


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Instead of the API server's answer. status 0: none at all, the connection is cut after `after` seconds. passes:
    the request is carried out nevertheless, and only its answer is lost."""

    status: int = 0
    after: float = 0.0
    passes: bool = False


@dataclass(slots=True)
class Proxy:
    """fault: asked for each request that is not a watch. seen: called after a write was answered. down: nobody is
    there. delay: seconds that each event of a watch takes longer. twice: each comes two times. stale: a watch that goes
    on from a version is told that it is too old."""

    installed: Installed
    fault: Callable[[Asked], Fault | None] = lambda asked: None
    seen: Callable[[Asked, int], None] = lambda asked, status: None
    down: bool = False
    delay: float = 0.0
    twice: bool = False
    stale: bool = False
    url: str = ""
    requests: int = 0
    _streams: set[asyncio.Transport] = field(default_factory=set)
    _session: aiohttp.ClientSession | None = None

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Proxy"]:
        tls = ssl.create_default_context(cadata=base64.b64decode(self.installed.ca).decode())
        self._session = aiohttp.ClientSession(
            self.installed.server, connector=aiohttp.TCPConnector(ssl=tls, limit=0), auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None), read_bufsize=2**22,
        )  # fmt: skip
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(app, handler_cancellation=True)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, shutdown_timeout=1.0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            self.cut()
            await runner.cleanup()
            await self._session.close()

    def cut(self) -> None:
        """End all watches in the middle of whatever they are saying."""
        for transport in list(self._streams):
            transport.abort()

    def well(self) -> None:
        """No fault any more."""
        self.down = self.twice = self.stale = False
        self.delay = 0.0
        self.fault = lambda asked: None
        self.seen = lambda asked, status: None

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        self.requests += 1
        asked = asked_in(request)
        if self.down:
            return _aborted(request)
        fault = None if asked.watch else self.fault(asked)
        if fault is not None and not fault.passes:
            return await self._faulty(request, fault)
        if asked.watch:
            return await self._watch(request)
        assert self._session is not None
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP | {"host"}}
        data = await request.read()
        async with self._session.request(
            request.method, request.rel_url, data=data or None, headers=headers, allow_redirects=False
        ) as answer:
            body = await answer.read()
        if asked.writes:
            self.seen(asked, answer.status)
        if fault is not None:
            return await self._faulty(request, fault)
        kept = {name: value for name, value in answer.headers.items() if name.lower() not in HOP}
        if encoding := answer.headers.get("Content-Encoding"):
            kept["Content-Encoding"] = encoding
        return web.Response(status=answer.status, body=body, headers=kept)

    async def _faulty(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        await asyncio.sleep(fault.after)
        if fault.status == 0:
            return _aborted(request)
        body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": fault.status, **WORDS[fault.status]}
        headers = {"Retry-After": "1"} if fault.status == 429 else {}
        return web.json_response(body, status=fault.status, headers=headers)

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        assert self._session is not None
        assert request.transport is not None
        made = web.StreamResponse(headers={"Content-Type": "application/json"})
        if self.stale and request.query.get("resourceVersion", "0") != "0":
            await made.prepare(request)
            await made.write(
                json.dumps({"type": "ERROR", "object": {"kind": "Status", "code": 410, **GONE}}).encode() + b"\n"
            )
            return made
        headers = {"Authorization": request.headers["Authorization"], "Accept": "application/json"}
        transport = request.transport
        self._streams.add(transport)
        try:
            async with self._session.get(request.rel_url, headers=headers) as answer:
                made.set_status(answer.status)
                await made.prepare(request)
                waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
                await asyncio.gather(self._read(answer, waiting), self._tell(waiting, made))
        except (ConnectionError, aiohttp.ClientError):
            transport.abort()
        finally:
            self._streams.discard(transport)
        return made

    async def _read(self, answer: aiohttp.ClientResponse, waiting: "asyncio.Queue[tuple[float, bytes]]") -> None:
        async for line in answer.content:
            waiting.put_nowait((time.monotonic() + self.delay, line))
        waiting.put_nowait((0.0, b""))

    async def _tell(self, waiting: "asyncio.Queue[tuple[float, bytes]]", made: web.StreamResponse) -> None:
        """Each event when it is due."""
        while True:
            due, line = await waiting.get()
            if not line:
                return
            await asyncio.sleep(due - time.monotonic())
            await made.write(line * 2 if self.twice else line)


WORDS: dict[int, dict[str, str]] = {
    409: {"reason": "Conflict", "message": "the object has been modified; please apply your changes to the latest"},
    429: {"reason": "TooManyRequests", "message": "the server has received too many requests"},
    500: {"reason": "InternalError", "message": "etcdserver: request timed out"},
}
GONE = {"status": "Failure", "reason": "Expired", "message": "too old resource version"}


def asked_in(request: web.Request) -> Asked:
    found: Any = PATH.match(request.path)
    what, name, sub = (found["what"], found["name"] or "", found["sub"]) if found else ("", "", None)
    return Asked(
        method=request.method,
        what=f"{what}/{sub}" if sub else what,
        name=name,
        watch=request.query.get("watch") in ("true", "1"),
    )


def _aborted(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response(status=502)
