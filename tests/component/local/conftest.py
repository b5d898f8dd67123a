"""Real here: the command line, and everything it starts: nginx, the agent, uWSGI, the load generator."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from tests.component.local.running import COMMAND, MANIFEST, SITE, Local, wait_for

Run = Callable[..., Local]


@pytest.fixture
def local(tmp_path: Path, short_directory: Path, free_port: Callable[[], int]) -> Iterator[Run]:
    """Start the command; `manifest` is its text. Its run directory lies alone in a fresh TMPDIR."""
    started: list[Local] = []

    def start(
        *arguments: str,
        manifest: str = MANIFEST,
        env: dict[str, str] | None = None,
        port: int | None = None,
        user: int | None = None,
    ) -> Local:
        path = tmp_path / "uwsgiapp.yaml"
        path.write_text(manifest)
        port = port or free_port()
        command = [COMMAND, "local", str(path), "--chdir", str(SITE), "--port", str(port), *arguments]
        out, err = tmp_path / "out", tmp_path / "err"
        environment = {**os.environ, "TMPDIR": str(short_directory), **(env or {})}
        with out.open("wb") as out_file, err.open("wb") as err_file:
            process = subprocess.Popen(command, stdout=out_file, stderr=err_file, env=environment, user=user)
        run = Local(process, out, err, f"http://127.0.0.1:{port}", short_directory)
        started.append(run)
        return run

    yield start
    for run in started:
        if run.process.poll() is None:
            run.process.kill()
            run.process.wait()
    for run in started:  # all share one TMPDIR, in which each looks for what is left
        wait_for(lambda run=run: not run.processes() and not run.files(), 40)
