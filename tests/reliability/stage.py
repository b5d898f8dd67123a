"""All the parts of a run together: the cluster, the agents, the kubelet, the operator."""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from tests.reliability.agents import Agents
from tests.reliability.api import Api
from tests.reliability.kindcluster import Installed, up
from tests.reliability.kubelet import Kubelet
from tests.reliability.operatorprocess import Operator

FOLDER = Path(".cache/reliability")


class TooLate(Exception):
    """One sentence."""


@dataclass(slots=True, kw_only=True)
class Stage:
    installed: Installed
    api: Api
    agents: Agents
    kubelet: Kubelet
    operator: Operator

    async def until(
        self, what: str, done: Callable[[], bool] | Callable[[], Awaitable[bool]], seconds: float, every: float = 0.2
    ) -> float:
        """How long it took, while the operator runs. Raises TooLate."""
        began = time.monotonic()
        while True:
            found = done()
            if found if isinstance(found, bool) else await found:
                return time.monotonic() - began
            if not self.operator.running:
                raise TooLate(f"{what}: the operator has ended: {self.operator.words()[-400:]}")
            if time.monotonic() - began > seconds:
                raise TooLate(f"{what}: not within {seconds:.0f} s")
            await asyncio.sleep(every)


@contextlib.asynccontextmanager
async def stage(*, server: str | None = None, prefix: tuple[str, ...] = ()) -> AsyncIterator[Stage]:
    """Without an application, and the operator not yet started. server, prefix: as for Operator."""
    log_file()
    tell("a kind cluster (half a minute if there is none yet), and the chart's objects in it")
    installed = await asyncio.to_thread(up)
    async with Api() as api, Agents() as agents:
        kubelet = Kubelet(api, agents)
        operator = Operator(installed, FOLDER, server=server, prefix=prefix)
        following = asyncio.create_task(kubelet.run())
        try:
            yield Stage(installed=installed, api=api, agents=agents, kubelet=kubelet, operator=operator)
        finally:
            await operator.stop()
            following.cancel()


def log_file() -> None:
    """A new one for each run."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "operator.log").unlink(missing_ok=True)


BEGAN = time.monotonic()


def tell(text: str) -> None:
    print(f"{time.monotonic() - BEGAN:7.1f} s  {text}", file=sys.stderr, flush=True)
