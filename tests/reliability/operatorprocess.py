"""The operator as a process of its own: `uwsgi-autopilot operator`, as its pod would run it."""

import asyncio
import os
import re
import signal
import socket
import sys
import time
from pathlib import Path

import aiohttp

from tests.reliability.kindcluster import ROOT, Installed, kubeconfig

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
ENDS_SECONDS = 30.0


class Operator:
    """log: its standard error, of all its processes. prefix: before the command, such as a profiler."""

    def __init__(
        self, installed: Installed, folder: Path, *, server: str | None = None, prefix: tuple[str, ...] = ()
    ) -> None:
        self.arguments = installed.arguments
        self.config = kubeconfig(installed, folder / "kubeconfig", server)
        self.log = folder / "operator.log"
        self.prefix = prefix
        self.port = free_port()
        self.began = 0.0
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("KUBERNETES_")},
            "KUBECONFIG": str(self.config), "PYTHONPATH": str(ROOT / "operator"), "HOSTNAME": "operator-1",
        }  # fmt: skip
        command = [*(self.prefix or (sys.executable,)), "-m", "uwsgi_autopilot.cli", *self.arguments]
        self.began = time.monotonic()
        with self.log.open("a", encoding="utf-8") as log:
            self.process = await asyncio.create_subprocess_exec(
                *command, f"--port={self.port}", cwd=ROOT, env=env, stdout=log, stderr=log
            )

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.returncode is None

    async def stop(self) -> float:
        """SIGTERM; seconds until it had ended."""
        return await self._end(signal.SIGTERM)

    async def kill(self) -> float:
        return await self._end(signal.SIGKILL)

    async def _end(self, signum: signal.Signals) -> float:
        if not self.running:
            return 0.0
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(signum)
        try:
            async with asyncio.timeout(ENDS_SECONDS):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
        return time.monotonic() - began

    # --- what it uses and says

    def cpu_seconds(self) -> float:
        """User and system, since its start."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def resident_bytes(self) -> int:
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * PAGE

    def highest_bytes(self) -> int:
        """The most it has ever had resident."""
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{self.pid}/status").read_text())
        assert found is not None
        return int(found[1]) * 1024

    async def page(self, path: str = "/metrics") -> str:
        """ "" while it does not answer."""
        try:
            timeout = aiohttp.ClientTimeout(total=5)
            url = f"http://127.0.0.1:{self.port}{path}"
            async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url) as answer:
                return await answer.text()
        except (aiohttp.ClientError, OSError, TimeoutError):
            return ""

    async def metrics(self) -> dict[str, float]:
        """By name with labels, without the common prefix."""
        lines = (await self.page()).splitlines()
        pairs = (line.rpartition(" ") for line in lines if line and not line.startswith("#"))
        return {name.removeprefix("uwsgi_autopilot_"): float(value) for name, _, value in pairs}

    def words(self) -> str:
        return self.log.read_text(encoding="utf-8") if self.log.exists() else ""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
