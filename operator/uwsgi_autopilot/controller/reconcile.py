"""One application, level-triggered and idempotent: read → desired (pure) → apply → status (pure) → write what changed.

Called whenever something about the application may have changed; whatever it was, everything is compared.
"""

import asyncio
import logging
import time
from dataclasses import dataclass, field
from traceback import format_exception
from typing import Any

from uwsgi_autopilot.controller.children import Children
from uwsgi_autopilot.controller.kube import ApiError, Kube, NotFound, Unreachable
from uwsgi_autopilot.controller.metrics import Metrics
from uwsgi_autopilot.controller.mirror import Key, Mirror
from uwsgi_autopilot.controller.report import Reporter, lasting
from uwsgi_autopilot.controller.tuning import Tuning
from uwsgi_autopilot.errors import TemplateError
from uwsgi_autopilot.resources.app import App
from uwsgi_autopilot.resources.causes import place_of
from uwsgi_autopilot.resources.objects import Settings, desired

log = logging.getLogger(__name__)

WORKERS = 4
RETRY_SECONDS = 5.0
LONGEST_RETRY_SECONDS = 300.0
# Even when nothing seems to have happened.
AGAIN_SECONDS = 300.0
# Some causes are told by time alone: a pod that is never ready.
LOOK_AGAIN_SECONDS = 20.0
TEMPLATE_SECONDS = 30.0
FRAMES = 20  # of a traceback in the log, the innermost


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """How often a reconcile has failed in a row, and what was logged of it."""

    tries: int
    text: str


@dataclass(slots=True)
class Chart:
    """The chart's PodTemplate and skeletons, read again every TEMPLATE_SECONDS."""

    kube: Kube
    namespace: str
    template_name: str
    skeletons_name: str
    _template: dict[str, Any] | None = None
    _skeletons: dict[str, str] = field(default_factory=dict)
    _read_at: float = 0.0

    async def read(self) -> tuple[dict[str, Any], dict[str, str]]:
        """Raises TemplateError when one of them is missing: then nothing is to be changed."""
        if self._template is None or time.monotonic() - self._read_at > TEMPLATE_SECONDS:
            try:
                self._template = await self.kube.get("PodTemplate", self.namespace, self.template_name)
                found = await self.kube.get("ConfigMap", self.namespace, self.skeletons_name)
            except NotFound as error:
                self._template = None
                raise TemplateError(f"the chart's template is missing, so nothing is changed: {error}") from None
            self._skeletons = found.get("data") or {}
            self._read_at = time.monotonic()
        return self._template, self._skeletons


@dataclass(slots=True)
class Reconciler:
    kube: Kube
    mirror: Mirror
    tuning: Tuning
    chart: Chart
    children: Children
    reporter: Reporter
    settings: Settings
    metrics: Metrics
    failures: dict[Key, Failure] = field(default_factory=dict)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(WORKERS):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            key = await self.mirror.due.take()
            began = time.monotonic()
            try:
                result = await self._guarded(key)
            finally:
                self.mirror.due.done(key)
            self.metrics.reconciled(result, time.monotonic() - began)

    async def _guarded(self, key: Key) -> str:
        """One application's trouble is no reason to leave the others alone."""
        try:
            result = await self.reconcile(key)
        except Exception as error:
            self._failed(key, error)
            return "failed"
        self.failures.pop(key, None)
        return result

    async def reconcile(self, key: Key) -> str:
        """ok, or refused: the objects could not be brought to what is desired, and the status says why.

        Raises what is to be tried again soon. The status says that too, but for an API server that fails for the first
        time: a moment later it may be back.
        """
        try:
            body = await self.kube.get("UwsgiApp", key.namespace, key.name)
        except NotFound:
            self._forget(key)
            return "ok"
        if body["metadata"].get("deletionTimestamp"):
            return "ok"  # its children follow it by their owner references
        problem = await self._bring(key, body)
        if isinstance(problem, ApiError | Unreachable) and not lasting(problem) and key not in self.failures:
            raise problem
        ready = await self._report(key, body, problem)
        if problem is not None and not lasting(problem):
            raise problem
        self.mirror.due.mark(key, after=AGAIN_SECONDS if ready else LOOK_AGAIN_SECONDS)
        return "ok" if problem is None else "refused"

    async def _report(self, key: Key, body: dict[str, Any], problem: Exception | None) -> bool:
        try:
            return await self.reporter.report(key, body, problem)
        except (ApiError, Unreachable):
            raise
        except Exception as error:
            await self.reporter.report_fault(body, error)
            raise

    def _failed(self, key: Key, error: Exception) -> None:
        """Tried again, later and later; logged when it is not what was logged last."""
        ours = not isinstance(error, ApiError | Unreachable)
        text = f"{type(error).__name__} at {place_of(error)}" if ours else str(error)
        before = self.failures.get(key, Failure(tries=0, text=""))
        self.failures[key] = Failure(tries=before.tries + 1, text=text)
        self.mirror.due.mark(key, after=min(RETRY_SECONDS * 2 ** min(before.tries, 10), LONGEST_RETRY_SECONDS))
        if text == before.text:
            return
        if ours:
            trace = "".join(format_exception(error, limit=-FRAMES))
            log.error("reconcile failed, will be tried again app=%s\n%s", key, trace)
        else:
            log.warning("reconcile will be tried again app=%s error=%s", key, error)

    async def _bring(self, key: Key, body: dict[str, Any]) -> Exception | None:
        """What kept us from bringing the objects to what is desired; None: nothing did."""
        try:
            stored = None if key in self.tuning.apps else await self.tuning.stored(key, body["metadata"]["uid"])
            app = App.from_body(body)
            template, skeletons = await self.chart.read()
            # Looked up last: what is promoted while we wait for the API server must not be written over.
            tuned = self.tuning.apps.get(key)
            promoted = tuned.pilot.wishes.promoted if tuned else stored
            wanted = desired(
                app,
                template=template,
                skeletons=skeletons,
                settings=self.settings,
                promoted=promoted if promoted is not None and promoted.seq > 0 else None,
            )
            await self.children.bring(app, wanted)
        except Exception as error:
            return error  # whatever it is, the status is to say it
        return None

    def _forget(self, key: Key) -> None:
        self.mirror.own(key, ())
        self.children.forget(key)
        self.reporter.forget(key)
        self.failures.pop(key, None)
