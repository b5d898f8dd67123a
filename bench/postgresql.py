"""A PostgreSQL of one's own, on a unix socket and with no port. Its programs are found, never installed."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
def postgresql(folder: Path, *, connections: int = 100) -> Iterator[str]:
    """A server in `folder`, which is short and empty. Yields the superuser's URL. connections: the most that it takes.

    Raises CannotRun."""
    commands = programs()
    user = _unprivileged(folder)
    folder.chmod(0o711)  # the application's user has to reach the socket

    def run(program: str, *arguments: str) -> None:
        with (folder / "commands").open("ab") as out:  # a pipe would be inherited by the server, and stay open
            command = [str(commands / program), "--pgdata", str(folder / "data"), *arguments]
            done = subprocess.run(command, user=user, cwd=folder, stdout=out, stderr=out, timeout=120)
        if done.returncode:
            raise CannotRun(f"{program} ended with {done.returncode}: {(folder / 'commands').read_text()[-600:]}")

    run("initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync")
    options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off -c max_connections={connections}"
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
