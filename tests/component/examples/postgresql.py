"""A PostgreSQL of a test's own, on a unix socket and with no port. Its programs are found, never installed."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg


class CannotRun(Exception):
    """Why there is no PostgreSQL here."""


def programs() -> Path:
    """The folder of initdb and pg_ctl, which Debian keeps out of PATH. Raises CannotRun."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4].split(".")[0]))
    initdb = shutil.which("initdb") or (debian[-1] if debian else None)
    if initdb is None or shutil.which("psql") is None:
        raise CannotRun(f"{'psql' if initdb else 'initdb'} is not installed (make postgresql, as root)")
    return Path(initdb).resolve().parent


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """A server in `folder`, which is short and empty. Yields the superuser's URL. Raises CannotRun."""
    commands = programs()
    user = _unprivileged(folder)
    folder.chmod(0o711)  # the application's user has to reach the socket

    def run(program: str, *arguments: str) -> None:
        with (folder / "commands").open("ab") as out:  # a pipe would be inherited by the server, and stay open
            command = [str(commands / program), "--pgdata", str(folder / "data"), *arguments]
            done = subprocess.run(command, user=user, cwd=folder, stdout=out, stderr=out, timeout=120)
        assert done.returncode == 0, (folder / "commands").read_text()

    run("initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync")
    options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
    run("pg_ctl", "--wait", "--timeout=110", "--log", str(folder / "log"), "--options", options, "start")
    try:
        yield f"postgresql://postgres@/postgres?host={folder}"
    finally:
        run("pg_ctl", "--wait", "--mode=immediate", "stop")


def _unprivileged(folder: Path) -> int | None:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    try:
        user = pwd.getpwnam("postgres")
    except KeyError:
        user = pwd.getpwnam("nobody")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return user.pw_uid


def ask(url: str, question: str) -> object:
    """The first value of the answer; None where there is none."""
    with psycopg.connect(url, autocommit=True) as connection:
        answer = connection.execute(question)
        row = answer.fetchone() if answer.description else None
    return row[0] if row else None
