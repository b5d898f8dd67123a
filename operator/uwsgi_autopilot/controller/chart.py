"""What the chart says about every application's pods: its PodTemplate and skeletons, and the PodTemplates before.

helm deletes the PodTemplate of yesterday when it writes that of today. Applications that have not taken over the new
one are still made from the old one, so each is kept as a ControllerRevision, until no Deployment names it any more.
"""

import logging
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from uwsgi_autopilot.controller.kube import ApiError, Conflict, Kube, NotFound
from uwsgi_autopilot.errors import TemplateError
from uwsgi_autopilot.resources.labels import MANAGED_BY, MANAGER

log = logging.getLogger(__name__)

Body = dict[str, Any]

TEMPLATE_SECONDS = 30.0


@dataclass(slots=True)
class Chart:
    """template_name, skeletons_name: objects in `namespace`, read again every TEMPLATE_SECONDS."""

    kube: Kube
    namespace: str
    template_name: str
    skeletons_name: str
    _template: Body | None = None
    _skeletons: Body = field(default_factory=dict)
    _earlier: dict[str, Body] = field(default_factory=dict)
    _kept: bool = False
    _read_at: float = 0.0

    async def read(self) -> tuple[Body, dict[str, str]]:
        """Raises TemplateError when one of them is missing: then nothing is to be changed."""
        if self._template is None or time.monotonic() - self._read_at > TEMPLATE_SECONDS:
            try:
                self._template = await self._current()
                self._skeletons = await self.kube.get("ConfigMap", self.namespace, self.skeletons_name)
            except NotFound as error:
                self._template = None
                raise TemplateError(f"the chart's template is missing, so nothing is changed: {error}") from None
            self._read_at = time.monotonic()
        if not self._kept:
            await self._keep(self._template)
        return self._template, self._skeletons.get("data") or {}

    async def earlier(self, name: str) -> Body | None:
        """The PodTemplate called `name`, which applications were made from; None: it is not kept."""
        if name == self.template_name and self._template is not None:
            return self._template
        if name and name not in self._earlier:
            try:
                found = await self.kube.get("ControllerRevision", self.namespace, name)
            except ApiError:
                return None
            self._earlier[name] = _template_of(found)
        return self._earlier.get(name)

    async def forget_unused(self, used: Collection[str]) -> None:
        """used: names that Deployments still refer to. Raises ApiError, Unreachable."""
        owner = self._skeletons.get("metadata", {}).get("uid")
        async for each in self.kube.list("ControllerRevision", self.namespace, f"{MANAGED_BY}={MANAGER}"):
            meta = each["metadata"]
            ours = any(ref["uid"] == owner for ref in meta.get("ownerReferences", ()))
            if ours and meta["name"] not in used and meta["name"] != self.template_name:
                await self.kube.delete("ControllerRevision", self.namespace, meta["name"], meta["uid"])
                self._earlier.pop(meta["name"], None)

    async def _current(self) -> Body:
        """An upgrade of the chart takes the PodTemplate away before this operator is replaced."""
        try:
            return await self.kube.get("PodTemplate", self.namespace, self.template_name)
        except NotFound:
            if (kept := await self.earlier(self.template_name)) is None:
                raise
            return kept

    async def _keep(self, template: Body) -> None:
        """It goes with the skeletons, which go with the release."""
        owner = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": self.skeletons_name,
            "uid": self._skeletons["metadata"]["uid"],
        }
        body = {
            "apiVersion": "apps/v1",
            "kind": "ControllerRevision",
            "metadata": {
                "name": self.template_name,
                "namespace": self.namespace,
                "labels": {MANAGED_BY: MANAGER},
                "ownerReferences": [owner],
            },
            "data": {"template": template["template"]},
            "revision": 1,
        }
        try:
            await self.kube.create(body)
        except Conflict:
            pass  # named by its content
        except ApiError as error:
            log.warning("%s is not kept, so whoever waits after the next change of it is not repaired: %s",
                        self.template_name, error)  # fmt: skip
        self._kept = True


def _template_of(revision: Body) -> Body:
    meta = revision["metadata"]
    return {
        "metadata": {"name": meta["name"], "namespace": meta["namespace"]},
        "template": revision["data"]["template"],
    }
