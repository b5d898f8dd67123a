"""app/locustfile.py with the real Locust, without its page, against the real application."""

import csv
import json
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen

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


@pytest.fixture
def example(uwsgi_programs, tmp_path, free_port, starting, until) -> int:
    """The port at which http.ini serves, by plain uWSGI."""
    port = free_port()
    shutil.copytree(APP, tmp_path / "app", ignore=shutil.ignore_patterns("__pycache__"))
    ini = tmp_path / "app" / "http.ini"
    ini.write_text(ini.read_text().replace("http = :8080", f"http = 127.0.0.1:{port}"))
    program = uwsgi_programs[0]
    starting([str(program.path), "http.ini"], cwd=ini.parent, env=program.env, stderr=subprocess.DEVNULL)
    until(lambda: answers(port), "http.ini serves")
    return port


def test_locust_visits_every_page_and_nothing_fails(example, tmp_path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "locust", "--locustfile", str(APP / "locustfile.py")),
            *("--host", f"http://127.0.0.1:{example}", "--headless", "--users", "8", "--spawn-rate", "8"),
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


PAGE = (APP.parent / "docs" / "load.md").read_text()


def test_a_thousand_users_as_the_page_says(uwsgi_programs, tmp_path, free_port, starting, until) -> None:
    """The headless command of docs/load.md, but for the port and for seconds instead of a minute."""
    port = free_port()
    serving = [str(Path(sys.executable).parent / "uwsgi-autopilot"), "local", str(APP / "uwsgiapp.yaml")]
    with (tmp_path / "out").open("w") as out:
        starting([*serving, "--port", str(port), "--for", "60s"], stdout=out, stderr=subprocess.DEVNULL)
    until(lambda: "is served at" in (tmp_path / "out").read_text(), "the example serves")
    (command,) = [line for line in PAGE.splitlines() if "--headless" in line]
    command = command.replace(".venv/bin/locust -f app", f"{sys.executable} -m locust -f {APP}")
    command = command.replace("localhost:8088", f"127.0.0.1:{port}").replace("--run-time 1m", "--run-time 12s")
    script = f"ulimit -n 16384; {command} --csv {tmp_path / 'out'} --only-summary"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with (tmp_path / "out_stats.csv").open() as file:
        total = {row["Name"]: row for row in csv.DictReader(file)}["Aggregated"]
    assert (int(total["Failure Count"]), int(total["Request Count"]) > 500) == (0, True)


def test_the_page_of_locust_starts_users(example, tmp_path, free_port, starting, until) -> None:
    """As a browser does it: the form, and the figures that it then asks for."""
    page = free_port()
    command = [sys.executable, "-m", "locust", "-f", str(APP / "locustfile.py"), "--web-port", str(page)]
    starting(
        [*command, "--host", f"http://127.0.0.1:{example}"], cwd=tmp_path, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    until(lambda: answers(page), "Locust's page is there")
    with urlopen(f"http://127.0.0.1:{page}/", timeout=20) as answer:
        assert b"Locust" in answer.read()
    form = urlencode({"user_count": 8, "spawn_rate": 8, "host": f"http://127.0.0.1:{example}"}).encode()
    with urlopen(f"http://127.0.0.1:{page}/swarm", data=form, timeout=20) as answer:
        assert json.load(answer)["success"]

    def figures():
        with urlopen(f"http://127.0.0.1:{page}/stats/requests", timeout=20) as answer:
            return json.load(answer)

    until(lambda: figures()["user_count"] == 8 and figures()["total_rps"] > 0, "users are at work")
    assert figures()["fail_ratio"] == 0


def test_the_page_of_locust_in_a_browser_asks_for_users_and_host(tmp_path, free_port, starting, until) -> None:
    """Its form exists only once its script has run."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("NOT TESTED: no Chromium is installed (apt-get install chromium)")
    page = free_port()
    command = [sys.executable, "-m", "locust", "-f", str(APP / "locustfile.py"), "--web-port", str(page)]
    starting([*command, "--host", "http://127.0.0.1:9"], cwd=tmp_path, stderr=subprocess.DEVNULL)
    until(lambda: answers(page), "Locust's page is there")
    shown = subprocess.run(
        [
            *(browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            *(f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=3000", "--dump-dom"),
            f"http://127.0.0.1:{page}/",
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert shown.returncode == 0, shown.stderr
    assert 'name="userCount"' in shown.stdout
    assert "http://127.0.0.1:9" in shown.stdout
