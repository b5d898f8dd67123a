"""A workload: a folder with a WSGI module and a workload.yaml.

module: app:app
path: /
clients: 64
options: [{name: lazy-apps}]     # optional: uWSGI options of the application
memory: 256Mi                    # optional: what its processes may use together
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import yaml

from bench.parameters import Parameters
from uwsgi_autopilot.api.options import refusal_of
from uwsgi_autopilot.api.quantity import whole_bytes
from uwsgi_autopilot.api.uwsgiapp import UwsgiOption
from uwsgi_autopilot.errors import UsageError
from uwsgi_autopilot.loadgen.plan import MAX_CLIENTS, parse_load

FILE = "workload.yaml"
SLOW_IMPORT_S = 2.0
CHANGE_S = 90.0


class Database(str, Enum):
    """Of bench/database: started, filled and stopped by the bench."""

    SQLITE = "SQLite"
    POSTGRESQL = "PostgreSQL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """`clients` of a closed loop ask for `path`. memory: bytes; None means no limit.

    parameters: of the synthetic application; None: it is another one. database: what bench/database needs besides.

    How it is asked, besides the path. shares: of the clients (0..1) that ask for /other, one after another. streams: so
    many of the clients ask for /stream. timeout_s, retries: of clients that retry. open_share: the autopilot flies
    under Poisson arrivals at this share of the best shape's capacity (0..1), and latency is judged; None: throughput.
    """

    name: str
    folder: Path
    module: str
    path: str
    clients: int
    options: tuple[UwsgiOption, ...] = ()
    memory: int | None = None
    parameters: Parameters | None = None
    database: Database | None = None
    shares: tuple[float, ...] = ()
    streams: int = 0
    timeout_s: float = 30.0
    retries: int = 0
    open_share: float | None = None

    @property
    def told(self) -> str:
        """`wait 20 ms, CPU 2 ms, 64 clients`."""
        parts = [str(self.parameters)] if self.parameters else []
        parts += [f"Flask and SQLAlchemy on {self.database.value}"] if self.database else []
        parts.append(f"{self.clients} clients")
        if self.shares:
            parts.append(f"{' and '.join(f'{each:.0%}' for each in self.shares)} of them there in turn")
        if self.streams:
            parts.append(f"{self.streams} of them at streams")
        if self.retries:
            parts.append(f"who give up after {self.timeout_s:g} s and ask up to {self.retries} times again")
        if self.open_share:
            parts.append(f"then Poisson arrivals at {self.open_share:.0%} of the best shape's capacity")
        return ", ".join(parts)

    @property
    def plain(self) -> bool:
        """One page, asked for by clients who wait: any load generator can do that."""
        return not (self.shares or self.streams or self.retries or self.fails)

    @property
    def fails(self) -> bool:
        """It answers 500 by itself, so that is no failure of ours."""
        return self.parameters is not None and self.parameters.error_share > 0

    @property
    def change_s(self) -> float:
        """Seconds that a change of shape may take: on a busy machine an import takes many times its CPU time."""
        return CHANGE_S + (15 * self.parameters.import_s if self.parameters else 0.0)

    @property
    def slow_to_start(self) -> bool:
        """Each new generation takes so long that few can be measured."""
        return self.parameters is not None and self.parameters.import_s >= SLOW_IMPORT_S


def read_workloads(folder: Path) -> list[Workload]:
    """Those in the folders of `folder`, by name; `folder` may also be one. Raises UsageError."""
    if (folder / FILE).is_file():
        return [read_workload(folder)]
    found = [read_workload(each.parent) for each in sorted(folder.glob(f"*/{FILE}"))]
    if not found:
        raise UsageError(f"{folder}: expected folders with a {FILE} in each, found none")
    return found


def read_workload(folder: Path) -> Workload:
    """Raises UsageError that names the file, what was expected and what was found."""
    file = folder / FILE
    try:
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{file}: {error}") from None
    if not isinstance(data, dict):
        raise UsageError(f"{file}: expected module, path and clients, found {data!r}")
    for key in data:
        if key not in _READ:
            raise UsageError(f"{file}: expected {', '.join(_READ)}, found {key!r}")
    for key in ("module", "path", "clients"):
        if key not in data:
            raise UsageError(f"{file}: {key} is missing")
    values: dict[str, Any] = {}
    for key, value in data.items():
        try:
            values[key] = _READ[key](value)
        except (ValueError, UsageError) as error:
            raise UsageError(f"{file}: {key}: {error}") from None
    return Workload(name=folder.resolve().name, folder=folder.resolve(), **values)


def _module(value: Any) -> str:
    if not isinstance(value, str) or not all(part.isidentifier() for part in value.replace(":", ".").split(".")):
        raise ValueError(f"expected a module and a variable such as app:app, found {value!r}")
    return value


def _path(value: Any) -> str:
    return parse_load(f"clients=1,path={value}").path


def _clients(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_CLIENTS:
        raise ValueError(f"expected a whole number from 1 to {MAX_CLIENTS}, found {value!r}")
    return value


def _options(value: Any) -> tuple[UwsgiOption, ...]:
    options = []
    for each in value if isinstance(value, list) else [value]:
        if not isinstance(each, dict) or not isinstance(each.get("name"), str) or set(each) - {"name", "value"}:
            raise ValueError(f"expected a list of {{name, value}}, found {each!r}")
        if refusal := refusal_of(each["name"]):
            raise ValueError(refusal)
        text = each.get("value")
        options.append(UwsgiOption(name=each["name"], value=None if text is None else str(text)))
    return tuple(options)


_READ: dict[str, Callable[[Any], Any]] = {
    "module": _module,
    "path": _path,
    "clients": _clients,
    "options": _options,
    "memory": whole_bytes,
}
