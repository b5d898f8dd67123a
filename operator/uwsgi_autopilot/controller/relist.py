"""Hold the cache against whole lists: a watch may miss a deletion, or die silently."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from uwsgi_autopilot.controller.cache import Cache
from uwsgi_autopilot.controller.kube import ApiError, Kube, Unreachable
from uwsgi_autopilot.controller.seen import made_for, owner_key
from uwsgi_autopilot.resources.labels import MANAGED_BY, MANAGER
from uwsgi_autopilot.resources.objects import CHILDREN

log = logging.getLogger(__name__)

RELIST_SECONDS = 300.0
FIRST_SECONDS = 5.0  # the watches have begun by then
# A watch that misses the same objects in two complete lists is dead, whatever it reports.
MISSED_LISTS = 2


@dataclass(slots=True)
class Relist:
    """watch: namespaces; empty: the whole cluster. missed: uids that the last lists had and the cache had not. misses:
    how many lists in a row it missed the same."""

    kube: Kube
    cache: Cache
    watch: Sequence[str] = ()
    missed: set[str] = field(default_factory=set)
    misses: int = 0

    async def run(self) -> None:
        while True:
            await asyncio.sleep(RELIST_SECONDS if self.cache.listed else FIRST_SECONDS)
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

    def deaf(self) -> bool:
        return self.misses >= MISSED_LISTS

    async def _uids(self, kind: str) -> set[str]:
        labels = "" if kind == "UwsgiApp" else f"{MANAGED_BY}={MANAGER}"
        found = set()
        for namespace in self.watch or (None,):
            # Only uids and owners are compared: whole pods would be several times as much to read.
            async for body in self.kube.list(kind, namespace, labels, only_metadata=True):
                if kind == "UwsgiApp" or _is_ours(body):
                    found.add(body["metadata"]["uid"])
        return found


def _is_ours(body: dict[str, Any]) -> bool:
    """Anybody may put our labels on anything: what the cache would not take, it cannot miss."""
    key = owner_key(body)
    return key is not None and (body["kind"] != "Pod" or made_for(body, key.name))
