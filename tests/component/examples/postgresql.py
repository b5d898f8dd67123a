"""A PostgreSQL of a test's own: found, or installed once where that is possible; on a unix socket, with no port."""

import fcntl
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

TESTS = Path(__file__).resolve().parents[2]
INSTALL_SECONDS = 300
# What PostgreSQL itself allows. Above what any test's application may open.
MAX_CONNECTIONS = 60


class CannotRun(Exception):
    """Why there is no PostgreSQL here."""


def programs() -> Path:
    """The folder of initdb and pg_ctl, which Debian keeps out of PATH. Raises CannotRun."""
    if found := _found():
        return found
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise CannotRun("no initdb; as root on Debian or Ubuntu, tests/install-postgresql.sh installs it")
    with (TESTS / "install-postgresql.sh").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test runs at the same time install it once
        if found := _found():
            return found
        try:
            done = subprocess.run([lock.name], capture_output=True, text=True, timeout=INSTALL_SECONDS)
        except subprocess.TimeoutExpired:
            raise CannotRun(f"tests/install-postgresql.sh took longer than {INSTALL_SECONDS} s") from None
    if done.returncode or not (found := _found()):
        raise CannotRun(f"tests/install-postgresql.sh failed: {done.stderr.strip()[-300:]}")
    return found


def _found() -> Path | None:
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4].split(".")[0]))
    path = shutil.which("initdb") or (debian[-1] if debian else None)
    return Path(path).resolve().parent if path else None


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """A server in `folder`, which is short and empty. Yields the superuser's URL. Raises CannotRun."""
    commands = programs()
    user = _unprivileged(folder)
    folder.chmod(0o711)

    def run(program: str, *arguments: str) -> None:
        with (folder / "commands").open("ab") as out:  # a pipe would be inherited by the server, and stay open
            command = [str(commands / program), "--pgdata", str(folder / "data"), *arguments]
            done = subprocess.run(command, user=user, cwd=folder, stdout=out, stderr=out, timeout=120)
        assert done.returncode == 0, (folder / "commands").read_text()

    run("initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync")
    options = (
        f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off -c max_connections={MAX_CONNECTIONS}"
    )
    run("pg_ctl", "--wait", "--log", str(folder / "log"), "--options", options, "start")
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
