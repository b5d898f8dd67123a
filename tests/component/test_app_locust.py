"""app/locustfile.py with the real Locust, without its page, against the real application."""

import csv
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.component

APP = Path(__file__).resolve().parents[2] / "app"


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True


def test_locust_visits_every_page_and_nothing_fails(uwsgi_programs, tmp_path, free_port, starting, until) -> None:
    port = free_port()
    shutil.copytree(APP, tmp_path / "app", ignore=shutil.ignore_patterns("__pycache__"))
    ini = tmp_path / "app" / "http.ini"
    ini.write_text(ini.read_text().replace("http = :8080", f"http = 127.0.0.1:{port}"))
    program = uwsgi_programs[0]
    starting([str(program.path), "http.ini"], cwd=ini.parent, env=program.env, stderr=subprocess.DEVNULL)
    until(lambda: answers(port), "http.ini serves")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "locust", "--locustfile", str(APP / "locustfile.py")),
            *("--host", f"http://127.0.0.1:{port}", "--headless", "--users", "8", "--spawn-rate", "8"),
            *("--run-time", "4s", "--csv", str(tmp_path / "out"), "--only-summary"),
        ],
        capture_output=True,
        text=True,
        timeout=90,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    with (tmp_path / "out_stats.csv").open() as file:
        rows = {row["Name"]: row for row in csv.DictReader(file)}
    assert set(rows) == {"/mixed", "/io", "/cpu", "Aggregated"}
    for row in rows.values():
        assert int(row["Request Count"]) > 0
        assert int(row["Failure Count"]) == 0


def test_the_manifest_is_that_of_this_folder() -> None:
    manifest = yaml.safe_load((APP / "uwsgiapp.yaml").read_text())
    assert manifest["metadata"]["name"] == "demo"
    assert manifest["spec"]["module"] == "wsgi:app"
    assert manifest["spec"]["service"] == {"type": "NodePort", "nodePort": 30088}
    assert manifest["spec"]["tuning"]["start"] == {"processes": 1, "threads": 2}
