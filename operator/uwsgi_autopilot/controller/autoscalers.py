"""Which HorizontalPodAutoscaler may make how many pods of an application, so that they fit into its connections.

Listed twice a minute, not watched: two fields count, which hardly ever change, so the right to list is enough; and a
watch that is refused would hold up the operator's start. Without that right, or without the API, there is no answer,
and whoever asks counts the pods that are there. What KEDA scales has a HorizontalPodAutoscaler, too.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from uwsgi_autopilot.api.uwsgiapp import API_VERSION, KIND
from uwsgi_autopilot.controller.cache import Cache
from uwsgi_autopilot.controller.kube import ApiError, Kube, Unreachable
from uwsgi_autopilot.controller.workqueue import Key
from uwsgi_autopilot.fleet.state import Autoscaler

log = logging.getLogger(__name__)

LIST_SECONDS = 30.0
# (kind, group) of what it may scale: both are called as the application is.
TARGETS = {(KIND, API_VERSION.partition("/")[0]), ("Deployment", "apps")}


@dataclass(slots=True)
class Autoscalers:
    """watch: namespaces; empty: the whole cluster. trouble: why the last list failed; "": it did not."""

    kube: Kube
    cache: Cache
    watch: Sequence[str] = ()
    trouble: str = ""
    _found: dict[str | None, dict[Key, Autoscaler]] = field(default_factory=dict)

    async def run(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(LIST_SECONDS)

    async def look(self) -> None:
        """A namespace whose list fails keeps what was last known of it."""
        failed = []
        for namespace in self.watch or (None,):
            try:
                bodies = [body async for body in self.kube.list("HorizontalPodAutoscaler", namespace)]
            except (ApiError, Unreachable) as error:
                failed.append(str(error))
            else:
                self._found[namespace] = targets_of(bodies)
        self.cache.autoscalers = {key: each for found in self._found.values() for key, each in found.items()}
        self._tell("; ".join(failed))

    def _tell(self, trouble: str) -> None:
        """Once: a right that is missing is missing each time."""
        if trouble and not self.trouble:
            what = "maxConnections is divided by the pods that are there"
            log.warning("HorizontalPodAutoscalers cannot be listed, so %s: %s", what, trouble)
        self.trouble = trouble


def targets_of(bodies: Sequence[Mapping[str, Any]]) -> dict[Key, Autoscaler]:
    """The one that may make the most pods, by what it scales; that need not be an application of ours."""
    found: dict[Key, Autoscaler] = {}
    for body in bodies:
        spec, meta = body.get("spec") or {}, body["metadata"]
        target, most = spec.get("scaleTargetRef") or {}, spec.get("maxReplicas")
        group = str(target.get("apiVersion", "")).partition("/")[0]
        if (target.get("kind"), group) not in TARGETS or not isinstance(most, int):
            continue
        key = Key(meta["namespace"], target.get("name", ""))
        if key not in found or found[key].most < most:
            found[key] = Autoscaler(name=meta["name"], most=most)
    return found
