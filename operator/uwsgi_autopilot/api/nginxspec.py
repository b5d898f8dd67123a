"""What a person wrote below `spec.nginx`, parsed and complete: a part of `api/uwsgiapp.py:UwsgiApp`."""

from dataclasses import dataclass
from enum import Enum


class AccessLog(str, Enum):
    """The form of nginx's own access log on its standard output."""

    DISABLED = "Disabled"
    COMBINED = "Combined"
    JSON = "Json"


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticFiles:
    """Files below `dir` that nginx serves under `path`, without uWSGI; of `internal` ones only where the application
    sends it there (X-Accel-Redirect)."""

    path: str
    dir: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RealIp:
    """`header` is believed when it comes from one of the networks `trusted`. `recursive`: the last address in it that
    is none of theirs, instead of the last."""

    trusted: tuple[str, ...]
    header: str = "X-Forwarded-For"
    recursive: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class NginxSpec:
    """`access_log` None: what is usual where nginx runs. `headers`: (name, value). `streaming`: paths without a slash
    at their end. `snippet`: further lines of the server block."""

    body_size_bytes: int = 10 * 1024 * 1024
    header_size_bytes: int = 8 * 1024
    read_timeout_s: int = 60
    access_log: AccessLog | None = None
    gzip: bool = False
    headers: tuple[tuple[str, str], ...] = ()
    streaming: tuple[str, ...] = ()
    static: tuple[StaticFiles, ...] = ()
    internal: tuple[StaticFiles, ...] = ()
    real_ip: RealIp | None = None
    snippet: str = ""
