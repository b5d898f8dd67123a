"""Real here: the command line, and everything it starts: nginx, the agent, uWSGI, the load generator."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from tests.component.local.running import COMMAND, MANIFEST, SITE, Local, Runs

Run = Callable[..., Local]


@pytest.fixture
def local(tmp_path: Path, short_directory: Path, free_port: Callable[[], int]) -> Iterator[Run]:
    """Start the command; `manifest` is its text. Its run directory lies alone in a fresh TMPDIR."""
    runs = Runs(tmp_path, short_directory)

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
        return runs.start(command, f"http://127.0.0.1:{port}", env, user=user)

    yield start
    runs.end()
