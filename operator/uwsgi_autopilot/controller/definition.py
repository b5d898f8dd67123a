"""Bring the cluster's definition of UwsgiApp to this version: what the chart's hook does before an upgrade.

Helm installs what lies in crds/ once and never changes it. Nothing here ever deletes a definition, with which every
application would go; or a field of one, which the API server would prune from every application at its next write. Nor
is one made: the hook's rights are on the one that is there. Argo CD runs the hook before its first sync, when there is
none yet, and applies crds/ itself.
"""

import asyncio
from collections.abc import Iterator
from typing import Any

from uwsgi_autopilot.api.crd import NAME, VERSION, crd
from uwsgi_autopilot.controller.kube import Kube, NotFound

Schema = dict[str, Any]

KIND = "CustomResourceDefinition"
MOST_NAMED = 5


def run_crd_apply() -> int:
    """Raises ApiError or Unreachable with the API server's sentence."""
    print(asyncio.run(_run()))
    return 0


async def _run() -> str:
    kube = await Kube.connect()
    try:
        return await apply_definition(kube, crd())
    finally:
        await kube.close()


async def apply_definition(kube: Kube, ours: Schema) -> str:
    """Returns what was done. A definition that knows more than ours is of a newer version, and stays."""
    try:
        live = await kube.get(KIND, None, NAME)
    except NotFound:
        return f"{NAME}: not there yet, so there is nothing to bring to this version; the chart's crds/ has it"
    if more := sorted(fields_of(live) - fields_of(ours)):
        named = ", ".join(more[:MOST_NAMED]) + (f" and {len(more) - MOST_NAMED} more" if len(more) > MOST_NAMED else "")
        return f"{NAME}: left as it is, of a newer version: applications may have {named}, which would be lost"
    applied = await kube.apply(ours)
    return f"{NAME}: generation {applied['metadata']['generation']} is this version's"


def fields_of(definition: Schema) -> set[str]:
    """Paths such as `spec.tuning.pin.processes` of the version that applications are stored in."""
    versions = [each for each in definition["spec"]["versions"] if each["name"] == VERSION]
    return {path for each in versions for path in _paths(each["schema"]["openAPIV3Schema"], "")}


def _paths(node: Schema, path: str) -> Iterator[str]:
    for name, inner in (node.get("properties") or {}).items():
        here = f"{path}.{name}".lstrip(".")
        yield here
        yield from _paths(inner, here)
    for inner in (node.get("items"), node.get("additionalProperties")):
        if isinstance(inner, dict):
            yield from _paths(inner, f"{path}[]")
