"""`uwsgi-autopilot operator`: kopf's watches, reconciles, poller, runners and one HTTP port, in one event loop.

Exits with a traceback when any of them fails: a restart begins with what the cluster says, and the applications go on
without an operator meanwhile.
"""

import asyncio
import logging
import os
import signal
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

import kopf
from aiohttp import web

from uwsgi_autopilot.controller import counters, deepjson, handlers
from uwsgi_autopilot.controller.cache import Cache
from uwsgi_autopilot.controller.children import Children
from uwsgi_autopilot.controller.events import Events
from uwsgi_autopilot.controller.kube import ApiError, Kube, NotFound, Unreachable
from uwsgi_autopilot.controller.poller import Poller
from uwsgi_autopilot.controller.reconcile import Chart, Reconciler
from uwsgi_autopilot.controller.runners import Runners
from uwsgi_autopilot.controller.seen import made_for, owner_key
from uwsgi_autopilot.controller.statuswriter import StatusWriter
from uwsgi_autopilot.controller.workqueue import Key
from uwsgi_autopilot.errors import UsageError
from uwsgi_autopilot.report.secrets import masked
from uwsgi_autopilot.resources.labels import MANAGED_BY, MANAGER
from uwsgi_autopilot.resources.objects import CHILDREN, Settings
from uwsgi_autopilot.resources.tuned import TuningStatus

log = logging.getLogger(__name__)

RELIST_SECONDS = 300.0
# How late the event loop may be before the kubelet's probe fails.
LOOP_SECONDS = 30.0
# A watch that misses the same objects in two complete lists is dead, whatever it reports.
MISSED_LISTS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """template, skeletons: names of the chart's objects in `namespace`. watch: namespaces; empty: the whole cluster."""

    template: str
    skeletons: str
    namespace: str
    agent_image: str
    watch: Sequence[str] = ()
    port: int = 8080


class MaskedFormatter(logging.Formatter):
    """The API server's messages repeat values of manifests, and a traceback may show anything that was being read."""

    def format(self, record: logging.LogRecord) -> str:
        return masked(super().format(record))


def run_operator(options: Options) -> int:
    deepjson.install()
    handler = logging.StreamHandler()
    handler.setFormatter(MaskedFormatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    # kopf logs every event and every watch; its warnings still come through.
    logging.getLogger("kopf").setLevel(logging.WARNING)
    asyncio.run(Operator(options).run())
    return 0


class Operator:
    def __init__(self, options: Options) -> None:
        self.options = options
        self.cache = Cache()
        self.counters = counters.Counters()
        self.poller = Poller()
        self.missed: set[str] = set()
        self.misses = 0

    async def run(self) -> None:
        kube = await Kube.connect()
        await self._wait_for_crd(kube)
        self.events = Events(kube, os.environ.get("HOSTNAME", "uwsgi-autopilot"))
        self.runners = Runners(self.cache, kube, self.poller, self.events, self.counters)
        chart = Chart(kube, self.options.namespace, self.options.template, self.options.skeletons)
        reconciler = Reconciler(
            kube=kube, cache=self.cache, runners=self.runners, chart=chart, children=Children(kube, self.cache),
            statuses=StatusWriter(kube, self.cache, self._tuning), counters=self.counters,
            settings=Settings(agent_image=self.options.agent_image),
        )  # fmt: skip
        self.kube = kube
        server = await self._serve()
        try:
            async with self.poller:
                await self._all_until_stopped(
                    kopf.operator(
                        registry=handlers.registry_for(self.cache),
                        settings=handlers.settings(),
                        clusterwide=not self.options.watch,
                        namespaces=tuple(self.options.watch),
                        standalone=True,
                        stop_flag=asyncio.Event(),
                    ),
                    reconciler.run(),
                    self.runners.run(),
                    self.events.run(),
                    self._relist(),
                )
        finally:
            await server.cleanup()
            await kube.close()

    def _tuning(self, key: Key) -> TuningStatus:
        runner = self.runners.running.get(key)
        return runner.status() if runner is not None else TuningStatus()

    async def _all_until_stopped(self, *parts: Coroutine[Any, Any, None]) -> None:
        """Run until SIGTERM, or until one of them ends; its error, if any, is raised."""
        stop = asyncio.Event()
        tasks = [asyncio.create_task(each) for each in parts]
        waiting = asyncio.create_task(stop.wait())
        # After kopf has installed its own handlers, which would stop only kopf.
        await asyncio.sleep(0.5)
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signum, stop.set)
        done, _ = await asyncio.wait([*tasks, waiting], return_when=asyncio.FIRST_COMPLETED)
        for task in (*tasks, waiting):
            task.cancel()
        await asyncio.wait([*tasks, waiting], timeout=10.0)
        for task in done:
            if task is not waiting:
                task.result()
                raise RuntimeError("a part of the operator ended unexpectedly")

    async def _wait_for_crd(self, kube: Kube) -> None:
        """kopf looks for the resource once, at its start. Raises UsageError when it is not there."""
        namespace = self.options.watch[0] if self.options.watch else None
        while True:
            try:
                async for _ in kube.list("UwsgiApp", namespace):
                    break
            except NotFound:
                raise UsageError("the cluster has no UwsgiApp: install the chart's crds/ first") from None
            except (Unreachable, ApiError) as error:
                log.warning("waiting for the API server: %s", error)
                await asyncio.sleep(2.0)
            else:
                return

    # --- the cache against whole lists

    async def _relist(self) -> None:
        """Find a watch that missed a deletion, or died silently."""
        while True:
            await asyncio.sleep(5.0 if not self.cache.listed else RELIST_SECONDS)
            try:
                await self.compare()
            except (ApiError, Unreachable) as error:
                log.warning("objects could not be listed: %s", error)

    async def compare(self) -> None:
        """Raises ApiError, Unreachable."""
        unknown = set()
        for kind in ("UwsgiApp", "Pod", *CHILDREN):
            known = self.cache.uids(kind)
            found = await self._uids(kind)
            self.cache.forget(kind, known - found)
            unknown |= found - self.cache.uids(kind)
        self.misses = self.misses + 1 if unknown & self.missed else 0
        self.missed, self.cache.listed = unknown, True

    async def _uids(self, kind: str) -> set[str]:
        labels = "" if kind == "UwsgiApp" else f"{MANAGED_BY}={MANAGER}"
        found = set()
        for namespace in self.options.watch or (None,):
            async for body in self.kube.list(kind, namespace, labels):
                if kind == "UwsgiApp" or _is_ours(body):
                    found.add(body["metadata"]["uid"])
        return found

    # --- what others may ask

    async def _serve(self) -> web.AppRunner:
        app = web.Application()
        app.add_routes(
            [web.get("/healthz", self._healthz), web.get("/ready", self._ready), web.get("/metrics", self._metrics)]
        )
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, None, self.options.port).start()
        return runner

    async def _healthz(self, request: web.Request) -> web.Response:
        """An unreachable API server is no reason to restart; a stalled event loop or a dead watch is."""
        late = time.monotonic() - self.runners.turned_at
        if late > LOOP_SECONDS:
            return web.Response(status=503, text=f"the event loop has been stalled for {late:.0f} s\n")
        if self.misses >= MISSED_LISTS:
            return web.Response(status=503, text="a watch is missing objects that the lists have\n")
        return web.Response(text="ok\n")

    async def _ready(self, request: web.Request) -> web.Response:
        return web.Response(text="ok\n") if self.cache.listed else web.Response(status=503, text="reading the lists\n")

    async def _metrics(self, request: web.Request) -> web.Response:
        now = counters.Moment(
            applications=len(self.cache.apps),
            pods=sum(len(each.state.pods) for each in self.runners.running.values() if each.state),
            due=len(self.cache.specs),
            statuses_due=len(self.cache.statuses),
            unreachable=self.runners.silent(),
            polls=self.poller.polls,
            poll_failures=self.poller.failures,
            incompatible=self.poller.incompatible,
            wrong_pods=self.poller.wrong_pods,
            writes=dict(self.kube.writes),
            events_dropped=self.events.dropped,
        )
        text = counters.page(self.counters, now)
        return web.Response(text=text, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})


def _is_ours(body: dict[str, Any]) -> bool:
    """Anybody may put our labels on anything: what the cache would not take, it cannot miss."""
    key = owner_key(body)
    return key is not None and (body["kind"] != "Pod" or made_for(body, key.name))
