"""Chaos: a few applications with pins, an operator that is started again whenever it ends, and what must not change."""

import asyncio
import itertools
import time
from typing import Any

from tests.reliability import apps
from tests.reliability.agents import Agent
from tests.reliability.kindcluster import WEB
from tests.reliability.proxy import Proxy
from tests.reliability.stage import Stage
from uwsgi_autopilot.resources.labels import APP, DESIRED

REPLICAS = 2
# What a decision takes without a fault, on a busy machine.
USUAL_SECONDS = 30.0


class Wrong(Exception):
    """One sentence: what must not have happened."""


class Scene:
    def __init__(self, stage: Stage, proxy: Proxy) -> None:
        self.stage = stage
        self.proxy = proxy
        self.names: list[str] = []
        self._threads = itertools.cycle(range(3, 60))

    @property
    def restarts(self) -> int:
        """How often the operator was started again."""
        return self.stage.restarts

    async def begin(self, count: int) -> None:
        self.names = [f"shop-{number}" for number in range(count)]
        for name in self.names:
            await self.make(name)
        for name in self.names:
            await self.served(name, 2)
        await asyncio.sleep(5.0)

    async def make(self, name: str, threads: int = 2) -> None:
        pin = {"processes": 2, "threads": threads}
        await self.stage.api.create("UwsgiApp", apps.manifest(name, replicas=REPLICAS, pin=pin))

    def agents(self, name: str) -> list[Agent]:
        return self.stage.agents.of(name)

    async def served(self, name: str, threads: int, seconds: float = 120.0, pods: int = REPLICAS) -> float:
        """Seconds until all pods of it serve that pin. Raises TooLate."""

        def all_serve() -> bool:
            found = [each for each in self.agents(name) if each.fault is None]
            return len(found) >= pods and all(each.following.target.threads == threads for each in found)

        return await self.stage.until(f"{name} serves 2x{threads}", all_serve, seconds)

    async def decided(self, name: str, seconds: float = 120.0, pods: int = REPLICAS) -> float:
        """Write a new pin; seconds until all of its pods serve it."""
        threads = next(self._threads)
        await apps.edit(self.stage.api, name, pin={"processes": 2, "threads": threads})
        return await self.served(name, threads, seconds, pods)

    async def ready(self, name: str, seconds: float = 60.0) -> float:
        async def is_ready() -> bool:
            found = await self.stage.api.get("UwsgiApp", WEB, name) or {}
            known = found.get("status", {}).get("conditions", ())
            at = found.get("metadata", {}).get("generation")
            return any(
                each["type"] == "Ready" and each["status"] == "True" and each["observedGeneration"] == at
                for each in known
            )

        return await self.stage.until(f"the status of {name} says that it is ready", is_ready, seconds)

    # --- what must not change

    async def picture(self, *but: str) -> dict[str, Any]:
        """Of every other application: its objects, their generations, its pods and what these were told."""
        found: dict[str, Any] = {}
        for kind in ("Deployment", "Service", "PodDisruptionBudget", "ServiceAccount", "ConfigMap", "Pod"):
            for body in (await self.stage.api.list(kind, WEB, APP))[0]:
                meta = body["metadata"]
                if meta["labels"][APP] not in but:
                    told = meta.get("annotations", {}).get(DESIRED)
                    found[f"{kind} {meta['name']}"] = (meta["uid"], meta.get("generation"), told)
        return found

    async def untouched(self, before: dict[str, Any], *but: str) -> None:
        """Raises Wrong."""
        after = await self.picture(*but)
        changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
        if changed:
            raise Wrong(f"touched although it should not be: {', '.join(changed[:4])}")

    async def breathe(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def since(began: float) -> float:
    return time.monotonic() - began
