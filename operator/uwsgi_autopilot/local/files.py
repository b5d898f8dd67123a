"""What is written into the run directory for the agent and for nginx: pure, from the manifest and the layout."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from uwsgi_autopilot.api.agentconfig import AgentConfig
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import Bounds, UwsgiApp
from uwsgi_autopilot.kernel.cgroup import usable_cores
from uwsgi_autopilot.local.janitor import RECORD
from uwsgi_autopilot.resources import layout
from uwsgi_autopilot.resources.nginx import NginxSite, nginx_conf

# Added to the longest request that nginx waits for: the agent's own deadline comes after nginx's.
FAREWELL_SECONDS = 10.0
# Where the agent writes why it could not serve at all.
FAILURE = "failure"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFiles:
    """agent: its configuration. nginx: the text of nginx.conf; None: no nginx. router: the command of uWSGI's HTTP
    router; None: no such router."""

    agent: AgentConfig
    nginx: str | None = None
    router: Sequence[str] | None = None


def of_manifest(app: UwsgiApp, run: Path, *, host: str, port: int, folder: Path, uwsgi: str, start: Shape) -> RunFiles:
    where = layout_of(run, host, port)
    return RunFiles(
        agent=agent_config(app, where, folder=folder, uwsgi=uwsgi, start=start),
        nginx=nginx_conf(nginx_site(app, where, folder=folder)),
    )


def process_bounds(app: UwsgiApp) -> Bounds:
    return app.tuning.processes.on(usable_cores(app.limits.cpu))


def layout_of(run: Path, host: str, port: int) -> layout.Layout:
    """`run`: the run directory."""
    return layout.Layout(
        run=str(run),
        private=str(run / "private"),
        temporary=str(run),
        desired=str(run / "desired"),
        promoted=str(run / "promoted"),
        nginx_listen=f"{host}:{port}",
        termination_log=str(run / FAILURE),
        nginx_port=port,
    )


def agent_config(app: UwsgiApp, where: layout.Layout, *, folder: Path, uwsgi: str, start: Shape) -> AgentConfig:
    """Limits of the manifest are budgets here: memory and cores that the tuner and the agent keep to."""
    tuning = app.tuning
    config = layout.agent_config(
        app,
        where,
        uwsgi=[uwsgi],
        chdir=str(folder),
        start=start,
        drain_seconds=app.nginx.read_timeout_s + FAREWELL_SECONDS,
        env=app.env,
        memory_limit=app.limits.memory,
        cores=app.limits.cpu,
    )
    processes = max(process_bounds(app).max, start.processes)
    # As many slots as may ever be wanted, so that more workers never need a new generation: an unused slot costs
    # 140 KiB a thread of memory that is touched only when used, and no process.
    return replace(
        config,
        max_processes=processes,
        max_threads=max(tuning.threads.max, start.threads),
        ceiling=processes,
        record=f"{where.run}/{RECORD}",
    )


def nginx_site(app: UwsgiApp, where: layout.Layout, *, folder: Path) -> NginxSite:
    """Directories of static and of internal files are relative to the folder of the application."""
    static, internal = (
        [replace(each, dir=str(folder / each.dir)) for each in files]
        for files in (app.nginx.static, app.nginx.internal)
    )
    # Started by root, nginx's workers would become another user, who cannot enter the run directory.
    user = "root" if os.geteuid() == 0 else None
    return layout.nginx_site(app, where, public_agent=True, user=user, static=static, internal=internal)
