"""The agent alone, without nginx and without local mode, with its standard output and error apart."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.component.conftest import wait_until
from uwsgi_autopilot.api.agentconfig import AgentConfig
from uwsgi_autopilot.api.desired import DesiredShape, Version
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.local.agentclient import AgentClient
from uwsgi_autopilot.uwsgi.request import ask

SITE = Path(__file__).parent / "site"


@dataclass
class Bare:
    """`run`: its directory, where the application looks for faults, with what was printed in the files out and err."""

    process: "subprocess.Popen[bytes]"
    run: Path
    client: AgentClient

    @property
    def out(self) -> str:
        return (self.run / "out").read_text(errors="replace")

    @property
    def err(self) -> str:
        return (self.run / "err").read_text(errors="replace")

    def state(self) -> dict[str, Any]:
        return self.client.state(-1) or {}

    def until(self, what: str, **wanted: Any) -> dict[str, Any]:
        """The state when each of its fields is as wanted; a function says whether it is."""

        state: dict[str, Any] = {}

        def fits() -> bool:
            nonlocal state
            state = self.state()
            return bool(state) and all(
                each(state[name]) if callable(each) else state[name] == each for name, each in wanted.items()
            )

        wait_until(fits, what)
        return state

    def desire(self, seq: int, shape: Shape) -> None:
        self.write(DesiredShape(version=Version(1, seq), shape=shape).to_text())

    def write(self, text: str) -> None:
        """The file with the desired shape, at once: half of it would be refused too."""
        (self.run / "desired.new").write_text(text)
        (self.run / "desired.new").rename(self.run / "desired")

    def get(self, path: str, timeout: float = 60.0) -> int | None:
        """The application's status, asked past nginx; None when there was no answer."""
        return ask(str(self.run / "app.sock"), path, "", timeout)


@contextlib.contextmanager
def bare_agent(run: Path, uwsgi: Path, *, to: int | None = None, **changes: Any) -> Iterator[Bare]:
    """`run`: a directory with a short path. `to`: a descriptor to print to instead of files there."""
    (run / "private").mkdir(mode=0o700)
    settings: dict[str, Any] = {
        "name": "test", "uwsgi": (str(uwsgi),), "module": "app:app", "chdir": str(SITE), "socket": f"{run}/app.sock",
        "private": f"{run}/private", "desired": f"{run}/desired", "start": Shape(1, 2),
        "listen": (f"unix:{run}/agent.sock",), "env": (("FAULTS", str(run)),),
        "termination_log": f"{run}/termination-log",
    }  # fmt: skip
    (run / "agent.json").write_text(AgentConfig(**{**settings, **changes}).to_text())
    command = [sys.executable, "-I", "-m", "uwsgi_autopilot.agent", str(run / "agent.json")]
    with (run / "out").open("wb") as out, (run / "err").open("wb") as err:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=to or out, stderr=to or err)
    client = AgentClient(str(run / "agent.sock"))
    try:
        yield Bare(process, run, client)
    finally:
        client.close()
        process.terminate()
        try:
            process.wait(30)
        finally:
            process.kill()
