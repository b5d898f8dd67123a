"""A virtual machine: real systemd, Debian's nginx, and what `uwsgi-autopilot render` prints, word for word."""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.place import until
from tests.pages import commands

ROOT = Path(__file__).resolve().parents[2]
IMAGE = "uwsgi-autopilot-systemd:test"
APP = """\
import os, time
VERSION = "one"
def app(environ, start_response):
    time.sleep(0.02)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{VERSION} {os.getuid()}\\n".encode()]
"""
INI = """\
[uwsgi]
module = web:app
socket = /run/shop/app.sock
chmod-socket = 664
master = true
processes = 1
threads = 2
stats = /run/shop/stats.sock
logto = /var/log/shop/app.log
vacuum = true
die-on-term = true
"""


class Machine:
    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, *command: str, stdin: str | None = None, check: bool = True) -> str:
        done = subprocess.run(
            ["docker", "exec", "-i", self.name, *command], input=stdin, text=True, capture_output=True, timeout=120
        )
        assert not check or done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
        return done.stdout

    def sh(self, script: str, *, check: bool = True) -> str:
        return self.run("bash", "-ec", script, check=check)

    def write(self, path: str, text: str) -> None:
        self.run("tee", path, stdin=text)

    def page(self) -> str:
        return self.sh("curl -s -m 10 -w '%{http_code}' http://127.0.0.1/", check=False)


@pytest.fixture(scope="module")
def image() -> str:
    if shutil.which("docker") is None or subprocess.run(["docker", "info"], capture_output=True).returncode:
        pytest.skip("NO DOCKER: real systemd is not tested")
    command = ["docker", "build", "--quiet", "--file", str(ROOT / "tests/e2e/systemd.Dockerfile"), "--tag", IMAGE, "."]
    subprocess.run(command, cwd=ROOT, check=True, timeout=600)
    return IMAGE


@pytest.fixture(params=["root that becomes www-data", "www-data"])
def machine(image: str, request: pytest.FixtureRequest) -> Iterator[Machine]:
    name = f"uwsgi-autopilot-systemd-{'root' if 'root' in request.param else 'user'}"
    subprocess.run(["docker", "rm", "--force", name], capture_output=True, check=False)
    started = ["docker", "run", "--detach", "--name", name, "--privileged", "--tmpfs", "/run", "--tmpfs", "/tmp", image]
    subprocess.run(started, check=True, capture_output=True, timeout=60)
    machine = Machine(name)
    until("systemd runs", lambda: machine.run("systemctl", "is-system-running", check=False).strip() == "running", 60)
    try:
        machine.sh(
            "mkdir -p /srv/shop /var/log/shop && chown www-data /var/log/shop && rm /etc/nginx/sites-enabled/default"
        )
        machine.write("/srv/shop/web.py", APP)
        machine.write(
            "/srv/shop/app.ini", INI + ("uid = www-data\ngid = www-data\n" if "root" in request.param else "")
        )
        yield machine
    finally:
        if getattr(request.node, "failed", False):
            print(machine.sh("systemctl status shop-app; journalctl -n 80; cat /var/log/shop/app.log", check=False))
        subprocess.run(["docker", "rm", "--force", name], capture_output=True, check=False)


def test_what_render_prints_serves(machine: Machine) -> None:
    """Installed as it says; tuned; new code without a lost request; stopped without a trace."""
    (render,) = commands("docs/machine.md", "render app.ini")
    printed = machine.sh(render)
    files = dict(re.findall(r"^# --- (/\S+)\n(.*?)\n(?=# --- )", printed, re.MULTILINE | re.DOTALL))
    assert sorted(files) == [
        "/etc/logrotate.d/shop-app",
        "/etc/nginx/sites-available/shop-app",
        "/etc/systemd/system/shop-app.service",
        "/etc/tmpfiles.d/shop-app.conf",
    ]
    for path, text in files.items():
        machine.write(path, text)
    machine.write("/etc/systemd/system/shop-app.service", files["/etc/systemd/system/shop-app.service"])
    steps = [line.removeprefix("#   ").partition("  #")[0] for line in printed.splitlines() if line.startswith("#   ")]
    assert len(steps) == 6
    for step in steps:
        machine.sh(step)

    # Type=notify: `systemctl enable --now` came back when it served.
    assert machine.page() == "one 33\n200"
    status, reload, journal, stop = commands("docs/machine.md", "systemctl reload")
    assert 'Status: "1 process of 2 threads' in machine.sh(status)
    machine.sh("logrotate --debug /etc/logrotate.d/shop-app")

    # The queue is seen through the sandbox, so it is tuned.
    load = "/srv/venv/bin/python -m uwsgi_autopilot.loadgen --url http://127.0.0.1 --load clients=24 --seconds 30"
    machine.sh(f"{load} >/tmp/load 2>&1 &")
    until("a change is kept", lambda: " kept " in machine.sh(journal), 40)
    state = json.loads(machine.sh("curl -s http://127.0.0.1:9117/v1/state?since=0"))
    assert state["shape"]["threads"] * state["shape"]["processes"] > 2
    assert max(each["queue_max"] for each in state["samples"]) > 0

    # New code under that load.
    machine.write("/srv/shop/web.py", APP.replace('"one"', '"two"'))
    machine.sh(reload)
    until("the new code serves", lambda: machine.page() == "two 33\n200", 30)
    until("the load has ended", lambda: '"summary"' in machine.sh("cat /tmp/load"), 60)
    summary = json.loads(machine.sh("tail -1 /tmp/load"))["summary"]
    assert (summary["failed"], summary["sent"] > 500) == (0, True), summary

    machine.sh(stop)
    assert machine.sh("systemctl show -p Result,ExecMainStatus --value shop-app").split() in (
        ["success", "0"],
        ["0", "success"],
    )
    assert machine.page().endswith("502")
    assert machine.sh("ls -A /run/shop") == ""
    assert machine.sh("pgrep -f '[u]wsgi' || true") == ""


def test_the_command_is_installed_in_that_image_as_the_page_says() -> None:
    (install,) = commands("docs/machine.md", "/srv/venv/bin/pip")
    quiet = " --quiet --no-cache-dir --disable-pip-version-check"
    assert f"&& {install}" in (ROOT / "tests/e2e/systemd.Dockerfile").read_text().replace(quiet, "")


def test_a_command_that_hangs_is_started_again(machine: Machine) -> None:
    """The watchdog: here of 3 seconds."""
    unit = machine.sh("cd /srv/shop && /srv/venv/bin/uwsgi-autopilot render --systemd app.ini").partition(
        "# --- /etc/tmp"
    )[0]
    machine.write("/etc/systemd/system/shop-app.service", unit.replace("WatchdogSec=30", "WatchdogSec=3"))
    machine.sh("mkdir -p /run/shop && chown www-data /run/shop && systemctl daemon-reload && systemctl start shop-app")
    first = machine.sh("systemctl show -p MainPID --value shop-app").strip()
    time.sleep(4)
    assert machine.sh("systemctl show -p MainPID --value shop-app").strip() == first, "alive all the time"
    machine.sh(f"kill -STOP {first}")
    until(
        "another one runs",
        lambda: machine.sh("systemctl show -p MainPID --value shop-app").strip() not in ("0", first),
        60,
    )
    until("it serves", lambda: machine.sh("systemctl is-active shop-app", check=False).strip() == "active", 60)
