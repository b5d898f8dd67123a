"""Where things lie, in a pod or in a run directory, and what the agent and nginx are told about it: pure.

One builder for both worlds, so that an application that runs on one machine runs the same way on a cluster.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from uwsgi_autopilot.api.agentconfig import AgentConfig
from uwsgi_autopilot.api.nginxspec import AccessLog, StaticFiles
from uwsgi_autopilot.api.overlap import why_no_swap
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import UwsgiApp
from uwsgi_autopilot.resources.headerbuffers import header_buffers
from uwsgi_autopilot.resources.nginx import NginxSite
from uwsgi_autopilot.uwsgi.ini import buffer_size

# Nothing that lives is silent for longer than nginx waits for it, and not every pause of a quick one is a fault.
LEAST_HANG_SECONDS = 30.0
# Beyond what nginx waits for an answer: a request that nginx has given up may still run.
REQUEST_MARGIN_SECONDS = 15.0
# How long an old generation goes on while answers of it move. Enough for an export or a download; an endless stream of
# events connects again. Longer would hold up the fourth change for as long, and the memory of three old generations.
STREAM_SECONDS = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Absolute paths. `run` is shared by nginx and the agent: app.sock, log.sock and draining lie there. `private` is
    the agent's own. `temporary` is nginx's. `agent_port`: where the agent serves its state beside its own unix socket,
    "host:port"; None: nowhere. `nginx_probes`: where nginx answers the kubelet, apart from its clients; None: nowhere.
    `promoted` None: nobody promotes a shape. `more_listens`: as of NginxSite."""

    run: str
    private: str
    temporary: str
    desired: str
    promoted: str | None = None
    agent_port: str | None = None
    nginx_listen: str
    nginx_probes: str | None = None
    nginx_port: int
    termination_log: str | None = None
    more_listens: str | None = None

    @property
    def socket(self) -> str:
        return f"{self.run}/app.sock"

    @property
    def agent(self) -> str:
        """Where nginx reaches the agent, whoever else may come to its port."""
        return f"unix:{self.run}/agent.sock"

    @property
    def log_socket(self) -> str:
        return f"{self.run}/log.sock"

    @property
    def draining(self) -> str:
        return f"{self.run}/draining"


def agent_config(
    app: UwsgiApp,
    layout: Layout,
    *,
    uwsgi: Sequence[str],
    chdir: str,
    start: Shape,
    drain_seconds: float,
    env: Sequence[tuple[str, str]] = (),
    memory_limit: int | None = None,
    cores: float | None = None,
) -> AgentConfig:
    """`uwsgi`: the command that starts uWSGI. `env`, `memory_limit` (bytes) and `cores`: what no container sets."""
    request_seconds = app.nginx.read_timeout_s + REQUEST_MARGIN_SECONDS
    return AgentConfig(
        name=app.name,
        uwsgi=tuple(uwsgi),
        module=app.module,
        chdir=chdir,
        socket=layout.socket,
        private=layout.private,
        desired=layout.desired,
        promoted=layout.promoted,
        start=start,
        listen=(layout.agent, *([layout.agent_port] if layout.agent_port else [])),
        options=app.option_pairs,
        no_swap=why_no_swap(app.option_pairs),
        env=tuple(env),
        log_socket=layout.log_socket,
        draining=layout.draining,
        nginx_port=layout.nginx_port,
        health_path=app.health.path,
        health_host=app.health.host,
        memory_limit=memory_limit,
        memory_guard=app.tuning.memory_guard,
        parking=app.tuning.parking,
        recycle_beside=app.tuning.max_connections is None,
        cores=cores,
        request_seconds=request_seconds,
        stream_seconds=max(STREAM_SECONDS, request_seconds),
        hang_seconds=max(float(app.nginx.read_timeout_s), LEAST_HANG_SECONDS),
        drain_seconds=drain_seconds,
        termination_log=layout.termination_log,
    )


def nginx_site(
    app: UwsgiApp,
    layout: Layout,
    *,
    public_agent: bool = False,
    user: str | None = None,
    static: Sequence[StaticFiles] | None = None,
    internal: Sequence[StaticFiles] | None = None,
    access_log: AccessLog = AccessLog.DISABLED,
    header_bytes: int | None = None,
) -> NginxSite:
    """`static`, `internal`: where nginx finds these files when that is not where the manifest says. `access_log`: what
    is written where the manifest says nothing. `header_bytes`: how much all headers may fill; None: as uWSGI's options
    say."""
    found = app.nginx
    if static is not None:
        found = replace(found, static=tuple(static))
    if internal is not None:
        found = replace(found, internal=tuple(internal))
    return NginxSite(
        listen=(layout.nginx_listen,),
        probes=layout.nginx_probes,
        socket=layout.socket,
        run=layout.temporary,
        log_socket=layout.log_socket,
        draining=layout.draining,
        agent=layout.agent,
        spec=found,
        header_buffers=header_buffers(
            found.header_size_bytes,
            header_bytes or buffer_size(app.option_pairs),
        ),
        access_log=access_log,
        health_path=app.health.path,
        health_host=app.health.host,
        public_agent=public_agent,
        user=user,
        more_listens=layout.more_listens,
    )
