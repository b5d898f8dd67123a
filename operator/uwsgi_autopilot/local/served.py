"""What is run for a uWSGI configuration that was taken over: the agent, and a router where it speaks HTTP. Pure."""

import math
import os
from dataclasses import dataclass, replace
from pathlib import Path

from uwsgi_autopilot.api.address import tcp_address
from uwsgi_autopilot.api.nginxspec import NginxSpec
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.takeover import Takeover
from uwsgi_autopilot.api.uwsgiapp import Bounds, Mode, ProcessBounds, TuningSpec, UwsgiApp
from uwsgi_autopilot.kernel.cgroup import usable_cores
from uwsgi_autopilot.local.files import FAREWELL_SECONDS, RunFiles, agent_config, layout_of
from uwsgi_autopilot.resources import layout
from uwsgi_autopilot.resources.layout import REQUEST_MARGIN_SECONDS
from uwsgi_autopilot.resources.nginx import nginx_conf
from uwsgi_autopilot.uwsgi.ini import BUFFER_SIZE

# As many waiting connections as nginx and the kernel's own default (somaxconn 4096) have room for.
BACKLOG = 2048
UNLIMITED = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A user and a group: numbers for the agent, names for nginx."""

    uid: int
    gid: int
    user: str
    group: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Owners:
    """uwsgi: whom uWSGI becomes, and whom its stats belong to. sockets: whom the sockets belong to, so that the router
    becomes this user, too. None: who we are."""

    uwsgi: Owner | None = None
    sockets: Owner | None = None


def app_of(
    found: Takeover, *, name: str, mode: Mode, processes: Bounds | None = None, threads: Bounds | None = None
) -> UwsgiApp:
    """The manifest that a taken over configuration amounts to, without its options: those of `found` are read again at
    each reload. processes, threads: what the command line says."""
    default = TuningSpec()
    if processes is None:
        usual = default.processes.on(usable_cores(None)).max
        processes = Bounds(min=found.least or 1, max=found.most or max(usual, found.shape.processes))
    if threads is None:
        threads = Bounds(min=1, max=max(default.threads.max, found.shape.threads))
    if found.no_swap is not None:
        threads = Bounds(min=found.shape.threads, max=found.shape.threads)
    return UwsgiApp(
        name=name,
        module=name,
        nginx=NginxSpec(body_size_bytes=UNLIMITED, read_timeout_s=math.ceil(found.answer_seconds)),
        tuning=TuningSpec(
            mode=mode, start=found.shape, processes=ProcessBounds(min=processes.min, max=processes.max), threads=threads
        ),
    )


def files_of(
    found: Takeover,
    app: UwsgiApp,
    run: Path,
    *,
    uwsgi: str,
    cwd: str,
    start: Shape,
    nginx: bool,
    status: str | None,
    owners: Owners,
    log_socket: str | None = None,
) -> RunFiles:
    """nginx: whether nginx is the router, else uWSGI is. status: "host:port" for the agent's pages; None: nowhere.
    log_socket: where an nginx that is not ours sends its log; None: nowhere."""
    where = replace(layout_of(run, "", 0), agent_port=status)
    agent = agent_config(app, where, folder=Path(cwd), uwsgi=uwsgi, start=start)
    first, *more = [*([where.socket] if found.http else []), *found.sockets]
    agent = replace(
        agent,
        module=None,
        options=found.options,
        socket=first,
        more_sockets=tuple(more),
        socket_mode=0o660 if found.mode is None and not found.sockets else found.mode,
        socket_owner=_numbers(owners.sockets),
        backlog=found.backlog or BACKLOG,
        stats=found.stats,
        stats_owner=_numbers(owners.uwsgi),
        stats_http=found.stats_http,
        no_swap=found.no_swap,
        nginx_port=tcp[1] if nginx and (tcp := tcp_address(found.http[0])) else None,
        drain_until_quiet=bool(found.http) and nginx and not found.sockets,
        log_socket=log_socket or (where.log_socket if found.http and nginx else None),
        request_seconds=found.request_seconds + REQUEST_MARGIN_SECONDS,
        drain_seconds=found.request_seconds + FAREWELL_SECONDS,
    )
    if not found.http:
        return RunFiles(agent=agent)
    if nginx:
        # Without root the whole of nginx is who we are.
        who = owners.sockets
        user = None if os.geteuid() != 0 else f"{who.user} {who.group}" if who else "root"
        # As much as nginx usually takes: what fitted into their buffer-size until now must go on to fit.
        site = layout.nginx_site(app, where, public_agent=False, user=user, header_bytes=BUFFER_SIZE)
        return RunFiles(agent=agent, nginx=nginx_conf(replace(site, listen=tuple(map(_listen, found.http)))))
    return RunFiles(agent=agent, router=_router(found, uwsgi, where.socket, owners.sockets))


def _listen(address: str) -> str:
    """uWSGI's ":8080" is every IPv4 address, and nginx's word for that is the port alone."""
    return f"unix:{address}" if address.startswith("/") else address.removeprefix(":")


def _numbers(owner: Owner | None) -> tuple[int, int] | None:
    return None if owner is None else (owner.uid, owner.gid)


def _router(found: Takeover, uwsgi: str, socket: str, owner: Owner | None) -> list[str]:
    command = [uwsgi, "--master", "--no-orphans", "--disable-logging", "--buffer-size", str(BUFFER_SIZE)]
    for address in found.http:
        command += ["--http", address]
    command += ["--http-to", socket]
    if owner is not None:
        command += ["--uid", str(owner.uid), "--gid", str(owner.gid)]
    for name, value in found.router_options:
        command += [f"--{name}"] if value == "true" else [f"--{name}", value]
    return command
