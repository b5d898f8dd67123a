"""What `serve` decided about a real uWSGI is decided again from its recording."""

import json
import subprocess

import pytest

from tests.component.local.running import COMMAND, report_of, wait_for
from tests.component.serve.conftest import Serve, Site

pytestmark = pytest.mark.component

INI = """\
[uwsgi]
http = :{port}
wsgi-file = web.py
callable = app
processes = 1
threads = 2
env = DATABASE_PASSWORD=hunter2
"""
LOAD = "clients=32,path=/wait?0.1,header=Cookie: session=hunter2"


def test_a_run_is_recorded_and_replayed(site: Site, serve: Serve) -> None:
    site.write("http.ini", INI.format(port=site.port))
    run = serve("http.ini", "--record", "shop.jsonl", "--load", LOAD, "--report", "found.json")
    # Until its first decision, not for some seconds: where others have the cores, 20 s see none.
    wait_for(lambda: " changed" in run.out.read_text() or run.process.poll() is not None, 150)
    assert run.end() == 0, site.said
    decisions = report_of(site.folder / "found.json")["decisions"]
    assert decisions[0]["from"] == {"processes": 1, "threads": 2}

    def replayed(*more: str) -> "subprocess.CompletedProcess[str]":
        command = [COMMAND, "replay", "shop.jsonl", *more]
        return subprocess.run(command, cwd=site.folder, capture_output=True, text=True)

    told = replayed("--format", "json")
    assert (told.returncode, told.stderr) == (0, "")
    found = json.loads(told.stdout)
    assert found["decisions"] == found["recorded"] == decisions
    lines = replayed().stdout.splitlines()
    live = next(line for line in run.out.read_text().splitlines() if " changed" in line)
    assert live in lines
    assert "every change as recorded" in lines[-1]
    recorded = (site.folder / "shop.jsonl").read_text()
    assert "hunter2" not in recorded
    assert "/wait" not in recorded
