"""The two containers of a pod as processes: the agent and nginx with what the operator tells them, but for paths and
ports. Unlike a Session nobody stands beside them, and the kubelet's port of nginx is there."""

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from uwsgi_autopilot.api.desired import DesiredShape, Version
from uwsgi_autopilot.api.nginxspec import NginxSpec
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import HealthSpec, UwsgiApp, UwsgiOption
from uwsgi_autopilot.kernel.spawn import clean_environment
from uwsgi_autopilot.local.agentclient import AgentClient
from uwsgi_autopilot.resources.layout import Layout, agent_config, nginx_site
from uwsgi_autopilot.resources.nginx import nginx_conf

START = Shape(1, 2)
AGENT = (sys.executable, "-I", "-m", "uwsgi_autopilot.agent")
SITE = Path(__file__).parent / "site"


@dataclass
class PodProcesses:
    """`client`: of nginx's port for requests; `probes`: for the kubelet's questions; `port`: the agent's own."""

    run: Path
    client: int
    probes: int
    port: int
    children: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def get(self, path: str, port: int | None = None, timeout: float = 30) -> tuple[int, str]:
        """(status, text)."""
        connection = http.client.HTTPConnection("127.0.0.1", port or self.client, timeout=timeout)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def ready(self) -> tuple[int, str]:
        """As the kubelet asks."""
        return self.get("/_autopilot/ready", self.probes)

    def state(self) -> dict[str, Any]:
        client = AgentClient(str(self.run / "agent.sock"))
        try:
            return client.state(-1) or {}
        finally:
            client.close()

    def printed(self) -> str:
        return "".join((self.run / f"{name}.log").read_text()[-2000:] for name in ("agent", "nginx"))

    def said(self, what: str) -> bool:
        """Whether the agent's log has these words."""
        return what in (self.run / "agent.log").read_text()

    def desire(self, seq: int, shape: Shape) -> None:
        (self.run / "desired.new").write_text(DesiredShape(version=Version(1, seq), shape=shape).to_text())
        (self.run / "desired.new").rename(self.run / "desired")

    def until(self, wanted: Callable[[], Any], what: str, timeout: float = 60) -> Any:
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            try:
                if found := wanted():
                    return found
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.1)
        pytest.fail(f"not within {timeout} s: {what}; state: {self.state()}; printed: {self.printed()}")


def start_pod(
    run: Path,
    ports: tuple[int, int, int],
    *,
    uwsgi: str,
    nginx: str,
    module: str = "app:app",
    health_path: str = "/",
    shape: Shape = START,
    read_timeout_s: int = 60,
    options: tuple[tuple[str, str | None], ...] = (),
    nginx_spec: NginxSpec | None = None,
    cgroup: Path | None = None,
    everywhere: bool = False,
    before: Sequence[str] = (),
    **changes: Any,
) -> PodProcesses:
    """`everywhere`: on all addresses, as in a pod, after what its init container does. `before`: stands before each
    command. `nginx_spec` replaces `read_timeout_s`. `cgroup`: a directory, the agent's container's. `changes`: fields
    of the agent's configuration that no manifest gives."""
    pod = PodProcesses(run, *ports)
    (run / "private").mkdir(mode=0o700)
    layout = Layout(
        run=str(run),
        private=str(run / "private"),
        temporary=str(run),
        desired=str(run / "desired"),
        agent_port=f"[::]:{pod.port}" if everywhere else f"127.0.0.1:{pod.port}",
        nginx_listen=str(pod.client) if everywhere else f"127.0.0.1:{pod.client}",
        nginx_probes=str(pod.probes) if everywhere else f"127.0.0.1:{pod.probes}",
        nginx_port=pod.client,
        more_listens=str(run) if everywhere else None,
    )
    app = UwsgiApp(
        name="pod",
        module=module,
        env=(("FAULTS", str(run)),),
        options=tuple(UwsgiOption(name=name, value=value) for name, value in options),
        nginx=nginx_spec or NginxSpec(read_timeout_s=read_timeout_s),
        health=HealthSpec(path=health_path),
    )
    config = agent_config(app, layout, uwsgi=[uwsgi], chdir=str(SITE), start=shape, drain_seconds=20, env=app.env)
    (run / "agent.json").write_text(replace(config, **changes).to_text())
    (run / "nginx.conf").write_text(nginx_conf(nginx_site(app, layout, user="root" if os.geteuid() == 0 else None)))
    search = {"PATH": f"{Path(uwsgi).parent}:/usr/bin:/bin"}
    if everywhere:
        copy = [*AGENT, "--install", str(run / "copied"), str(run), str(pod.client), str(pod.probes)]
        with (run / "install.log").open("wb") as log:
            subprocess.run([*before, *copy], stderr=log, check=True, timeout=60)
    for name, command in (
        ("agent", [*before, *AGENT, f"{run}/agent.json"]),
        ("nginx", [*before, nginx, "-p", str(run), "-c", f"{run}/nginx.conf", "-e", "stderr"]),
    ):
        if cgroup is not None and name == "agent":
            command = ["/bin/sh", "-c", f'echo $$ > {cgroup}/cgroup.procs && exec "$@"', "sh", *command]
        with (run / f"{name}.log").open("ab") as log:
            pod.children[name] = subprocess.Popen(
                command, env=clean_environment(search, {}), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
    return pod


def stop_pod(pod: PodProcesses) -> None:
    for child in pod.children.values():
        child.terminate()
        child.terminate()
    for child in pod.children.values():
        try:
            child.wait(15)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait(10)
