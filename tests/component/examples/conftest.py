"""Real here: the commands of a page, run by a shell in a copy of the example, and the servers that they start."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from bench.postgresql import CannotRun, postgresql
from tests.component.local.running import Local, Runs

Serve = Callable[..., Local]


def environment(**more: str) -> dict[str, str]:
    """With this environment's python, pip and uwsgi-autopilot first. pip finds all of it installed, and asks nobody."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("DJANGO_", "PG", "DATABASE_"))}
    return {**ours, "PATH": path, "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", **more}


@pytest.fixture
def serve(tmp_path: Path, short_directory: Path, free_port: Callable[[], int]) -> Iterator[Serve]:
    """`serve(command, folder)` starts a page's command that serves, on a port of its own and with a run directory that
    lies alone in a fresh TMPDIR."""
    runs = Runs(tmp_path, short_directory)

    def start(command: str, folder: Path, *arguments: str, **more: str) -> Local:
        port = free_port()
        script = " ".join(["exec", command, "--port", str(port), *arguments])
        return runs.start(
            ["bash", "-c", script], f"http://127.0.0.1:{port}", more,
            base=environment(), cwd=folder, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    yield start
    runs.end()


@contextmanager
def load(url: str, what: str) -> Iterator[dict[str, Any]]:
    """The load generator's summary, filled in at the end of the `with`."""
    command = [sys.executable, "-m", "uwsgi_autopilot.loadgen", "--url", url, "--load", what, "--seconds", "400"]
    summary: dict[str, Any] = {}
    with tempfile.TemporaryFile("w+") as lines, subprocess.Popen(command, stdout=lines) as process:
        try:
            yield summary
        finally:
            process.terminate()
            process.wait(60)
        lines.seek(0)
        summary |= json.loads(lines.readlines()[-1])["summary"]


@pytest.fixture
def postgresql_url() -> Iterator[str]:
    """The superuser's URL of a real PostgreSQL, gone after the test."""
    with tempfile.TemporaryDirectory(prefix="uapg-") as folder:
        try:
            with postgresql(Path(folder)) as url:
                yield url
        except CannotRun as why:
            pytest.skip(f"NOT TESTED with PostgreSQL: {why}")
