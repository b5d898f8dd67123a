"""What somebody writes who runs nginx and uWSGI by hand: a short nginx.conf with an access log, and uWSGI's options.

Nothing that costs is in it, and nothing is missing without which it would be unfair: a queue that is long enough, one
worker of nginx, as ours has.
"""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.kernel.spawn import clean_environment, spawn
from uwsgi_autopilot.resources.nginxlocations import UWSGI_PARAMS

# conf/uwsgi_params as nginx ships it has not what we add to it.
_NOT_SHIPPED = ("HTTP_TRANSFER_ENCODING",)
_HTTP = (
    "proxy_pass http://application;",
    "proxy_http_version 1.1;",
    'proxy_set_header Connection "";',
    "proxy_set_header Host $host;",
)
_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def nginx_conf(folder: str, port: int, socket: str, *, http: bool = False, workers: str = "1") -> str:
    """folder: of its log, its pid and its temporary files. http: what the socket speaks, instead of uwsgi."""
    return "\n".join(
        [
            "daemon off;",
            *(["user root;"] if os.geteuid() == 0 else []),
            f"worker_processes {workers};",
            f"pid {folder}/nginx.pid;",
            "error_log stderr error;",
            "events { worker_connections 1024; }",
            "http {",
            *(f"    {kind}_temp_path {folder}/{kind};" for kind in _TEMPORARY),
            "    default_type application/octet-stream;",
            "    sendfile on;",
            "    tcp_nopush on;",
            f"    access_log {folder}/access.log;",
            *([f"    upstream application {{ server unix:{socket}; keepalive 64; }}"] if http else []),
            "    server {",
            f"        listen 127.0.0.1:{port};",
            "        location / {",
            *(f"            {line}" for line in (_HTTP if http else _by_uwsgi(socket))),
            "        }",
            "    }",
            "}",
            "",
        ]
    )


def _by_uwsgi(socket: str) -> list[str]:
    shipped = (f"uwsgi_param {name} {value};" for name, value in UWSGI_PARAMS if name not in _NOT_SHIPPED)
    return [*shipped, f"uwsgi_pass unix:{socket};"]


@contextmanager
def running(
    command: Sequence[str], log: Path, *, cwd: str | None = None, env: Mapping[str, str] | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """A server until the end of the block. log: what it prints is added there."""
    environment = dict(clean_environment(os.environ, {})) | dict(env or {})
    with log.open("ab") as output:
        child = spawn(command, when_parent_dies=signal.SIGTERM, stdout=output, stderr=output, cwd=cwd, env=environment)
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def uwsgi_command(program: str, socket: str, module: str, shape: Shape) -> list[str]:
    return [
        *(program, "--strict", "--master", "--need-app", "--die-on-term", "--vacuum", "--single-interpreter"),
        *("--socket", socket, "--listen", "1024", "--thunder-lock", "--max-fd", "16384", "--disable-logging"),
        *("--processes", str(shape.processes), "--threads", str(shape.threads), "--enable-threads"),
        *("--buffer-size", "32768", "--module", module),
    ]
