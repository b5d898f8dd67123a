"""`docker compose up` as a reader types it: real containers, load from outside, and what a replacement costs."""

import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.figures import Figures
from tests.e2e.place import until
from tests.pages import commands

ROOT = Path(__file__).resolve().parents[2]
PROJECT = "uwsgi-autopilot-e2e"
PORTS = ("PORT", "TCP_PORT", "TWO_PORT")

pytestmark = [pytest.mark.e2e, pytest.mark.alone]


def free_ports(count: int) -> list[str]:
    probes = [socket.create_server(("", 0)) for _ in range(count)]
    found = [str(each.getsockname()[1]) for each in probes]
    for each in probes:
        each.close()
    return found


class Compose:
    def __init__(self) -> None:
        self.ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        self._environment = {**os.environ, **self.ports, "CPUS": "1", "MEMORY": "512m"}

    def type(self, command: str, *, seconds: float = 300) -> str:
        """A command of the page, in a shell that knows the project and its ports."""
        bin_of_setup = f"{Path(sys.executable).parent}/"
        command = command.replace(".venv/bin/", bin_of_setup).replace(":8088", f":{self.ports['PORT']}")
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=ROOT,
            env={**self._environment, "COMPOSE_PROJECT_NAME": PROJECT},
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def run(self, *arguments: str, check: bool = True) -> str:
        command = ["docker", "compose", "--project-name", PROJECT, *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env=self._environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert not check or done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
        return done.stdout

    def down(self) -> None:
        everything = ("--profile", "tcp", "--profile", "two")
        self.run(*everything, "down", "--volumes", "--timeout", "5", check=False)

    def get(self, port: str, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[port]}{path}", timeout=20) as answer:
            return str(answer.read().decode())

    def state(self, service: str) -> Any:
        """What the agent in the container says of itself, with its samples."""
        ask = (
            "import urllib.request as web; print(web.urlopen('http://127.0.0.1:9117/v1/state?since=0').read().decode())"
        )
        return json.loads(self.run("exec", "-T", service, "python3", "-c", ask))

    def decided(self, service: str) -> bool:
        return " kept " in self.run("logs", service)

    @contextmanager
    def load(self, port: str, load: str) -> Iterator[dict[str, Any]]:
        """The summary is filled in at the end of the `with`."""
        url = f"http://127.0.0.1:{self.ports[port]}"
        command = [sys.executable, "-m", "uwsgi_autopilot.loadgen", "--url", url, "--load", load, "--seconds", "300"]
        summary: dict[str, Any] = {}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            lines: list[str] = []
            try:
                yield summary
            finally:
                process.terminate()
                lines = process.communicate(timeout=60)[0].splitlines()
        summary |= json.loads(lines[-1])["summary"]


@pytest.fixture(scope="module")
def compose() -> Iterator[Compose]:
    for command in (["docker", "info"], ["docker", "compose", "version"]):
        if shutil.which("docker") is None or subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip(f"NOT TESTED: `{' '.join(command)}` does not work here (make compose-tools)")
    compose = Compose()
    compose.down()
    try:
        yield compose
    finally:
        compose.down()


def test_it_serves_is_tuned_within_its_limits_and_a_restart_answers_only_503(
    compose: Compose, figures: Figures
) -> None:
    up, logs, _ = commands("docs/compose.md", "docker compose down")
    assert [up, logs] == commands("README.md", "docker compose up")
    # In the background, and with the code of now.
    compose.type(f"{up} --detach --build --wait")
    assert "It runs." in compose.get("PORT", "/")
    assert '"GET / HTTP/1.1" 200 ' in compose.run("logs", "nginx"), "the access log, as nginx users know it"
    with compose.load("PORT", "clients=24,path=/io?ms=50") as tuning:
        until("a change is kept", lambda: compose.decided("app"), 60)
    assert tuning["failures"] == {}
    state = compose.state("app")
    assert state["shape"]["processes"] * state["shape"]["threads"] > 2
    samples = state["samples"]
    assert {each["cores"] for each in samples} == {1.0}
    assert {each["memory_limit"] for each in samples} == {512 * 1024**2}
    assert max(each["queue_max"] for each in samples) > 0, "the queue is seen from another network namespace"
    assert max(each["busy"] for each in samples) > 1, "and the requests in service"
    assert any(each["latency"] for each in samples), "nginx's log arrives"
    decisions, metrics = commands("docs/compose.md", "docker compose logs app |")
    assert " kept " in compose.type(decisions)
    assert "uwsgi_autopilot_" in compose.type(metrics)
    assert " kept " in compose.type(f"timeout 5 {logs} || [ $? = 124 ]"), "followed until it is stopped"

    with compose.load("PORT", "rate=50,path=/io?ms=20") as over:
        compose.run("restart", "app")
        compose.run("up", "--detach", "--wait")
    away = over["failures"].get("status 503", 0)
    assert over["failures"] == ({"status 503": away} if away else {}), "neither 502 nor a reset"
    assert 0 < away < over["sent"]
    figures.append(f"restart: {away / 50:.1f} s answer 503, nothing else fails ({over['sent']} sent at 50/s)")

    measured = "\n".join(commands("docs/compose.md", "uwsgi_autopilot.loadgen"))
    summary = json.loads(compose.type(measured).splitlines()[-1])["summary"]
    assert set(summary["failures"]) <= {"status 503"}
    assert summary["sent"] > 0


def test_over_tcp_the_queue_is_seen_and_a_new_address_is_found(compose: Compose) -> None:
    compose.run("up", "--detach", "--wait", "nginx-tcp", "app-tcp")
    with compose.load("TCP_PORT", "clients=24,path=/io?ms=50") as tuning:
        until("a change is kept", lambda: compose.decided("app-tcp"), 60)
    assert tuning["failures"] == {}
    samples = compose.state("app-tcp")["samples"]
    assert max(each["queue_max"] for each in samples) > 0
    assert max(each["busy"] for each in samples) > 1
    assert any(each["latency"] for each in samples)

    compose.run("up", "--detach", "--wait", "--no-deps", "--force-recreate", "app-tcp")
    until("it is found again", lambda: "It runs." in compose.get("TCP_PORT", "/"), 10)
    compose.run("--profile", "tcp", "stop", "nginx-tcp", "app-tcp")


def test_with_two_containers_replacing_one_after_the_other_fails_nothing(compose: Compose, figures: Figures) -> None:
    two = ("app-one", "app-two")
    compose.run("up", "--detach", "--wait", "nginx-two", *two)
    build, replace = commands("docs/compose.md", "for each in app-one app-two")
    compose.type(build)
    with compose.load("TWO_PORT", "rate=50,path=/io?ms=20") as over:
        compose.type(replace)
    assert over["failures"] == {}
    figures.append(f"two containers, each replaced: 0 of {over['sent']} failed")


def test_down_removes_what_up_has_made(compose: Compose) -> None:
    """The last of the three commands, and with its profiles all of it."""
    down = commands("docs/compose.md", "docker compose down")[2]
    compose.type(down.replace("compose down", "compose --profile tcp --profile two down --timeout 5"))
    assert compose.run("ps", "--all", "--quiet") == ""
