"""The command line as a process of its own, with everything it starts, and how these tests look at it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

COMMAND = str(Path(sys.executable).parent / "uwsgi-autopilot")
SITE = Path(__file__).parents[1] / "agent" / "site"
MANIFEST = """\
apiVersion: uwsgi-autopilot.dev/v1alpha1
kind: UwsgiApp
metadata: {name: test}
spec:
  module: app:app
  tuning:
    start: {processes: 1, threads: 2}
"""


@dataclass
class Local:
    """`uwsgi-autopilot local` running; output goes to files, because nobody reads while a test waits."""

    process: "subprocess.Popen[bytes]"
    out: Path
    err: Path
    url: str
    temporary: Path

    def served(self, timeout: float = 60) -> None:
        self.says("is served at", timeout)

    def says(self, text: str, timeout: float = 60) -> None:
        """Waits until standard output has it."""
        wait_for(lambda: text in self.out.read_text() or self.process.poll() is not None, timeout)
        assert text in self.out.read_text(), self.err.read_text()

    def requests(self) -> int:
        """How many the application has finished, by the agent."""
        return round(self.state()["requestsTotal"])

    def in_service(self) -> int:
        samples = self.state()["samples"]
        return round(samples[-1]["busy"]) if samples else 0

    def state(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.url}/_autopilot/v1/state?since=0", timeout=20) as answer:
            state: dict[str, Any] = json.load(answer)
        return state

    def end(self, signum: int = signal.SIGINT, timeout: float = 150) -> int:
        """Its exit status. nginx, then the agent, may each take 70 s for slow requests, and on a starved machine do."""
        self.process.send_signal(signum)
        return self.process.wait(timeout)

    def processes(self) -> list[int]:
        """The command and everything below it that still runs: it alone was given that TMPDIR. nginx has overwritten
        its environment, and works in the run directory."""
        found = []
        for entry in os.scandir("/proc"):
            try:
                if entry.name.isdigit() and (
                    f"TMPDIR={self.temporary}\0".encode() in Path(entry.path, "environ").read_bytes()
                    or (
                        Path(entry.path, "comm").read_text() == "nginx\n"
                        and os.readlink(Path(entry.path, "cwd")).startswith(f"{self.temporary}/")
                    )
                ):
                    found.append(int(entry.name))
            except OSError:
                continue
        return found

    def files(self) -> list[Path]:
        return list(self.temporary.iterdir())


class Runs:
    """Commands that a fixture starts, each with files of its own for its output in `folder`, and all with the same
    TMPDIR, `temporary`, in which nothing else lies."""

    def __init__(self, folder: Path, temporary: Path) -> None:
        self.folder, self.temporary = folder, temporary
        self._started: list[Local] = []

    def start(
        self, command: Sequence[str], url: str, env: Mapping[str, str] | None = None, *,
        base: Mapping[str, str] = os.environ, **more: Any,
    ) -> Local:  # fmt: skip
        """env: besides the environment of `base`. more: for Popen."""
        number = len(self._started) or ""
        out, err = self.folder / f"out{number}", self.folder / f"err{number}"
        environment = {**base, "TMPDIR": str(self.temporary), **(env or {})}
        with out.open("wb") as out_file, err.open("wb") as err_file:
            process = subprocess.Popen(command, stdout=out_file, stderr=err_file, env=environment, **more)
        self._started.append(Local(process, out, err, url, self.temporary))
        return self._started[-1]

    def end(self) -> None:
        """Killed; what the commands had started ends by itself."""
        for run in self._started:
            if run.process.poll() is None:
                run.process.kill()
                run.process.wait()
        for run in self._started:
            wait_for(lambda run=run: not run.processes() and not run.files())


def wait_for(wanted: Callable[[], Any], timeout: float = 60) -> Any:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if found := wanted():
            return found
        time.sleep(0.05)
    pytest.fail(f"not within {timeout} s")


def report_of(path: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(path.read_text())
    return data


def rate_of(samples: list[dict[str, Any]], seconds: int = 12) -> float:
    """Requests a second in the newest so many samples."""
    newest = samples[-seconds:]
    return sum(each["requests"] for each in newest) / max(1e-9, sum(each["seconds"] for each in newest))


def stats_of(path: Path) -> dict[str, Any]:
    """uWSGI's own, from its stats socket."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(path))
        text = b""
        while part := connection.recv(65536):
            text += part
    data: dict[str, Any] = json.loads(text)
    return data


def at_most_crons(began: float) -> int:
    """How often one job for every minute has run by now: first when its uWSGI starts, then whenever 60 s have passed by
    a clock of whole seconds."""
    return 1 + int((time.monotonic() - began) // 59)
