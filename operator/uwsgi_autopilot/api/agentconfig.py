"""The agent's configuration: one JSON file, written by the operator or local mode, read by the agent at start."""

import json
import signal
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from uwsgi_autopilot.api.shape import Shape

# Of a pod: where its agent serves its state. chart/templates/pod/_template.tpl names it once more.
AGENT_PORT = 9117
# The kernel's limit for a unix socket's path: sun_path holds 108 bytes, the last of them a zero.
MAX_SOCKET_PATH = 107
# Ends the agent and uWSGI at once, with the requests in service. Of a person, the second SIGINT means the same.
END_NOW = signal.SIGUSR1


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentConfig:
    """Paths are absolute.

    uwsgi: the command that starts uWSGI, such as ["/venv/bin/uwsgi"].
    module: what uWSGI loads; None: the options are a whole configuration that uWSGI has resolved (api/takeover.py), and
    uWSGI is started in `chdir` without being told to change to it.
    options: the person's own uWSGI options as (name, value), in order; value None: a flag.
    socket: where nginx connects: a path, or "host:port". more_sockets: where others do, to the same application.
    socket_mode: of the paths among them; None: as the umask has it. socket_owner: (uid, gid) of them; None: ours.
    stats: addresses at which the agent answers with the stats of the generation that serves. stats_owner: (uid, gid) of
    the paths among them; None: ours. stats_http: behind a head of HTTP.
    no_swap: why no generation may replace another, one clause; None: one may.
    private: directory for FIFO, stats and ini files, mode 0700.
    desired: the file with the desired shape (api/desired.py); promoted: the file that a new pod starts from, read once.
    start: the first shape when neither names one. max_processes, max_threads: bounds of every desired shape; on a
    cluster the schema's, because the operator keeps to the manifest's, and editing these must not restart a pod.
    ceiling: worker slots of each generation; more processes need a new generation.
    listen: where the state is served: "unix:/path" or "host:port", one thread for each.
    log_socket: datagrams of nginx's access log arrive here; None: no latency histogram.
    nginx_port: the drain waits until nothing listens there; None: it watches the unix socket alone.
    memory_limit: bytes that the generations may use together; None: the cgroup's limit.
    memory_guard: a generation whose memory nears the limit is replaced by a fresh one (agent/memoryguard.py).
    parking: workers that the load does not need are put away (agent/parking.py), after the load was low for
    parking_seconds. What takes longer than parking_back_seconds to return is not put away again: a surge would have
    filled the queue by then.
    recycle_beside: the fresh one may run beside it; False: there may be no connections for both.
    cores: CPU that may be used; None: what cgroup and affinity allow.
    drain_seconds: the agent's own deadline after SIGTERM. drain_until_quiet: serve until nobody sends any more; False:
    who sends will not stop by itself, so unix sockets are removed first, and at a TCP port the queue is not waited for.
    start_seconds: a generation that does not accept requests by then is given up.
    request_seconds: the longest request to wait for when a generation retires. stream_seconds: the same for answers of
    which something still moves.
    record: a file to which each uWSGI's pid and start time are appended before it runs; None: nobody reads it.
    hang_seconds: an application without a sign of life for this long is no longer ready.
    """

    name: str
    uwsgi: tuple[str, ...]
    module: str | None
    chdir: str
    socket: str
    private: str
    desired: str
    start: Shape
    listen: tuple[str, ...]
    min_processes: int = 1
    max_processes: int = 1024
    min_threads: int = 1
    max_threads: int = 1024
    ceiling: int = 16
    more_sockets: tuple[str, ...] = ()
    socket_mode: int | None = 0o660
    socket_owner: tuple[int, int] | None = None
    stats: tuple[str, ...] = ()
    stats_owner: tuple[int, int] | None = None
    stats_http: bool = False
    no_swap: str | None = None
    options: tuple[tuple[str, str | None], ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    promoted: str | None = None
    uid: str = "*"
    backlog: int = 2048
    log_socket: str | None = None
    draining: str | None = None
    record: str | None = None
    nginx_port: int | None = None
    health_path: str = "/"
    health_host: str = ""
    memory_limit: int | None = None
    memory_guard: bool = True
    parking: bool = False
    parking_seconds: float = 300.0
    parking_back_seconds: float = 2.0
    recycle_beside: bool = True
    cores: float | None = None
    start_seconds: float = 300.0
    request_seconds: float = 75.0
    stream_seconds: float = 600.0
    hang_seconds: float = 60.0
    drain_seconds: float = 85.0
    drain_until_quiet: bool = True
    termination_log: str | None = None

    def to_text(self) -> str:
        data = asdict(self)
        data["start"] = self.start.to_json()
        return json.dumps(data, indent=1)


def read_agent_config(path: str | Path) -> AgentConfig:
    """Raises OSError when it cannot be read, ValueError with one sentence when a field is missing or unknown."""
    data = json.loads(Path(path).read_text(encoding="utf-8"))
    known = {each.name for each in fields(AgentConfig)}
    if unknown := sorted(set(data) - known):
        raise ValueError(f"{path}: unknown field {unknown[0]!r}: this agent is older than what wrote the file")
    data["start"] = Shape.from_json(data["start"])
    data["uwsgi"] = tuple(data["uwsgi"])
    for name in ("listen", "more_sockets", "stats"):
        data[name] = tuple(data.get(name, ()))
    for name in ("socket_owner", "stats_owner"):
        if data.get(name) is not None:
            data[name] = tuple(data[name])
    data["options"] = tuple((name, value) for name, value in data.get("options", ()))
    data["env"] = tuple((name, value) for name, value in data.get("env", ()))
    return AgentConfig(**data)
