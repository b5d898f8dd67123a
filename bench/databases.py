"""The database of bench/database, filled, for as long as it is needed: a file, or a PostgreSQL started for it."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.postgresql import CannotRun, postgresql
from bench.workload import Database
from uwsgi_autopilot.errors import NotServing

VARIABLE = "BENCH_DATABASE"
# SQLAlchemy's pool opens up to 15 a process: 16 processes, during a change twice. PostgreSQL's own 100 would be a limit
# over all processes, which is another workload.
CONNECTIONS = 500


@contextmanager
def database_of(kind: Database) -> Iterator[tuple[tuple[str, str], ...]]:
    """The variables of its application. Raises NotServing."""
    try:
        from bench.database.app import fill  # what only this workload needs
    except ImportError as error:
        raise NotServing(f"the application of bench/database needs {error.name}: run make setup") from None
    with tempfile.TemporaryDirectory(prefix="uabd-") as folder:
        if kind is Database.SQLITE:
            fill(url := f"sqlite:///{folder}/shop.sqlite")
            yield ((VARIABLE, url),)
            return
        try:
            with postgresql(Path(folder), connections=CONNECTIONS) as found:
                fill(url := found.replace("postgresql:", "postgresql+psycopg:"))
                yield ((VARIABLE, url),)
        except CannotRun as why:
            raise NotServing(f"no PostgreSQL can be started: {why}") from None
