"""Events on the UwsgiApp (events.k8s.io/v1): one for each decision; a repeated refusal counts up in one Event.

Written by one task from a short queue: while the API server is unreachable Events are lost, never a decision.
"""

import asyncio
import logging
import time
import uuid
from typing import Any

from uwsgi_autopilot.api.uwsgiapp import API_VERSION, KIND
from uwsgi_autopilot.controller.clock import micro_time
from uwsgi_autopilot.controller.kube import ApiError, Kube, NotFound, Unreachable
from uwsgi_autopilot.controller.workqueue import Key

log = logging.getLogger(__name__)

SAME_SECONDS = 600.0
MOST_WAITING = 200
LONGEST_NOTE = 1000  # the API allows 1,024 bytes
CONTROLLER = "uwsgi-autopilot.dev/operator"


class Events:
    """`tell` never waits. `instance`: the operator's pod."""

    def __init__(self, kube: Kube, instance: str) -> None:
        self._kube = kube
        self._instance = instance
        self._queue: asyncio.Queue[tuple[Key, dict[str, Any]]] = asyncio.Queue(MOST_WAITING)
        self._last: dict[tuple[Key, str, str], tuple[str, int, float]] = {}
        self.dropped = 0

    def tell(self, key: Key, uid: str, *, reason: str, note: str, action: str, warning: bool = False) -> None:
        about = {"apiVersion": API_VERSION, "kind": KIND, "name": key.name, "namespace": key.namespace, "uid": uid}
        body = {
            "kind": "Event",
            "apiVersion": "events.k8s.io/v1",
            "metadata": {"name": f"{key.name}.{uuid.uuid4().hex[:16]}", "namespace": key.namespace},
            "regarding": about,
            "reason": reason,
            "note": note.encode()[:LONGEST_NOTE].decode(errors="ignore"),
            "action": action,
            "type": "Warning" if warning else "Normal",
            "eventTime": micro_time(time.time()),
            "reportingController": CONTROLLER,
            "reportingInstance": self._instance,
        }
        try:
            self._queue.put_nowait((key, body))
        except asyncio.QueueFull:
            self.dropped += 1

    async def run(self) -> None:
        while True:
            key, body = await self._queue.get()
            try:
                await self._write(key, body)
            except (ApiError, Unreachable) as error:
                self.dropped += 1
                log.debug("event lost app=%s reason=%s error=%s", key, body["reason"], error)

    async def _write(self, key: Key, body: dict[str, Any]) -> None:
        now = time.time()
        self._last = {what: seen for what, seen in self._last.items() if now - seen[2] < SAME_SECONDS}
        what = (key, body["regarding"]["uid"], body["reason"])
        if body["type"] == "Warning" and what in self._last:
            name, count, since = self._last[what]
            # A note cannot be changed: the API server refuses that.
            series = {"series": {"count": count + 1, "lastObservedTime": micro_time(now)}}
            try:
                await self._kube.merge("Event", key.namespace, name, series)
            except NotFound:
                pass
            else:
                self._last[what] = (name, count + 1, since)
                return
        await self._kube.create(body)
        self._last[what] = (body["metadata"]["name"], 1, now)
