"""What a real uWSGI led the autopilot to is decided again from its recording, by the commands of its page."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.component.local.running import report_of, wait_for
from tests.component.local.test_pages import BIN, Typed, typed  # noqa: F401
from tests.pages import commands

pytestmark = pytest.mark.component

WSGI = """\
import time
def app(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"ok"]
"""
MANIFEST = """\
apiVersion: uwsgi-autopilot.dev/v1alpha1
kind: UwsgiApp
metadata: {name: shop}
spec:
  module: wsgi:app
  env: [{name: DATABASE_PASSWORD, value: hunter2}]
  tuning: {start: {processes: 1, threads: 2}}
"""
LOAD = "'clients=32,path=/secret?token=hunter2,header=Cookie: session=hunter2'"


def test_a_run_is_recorded_and_replayed_as_the_page_says(typed: Typed, tmp_path: Path) -> None:  # noqa: F811
    record, replay = commands("docs/replay.md", "--record shop.jsonl")
    (tmp_path / "wsgi.py").write_text(WSGI)
    (tmp_path / "my.yaml").write_text(MANIFEST)
    run = typed(f"{record} --load {LOAD} --report report.json", tmp_path)
    # Interrupted after its first decision, not after some seconds: where others have the cores, 20 s see none.
    wait_for(lambda: " changed" in run.out.read_text() or run.process.poll() is not None, 150)
    assert run.end() == 0, run.err.read_text()
    decisions = report_of(tmp_path / "report.json")["decisions"]
    assert decisions[0]["from"] == {"processes": 1, "threads": 2}

    def replayed(*more: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [BIN / "uwsgi-autopilot", *replay.split()[1:], *more], cwd=tmp_path, capture_output=True, text=True
        )

    told = replayed("--format", "json")
    assert (told.returncode, told.stderr) == (0, "")
    found = json.loads(told.stdout)
    assert found["decisions"] == found["recorded"] == decisions
    assert found["parts"] is None
    assert found["samples"] > 2
    lines = replayed().stdout.splitlines()
    live = [line for line in run.out.read_text().splitlines() if "changed" in line or "kept" in line]
    assert live[0] in lines
    assert "every change as recorded" in lines[-1]
    other = replayed("--threads", "1-3")
    assert other.returncode == 1
    assert "and cannot judge it" in other.stdout.splitlines()[-1]
    assert "hunter2" not in (tmp_path / "shop.jsonl").read_text()
    assert "/secret" not in (tmp_path / "shop.jsonl").read_text()
