"""Bring the cluster's definition of UwsgiApp to this version: what the chart's hook does before an upgrade.

Helm installs what lies in crds/ once and never changes it. Nothing here ever deletes a definition: every application
would go with it. Nor is one made: the hook's rights are on the one that is there. Argo CD runs the hook before its
first sync, when there is none yet, and applies crds/ itself.
"""

import asyncio

from uwsgi_autopilot.api.crd import NAME, crd
from uwsgi_autopilot.controller.kube import Kube, NotFound


def run_crd_apply() -> int:
    """Does nothing where there is no definition yet. Raises ApiError or Unreachable with the API server's sentence."""
    print(asyncio.run(_apply()))
    return 0


async def _apply() -> str:
    kube = await Kube.connect()
    try:
        return await brought(kube)
    finally:
        await kube.close()


async def brought(kube: Kube) -> str:
    """What was done, as a sentence."""
    try:
        await kube.get("CustomResourceDefinition", None, NAME)
    except NotFound:
        return f"{NAME}: not there yet, so there is nothing to bring to this version; the chart's crds/ has it"
    applied = await kube.apply(crd())
    return f"{NAME}: generation {applied['metadata']['generation']} is this version's"
