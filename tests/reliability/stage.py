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
from tests.reliability.kindcluster import NAMESPACE, RELEASE, Installed, up
from tests.reliability.kubelet import Kubelet
from tests.reliability.operatorprocess import Operator

# As a kubelet does at first; later ones it makes wait longer.
RESTART_SECONDS = 1.0
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
    may_end: bool = False
    restarts: int = 0
    release_lease: bool = False

    @contextlib.asynccontextmanager
    async def kept_running(self) -> AsyncIterator[None]:
        """The operator, started again whenever it ends, as its pod would be. release_lease: for the next one."""
        self.may_end = True
        await self.operator.start()
        task = asyncio.create_task(self._keep())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _keep(self) -> None:
        while True:
            assert self.operator.process is not None
            await self.operator.process.wait()
            self.restarts += 1
            await asyncio.sleep(RESTART_SECONDS)
            if self.release_lease:
                await self.api.merge("Lease", NAMESPACE, RELEASE, {"spec": {"holderIdentity": ""}})
            await self.operator.start()

    async def until(
        self, what: str, done: Callable[[], bool] | Callable[[], Awaitable[bool]], seconds: float, every: float = 0.2
    ) -> float:
        """How long it took. Raises TooLate, also when the operator ends, unless it may end."""
        began = time.monotonic()
        while True:
            found = done()
            if found if isinstance(found, bool) else await found:
                return time.monotonic() - began
            if self.operator.process is not None and not self.operator.running and not self.may_end:
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
