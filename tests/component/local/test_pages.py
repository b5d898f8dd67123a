"""The commands of README.md and docs/local.md as their reader types them, but for ports and for how long they run."""

import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from tests.component.local.running import Local, Runs, report_of, wait_for
from tests.pages import ROOT, commands

pytestmark = pytest.mark.component

BIN = Path(sys.executable).parent
WSGI = """\
import os
def app(environ, start_response):
    path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
    with open("asked", "a") as file:
        file.write(f" {path}\\n")
    if path == "/orders":
        with open("orders", "a") as file:
            length = int(environ.get("CONTENT_LENGTH") or 0)
            file.write(f"{method} {environ.get('HTTP_COOKIE')} {environ['wsgi.input'].read(length).decode()}\\n")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{method} {path}?{environ['QUERY_STRING']}".encode()]
"""
Typed = Callable[..., Local]


@pytest.fixture
def typed(tmp_path: Path, short_directory: Path, free_port: Callable[[], int]) -> Iterator[Typed]:
    """Types a command of `uwsgi-autopilot` into a shell in `folder`."""
    runs = Runs(tmp_path, short_directory)

    def start(command: str, folder: Path) -> Local:
        port = free_port()
        script = ["bash", "-c", f"exec {command} --port {port}"]
        path = {"PATH": f"{BIN}:{os.environ['PATH']}"}
        return runs.start(script, f"http://127.0.0.1:{port}", path, cwd=folder)

    yield start
    runs.end()


def answer(run: Local, path: str = "/") -> str:
    with urllib.request.urlopen(run.url + path, timeout=60) as found:
        return str(found.read().decode())


def test_the_manifest_of_the_readme_and_its_three_commands(typed: Typed, tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "wsgi.py").write_text(WSGI)
    text = (ROOT / "README.md").read_text()
    (manifest,) = re.findall(r"create `my.yaml`:\n\n```yaml\n(.*?)```", text, re.DOTALL)
    (folder / "my.yaml").write_text(manifest)
    plain, recommend, measured = commands("README.md", "uwsgi-autopilot local my.yaml")
    for command in (plain, recommend):
        run = typed(command, folder)
        run.served()
        assert answer(run) == "GET /?"
        assert run.end() == 0
    run = typed(measured, folder)
    run.served()
    wait_for(lambda: run.requests() > 100)
    assert run.end() == 0, run.err.read_text()
    assert (told := report_of(folder / "found.json"))["failed"] == 0
    assert told["requests"] > 100


def test_the_two_loads_of_the_page(typed: Typed, tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    (folder / "app").mkdir(parents=True)
    (folder / "app" / "wsgi.py").write_text(WSGI)
    (folder / "app" / "uwsgiapp.yaml").write_text((ROOT / "app" / "uwsgiapp.yaml").read_text())
    (folder / "session.txt").write_text("Cookie: session=mine\n")
    (phases,) = commands("docs/local.md", "--load from=30s")
    run = typed(phases.replace("30s", "2s") + " --report found.json", folder)
    run.served()

    def asked(path: str) -> bool:
        return f" {path}\n" in (folder / "app" / "asked").read_text()

    wait_for(lambda: run.requests() > 100 and asked("/io") and asked("/cpu"))
    assert run.end() == 0, run.err.read_text()
    assert (told := report_of(folder / "found.json"))["failed"] == 0
    assert told["requests"] > 100

    (orders,) = commands("docs/local.md", "session.txt")
    run = typed(orders, folder)
    run.served()

    def seen() -> set[str]:
        path = folder / "app" / "orders"
        return set(path.read_text().splitlines()) if path.exists() else set()

    wait_for(lambda: len(seen()) > 1)
    assert run.end() == 0, run.err.read_text()
    assert seen() == {"GET session=eyJ1c2VyIjoxfQ ", 'POST session=mine {"item": 7, "count": 1}'}


def test_make_demo_serves_the_example_under_load_and_ends_when_it_is_told(typed: Typed) -> None:
    """Not until its table, which takes two minutes. `make test`, the other command of that block, is what runs this."""
    (demo, _) = commands("README.md", "make demo")
    done = subprocess.run(
        [*demo.split(), "--dry-run", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True
    )
    command = done.stdout.splitlines()[-1]
    assert command == ".venv/bin/uwsgi-autopilot demo app/uwsgiapp.yaml"
    run = typed(command.removeprefix(".venv/bin/"), ROOT)
    run.says("64 clients ask for pages that wait 20 ms")
    wait_for(lambda: run.requests() > 64)
    assert run.end(signal.SIGINT) == 0
    assert "stopped" in run.out.read_text()
