"""Reconcile one application, level-triggered and idempotent: read → desired (pure) → apply; and write its status.

Whatever happened, everything is compared. Each of the two lanes has its own workers: a new manifest never waits behind
figures, and a status never behind a slow apply.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from uwsgi_autopilot.controller.cache import Cache
from uwsgi_autopilot.controller.chart import Chart
from uwsgi_autopilot.controller.children import Children
from uwsgi_autopilot.controller.counters import Counters
from uwsgi_autopilot.controller.kube import ApiError, Kube, NotFound, Unreachable
from uwsgi_autopilot.controller.rolloutqueue import RolloutQueue, Waiting
from uwsgi_autopilot.controller.runners import Runners
from uwsgi_autopilot.controller.seen import owner_uid
from uwsgi_autopilot.controller.statuswriter import Reconciled, StatusWriter, lasting
from uwsgi_autopilot.controller.store import Store
from uwsgi_autopilot.controller.workqueue import Key, Workqueue
from uwsgi_autopilot.resources.app import App
from uwsgi_autopilot.resources.objects import Settings, desired
from uwsgi_autopilot.resources.rollouts import Made, Rendered, Step, made_from, step

log = logging.getLogger(__name__)

SPEC_WORKERS = 4
STATUS_WORKERS = 4
RETRY_SECONDS = 5.0
LONGEST_RETRY_SECONDS = 300.0
# Even when nothing seems to have happened.
AGAIN_SECONDS = 300.0
# Two writers at once, or a busy server, are usually gone by the next try: nothing to report in a condition.
TRIES_UNTOLD = 1


@dataclass(frozen=True, slots=True)
class Failure:
    """tries: in a row. words: what the log has of it already."""

    tries: int
    words: str


@dataclass(slots=True)
class Reconciler:
    """done: what became of the objects of each application, for its status. unwritten: whose status failed the
    last time. told_unknown: paths of fields of a newer definition, which are told once."""

    kube: Kube
    cache: Cache
    runners: Runners
    chart: Chart
    children: Children
    statuses: StatusWriter
    queue: RolloutQueue
    settings: Settings
    counters: Counters
    done: dict[Key, Reconciled] = field(default_factory=dict)
    failures: dict[Key, Failure] = field(default_factory=dict)
    unwritten: set[Key] = field(default_factory=set)
    told_unknown: set[str] = field(default_factory=set)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(SPEC_WORKERS):
                group.create_task(self._work(self.cache.specs, self._reconcile_counted))
            for _ in range(STATUS_WORKERS):
                group.create_task(self._work(self.cache.statuses, self.refresh))

    async def _work(self, lane: Workqueue, work: Callable[[Key], Awaitable[None]]) -> None:
        while True:
            key = await lane.take()
            try:
                await work(key)
            finally:
                lane.done(key)

    # --- its objects

    async def _reconcile_counted(self, key: Key) -> None:
        began = time.monotonic()
        result = await self.reconcile(key)
        self.counters.reconciled(result, time.monotonic() - began)

    async def reconcile(self, key: Key) -> str:
        """ok; refused: the objects cannot be what is desired, and the status says why; failed: it is tried again.

        One application's trouble, whatever it is, must not keep the others from being reconciled.
        """
        try:
            body = await self.kube.get("UwsgiApp", key.namespace, key.name)
            meta = body["metadata"]
        except NotFound:
            self._forget(key)
            return "ok"
        except Exception as error:
            # Its status could not be read and written either.
            return self._again(key, error)
        if meta.get("deletionTimestamp"):
            return "ok"  # its children follow it by their owner references
        app, problem = await self._ensure(key, body)
        before = self.failures.get(key)
        if not is_passing(problem) or (before is not None and before.tries >= TRIES_UNTOLD):
            self.done[key] = Reconciled(uid=meta["uid"], generation=meta["generation"], app=app, problem=problem)
            self.cache.look_again(key)
        if problem is not None and not lasting(problem):
            return self._again(key, problem)
        self.failures.pop(key, None)
        self.cache.specs.mark(key, after=AGAIN_SECONDS)
        return "ok" if problem is None else "refused"

    async def _ensure(self, key: Key, body: dict[str, Any]) -> tuple[App | None, Exception | None]:
        """The manifest, None where it cannot be read; and what kept us from making the objects what it asks for."""
        app = None
        try:
            app = App.from_body(body)
            self._tell_unknown(key, app)
            made = await self._objects(app)
            runner = self.runners.running.get(key)
            promoted = runner.state.promoted if runner is not None and runner.state is not None else None
            # Before the pods, which do not start without it.
            await Store(self.kube).ensure_promoted(app, promoted)
            await self.children.ensure(app, made.objects)
            if not made.waits:
                self.queue.written(key, made.pod)
        except Exception as error:
            return app, error
        return app, None

    def _tell_unknown(self, key: Key, app: App) -> None:
        for path in set(app.unknown) - self.told_unknown:
            log.warning("%s has no effect: a newer version than this operator knows it app=%s", path, key)
        self.told_unknown.update(app.unknown)

    async def _objects(self, app: App) -> Step:
        """What to write: from the chart's PodTemplate, or from an earlier one while the application waits for it."""
        key = Key(app.namespace, app.name)
        template, skeletons = await self.chart.read()
        now = self._rendered(app, template, skeletons)
        live = await self._live(app)
        before = None
        if live is not None and live.pod != now.pod and (earlier := await self.chart.earlier(live.template)):
            before = self._rendered(app, earlier, skeletons)
        made = step(app, live=live, now=now, before=before, its_turn=key in self.queue.let_go)
        if live is not None and made.waits:
            self.queue.waits(key, Waiting(mode=app.spec["rollout"]["mode"], live=live))
        return made

    def _rendered(self, app: App, template: dict[str, Any], skeletons: dict[str, str]) -> Rendered:
        made = desired(app, template=template, skeletons=skeletons, settings=self.settings)
        return Rendered.of(template["metadata"]["name"], made)

    async def _live(self, app: App) -> Made | None:
        """Read, not from the cache: what is older than our last write would roll the application back."""
        try:
            found = await self.kube.get("Deployment", app.namespace, app.name)
        except NotFound:
            return None
        return made_from(found) if owner_uid(found) == app.uid else None

    def _again(self, key: Key, error: Exception) -> str:
        """With growing delays; the same error is logged once."""
        before, words = self.failures.get(key), f"{type(error).__name__}: {error}"
        tries = before.tries + 1 if before is not None else 1
        self.failures[key] = Failure(tries, words)
        if before is None or before.words != words:
            fault = None if isinstance(error, ApiError | Unreachable) else error
            log.warning("reconcile failed, will be retried app=%s error=%s", key, words, exc_info=fault)
        self.cache.specs.mark(key, after=min(RETRY_SECONDS * 2 ** min(tries - 1, 10), LONGEST_RETRY_SECONDS))
        return "failed"

    def _forget(self, key: Key) -> None:
        self.children.forget(key)
        self.statuses.forget(key)
        self.queue.forget(key)
        self.failures.pop(key, None)
        self.done.pop(key, None)
        self.unwritten.discard(key)
        self.cache.changed.discard(key)

    # --- its status

    async def refresh(self, key: Key) -> None:
        done = self.done.get(key)
        if done is None:
            return  # the first reconcile asks for it
        read = key in self.cache.changed
        self.cache.changed.discard(key)
        try:
            again = await self.statuses.refresh(key, done, read=read)
        except Exception as error:
            await self._status_failed(key, done, error)
            self.cache.look_again(key, after=RETRY_SECONDS)
            return
        self.unwritten.discard(key)
        self.cache.statuses.mark(key, after=again)

    async def _status_failed(self, key: Key, done: Reconciled, error: Exception) -> None:
        again = key in self.unwritten
        if not again:
            fault = None if isinstance(error, ApiError | Unreachable) else error
            log.warning("status not written, will be retried app=%s error=%s", key, error, exc_info=fault)
        self.unwritten.add(key)
        if is_passing(error) and not again:
            return
        try:
            await self.statuses.tell_failure(key, done.uid, error)
        except (ApiError, Unreachable):
            return  # it cannot be reported while the API server accepts no status
        except Exception as another:
            if not again:
                log.error("nor can that be reported app=%s", key, exc_info=another)


def is_passing(problem: Exception | None) -> bool:
    return isinstance(problem, ApiError | Unreachable) and not lasting(problem)
