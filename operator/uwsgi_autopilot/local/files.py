"""What is written into the run directory for the agent and for nginx: pure, from the manifest and the places."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

from uwsgi_autopilot.api.agentconfig import AgentConfig
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import UwsgiApp
from uwsgi_autopilot.resources.nginx import NginxSite

# Added to the longest request that nginx waits for: the agent's own deadlines come after nginx's.
FAREWELL_SECONDS = 10.0
RETIRE_SECONDS = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """run: the run directory. folder: where the application's modules lie. uwsgi: path of the program."""

    run: Path
    folder: Path
    uwsgi: str
    host: str
    port: int
    start: Shape


def agent_config(app: UwsgiApp, place: Place) -> AgentConfig:
    """Limits of the manifest are budgets here: memory and cores that the tuner and the agent keep to."""
    tuning, run = app.tuning, place.run
    return AgentConfig(
        name=app.name,
        uwsgi=(place.uwsgi,),
        module=app.module,
        chdir=str(place.folder),
        socket=str(run / "app.sock"),
        private=str(run / "private"),
        wanted=str(run / "wanted"),
        start=place.start,
        listen=f"unix:{run / 'agent.sock'}",
        max_processes=max(tuning.processes.max, place.start.processes),
        max_threads=max(tuning.threads.max, place.start.threads),
        options=tuple((option.name, option.value) for option in app.options),
        env=app.env,
        log_socket=str(run / "log.sock"),
        draining=str(run / "draining"),
        nginx_port=place.port,
        health_path=app.health.path,
        health_host=app.health.host,
        memory_limit=app.limits.memory,
        cores=app.limits.cpu,
        request_seconds=app.nginx.read_timeout_s + RETIRE_SECONDS,
        drain_seconds=app.nginx.read_timeout_s + FAREWELL_SECONDS,
    )


def nginx_site(app: UwsgiApp, place: Place) -> NginxSite:
    """Directories of static files are relative to the folder of the application."""
    run = place.run
    static = tuple(replace(each, dir=str(place.folder / each.dir)) for each in app.nginx.static)
    return NginxSite(
        listen=(f"{place.host}:{place.port}",),
        socket=str(run / "app.sock"),
        run=str(run),
        log_socket=str(run / "log.sock"),
        draining=str(run / "draining"),
        agent=f"unix:{run / 'agent.sock'}",
        spec=replace(app.nginx, static=static),
        health_path=app.health.path,
        health_host=app.health.host,
        public_agent=True,
        # Started by root, nginx's workers would become another user, who cannot enter the run directory.
        user="root" if os.geteuid() == 0 else None,
    )
