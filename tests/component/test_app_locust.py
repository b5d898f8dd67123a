"""app/locustfile.py with the real Locust, with its page and without, against the real application."""

import csv
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
import yaml

from tests.component.browser import browser_page
from tests.pages import commands

pytestmark = pytest.mark.component

APP = Path(__file__).resolve().parents[2] / "app"
BIN = Path(sys.executable).parent


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


def test_locust_visits_every_page_and_nothing_fails(example, tmp_path, starting, until) -> None:
    """Until it has: the seldom one may take a while to come, on a busy machine."""
    command = [
        *(sys.executable, "-m", "locust", "--locustfile", str(APP / "locustfile.py")),
        *("--host", f"http://127.0.0.1:{example}", "--headless", "--users", "8", "--spawn-rate", "8"),
        *("--csv", str(tmp_path / "out"), "--only-summary"),
    ]
    with (tmp_path / "log").open("w") as log:
        locust = starting(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=log)

    def rows() -> dict[str, tuple[int, int]]:
        """(requests, failures) of each name."""
        try:
            with (tmp_path / "out_stats.csv").open() as file:
                lines = {row["Name"]: (row["Request Count"], row["Failure Count"]) for row in csv.DictReader(file)}
            return {name: (int(requests), int(failures)) for name, (requests, failures) in lines.items()}
        except (OSError, TypeError, ValueError):
            return {}  # not written yet, or half

    pages = {"/mixed", "/io", "/cpu", "Aggregated"}
    until(lambda: locust.poll() is not None or pages <= rows().keys(), "every page was visited")
    locust.send_signal(signal.SIGTERM)
    assert locust.wait(60) == 0, (tmp_path / "log").read_text()
    seen = rows()
    assert set(seen) == pages
    for requests, failures in seen.values():
        assert requests > 0
        assert failures == 0


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
        starting([*serving, "--port", str(port), "--for", "10m"], stdout=out, stderr=subprocess.DEVNULL)
    until(lambda: "is served at" in (tmp_path / "out").read_text(), "the example serves")
    (command,) = commands("docs/load.md", "--headless")
    command = command.replace(".venv/bin/locust -f app", f"{sys.executable} -m locust -f {APP}")
    command = command.replace("localhost:8088", f"127.0.0.1:{port}").replace("--run-time 1m", "--run-time 12s")
    script = f"ulimit -n 16384; {command} --csv {tmp_path / 'out'} --only-summary"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=150, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with (tmp_path / "out_stats.csv").open() as file:
        total = {row["Name"]: row for row in csv.DictReader(file)}["Aggregated"]
    assert (int(total["Failure Count"]), int(total["Request Count"]) > 0) == (0, True)


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


def test_a_person_walks_through_the_page_with_a_browser(tmp_path, free_port, starting, until) -> None:
    """docs/load.md from above: its two terminals, and what is to be entered in Locust's page; other ports."""
    port, page = free_port(), free_port()
    serve = "; ".join(commands("docs/load.md", "uwsgi-autopilot local"))
    serve = serve.replace(".venv/bin/uwsgi-autopilot", f"exec {BIN}/uwsgi-autopilot") + f" --port {port}"
    load = "; ".join(commands("docs/load.md", "--host http://localhost:8088\n"))
    load = load.replace(".venv/bin/locust", f"exec {BIN}/python -m locust").replace(":8088", f":{port}")
    with (tmp_path / "out").open("w") as out:
        starting(["bash", "-ec", serve], cwd=APP.parent, stdout=out, stderr=subprocess.DEVNULL)
    starting(["bash", "-ec", f"{load} --web-port {page}"], cwd=APP.parent, stderr=subprocess.DEVNULL)
    until(lambda: "is served at" in (tmp_path / "out").read_text(), "the example serves")
    until(lambda: answers(page), "Locust's page is there")
    users, rate = re.findall(r"enter (\d+) users and (\d+) users started per second", PAGE)[0]
    with browser_page(tmp_path, starting) as browser:
        browser.open(f"http://localhost:{page}")
        browser.fill("userCount", users)
        browser.fill("spawnRate", rate)
        browser.press("start")
        browser.until("/Aggregated\\s+[1-9]/.test(document.body.innerText)", "figures of the requests")
        assert "/mixed" in browser.text()

    def told():
        with urlopen(f"http://127.0.0.1:{page}/stats/requests", timeout=60) as answer:
            return json.load(answer)

    until(lambda: told()["user_count"] >= 100, "users are started")
    figures = told()
    assert (figures["state"] in ("spawning", "running"), figures["fail_ratio"]) == (True, 0)
