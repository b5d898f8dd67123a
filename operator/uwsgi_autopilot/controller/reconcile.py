"""One application, level-triggered and idempotent: read → desired (pure) → apply → status (pure) → write what changed.

Called whenever something about the application may have changed; whatever it was, everything is compared.
"""

import asyncio
import logging
import time
from dataclasses import dataclass, field
from typing import Any

from uwsgi_autopilot.controller.children import Children, NameTaken
from uwsgi_autopilot.controller.kube import ApiError, Kube, NotFound, Unreachable
from uwsgi_autopilot.controller.metrics import Metrics
from uwsgi_autopilot.controller.mirror import Key, Mirror
from uwsgi_autopilot.controller.report import Reporter
from uwsgi_autopilot.controller.tuning import Tuning
from uwsgi_autopilot.errors import SpecError, TemplateError
from uwsgi_autopilot.resources.app import App
from uwsgi_autopilot.resources.objects import Settings, desired

log = logging.getLogger(__name__)

WORKERS = 4
RETRY_SECONDS = 5.0
LONGEST_RETRY_SECONDS = 300.0
# Even when nothing seems to have happened.
AGAIN_SECONDS = 300.0
TEMPLATE_SECONDS = 30.0


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
    failures: dict[Key, int] = field(default_factory=dict)

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
        except (ApiError, Unreachable) as error:
            log.warning("reconcile will be tried again app=%s error=%s", key, error)
        except Exception:
            log.exception("reconcile failed, will be tried again app=%s", key)
        else:
            self.failures.pop(key, None)
            return result
        tries = self.failures[key] = self.failures.get(key, 0) + 1
        self.mirror.due.mark(key, after=min(RETRY_SECONDS * 2 ** (tries - 1), LONGEST_RETRY_SECONDS))
        return "failed"

    async def reconcile(self, key: Key) -> str:
        """ok, or refused: the objects could not be brought to what is desired, and the status says why."""
        try:
            body = await self.kube.get("UwsgiApp", key.namespace, key.name)
        except NotFound:
            self._forget(key)
            return "ok"
        if body["metadata"].get("deletionTimestamp"):
            return "ok"  # its children follow it by their owner references
        problem = await self._bring(key, body)
        await self.reporter.report(key, body, problem)
        self.mirror.due.mark(key, after=AGAIN_SECONDS)
        return "ok" if problem is None else "refused"

    async def _bring(self, key: Key, body: dict[str, Any]) -> Exception | None:
        """What kept us from bringing the objects to what is desired; None: nothing did."""
        stored = None if key in self.tuning.apps else await self.tuning.stored(key, body["metadata"]["uid"])
        try:
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
        except (SpecError, TemplateError, NameTaken) as error:
            return error
        except ApiError as error:
            if error.status in (400, 403, 422):
                return error  # the same again tomorrow: told in the status, not retried in haste
            raise
        return None

    def _forget(self, key: Key) -> None:
        self.children.forget(key)
        self.reporter.forget(key)
        self.failures.pop(key, None)
