"""Bring the cluster's definition of UwsgiApp to this version: what the chart's hook does before an upgrade.

Helm installs what lies in crds/ once and never changes it. Nothing here ever deletes a definition: every application
would go with it.
"""

import asyncio

from uwsgi_autopilot.api.crd import NAME, crd
from uwsgi_autopilot.controller.kube import Kube


def run_crd_apply() -> int:
    """Raises ApiError or Unreachable with the API server's sentence."""
    print(asyncio.run(_apply()))
    return 0


async def _apply() -> str:
    kube = await Kube.connect()
    try:
        applied = await kube.apply(crd())
    finally:
        await kube.close()
    return f"{NAME}: generation {applied['metadata']['generation']} is this version's"
