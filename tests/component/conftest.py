"""Real here: uWSGI (the prebuilt pyuwsgi, and one built from source), nginx, sockets, processes. Nothing is replaced.

`uwsgi_programs` are all uWSGI that there are; `uwsgi_program` runs a test once with each. The source-built one lives in
.cache/ of the checkout, is made once (about half a minute) and is skipped loudly where there is no C compiler.
"""

import contextlib
import fcntl
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from uwsgi_autopilot.kernel.spawn import clean_environment
from uwsgi_autopilot.local.programs import find_nginx

ROOT = Path(__file__).resolve().parents[2]
SOURCE_VERSION = "2.0.31"
BUILD_SECONDS = 300


@dataclass(frozen=True, slots=True)
class UwsgiProgram:
    """`path` of the command; its Python has Flask beside it. `env` lets its embedded Python find that."""

    name: str
    path: Path

    @property
    def env(self) -> dict[str, str]:
        search = os.pathsep.join([str(self.path.parent), os.environ.get("PATH", os.defpath)])
        return clean_environment(os.environ, {"PATH": search})


class CannotBuild(Exception):
    """Why there is no uWSGI built from source here."""


@pytest.fixture(scope="session")
def uwsgi_programs() -> list[UwsgiProgram]:
    """pyuwsgi's and, where it can be built, the one from source."""
    programs = [UwsgiProgram("pyuwsgi", Path(sys.executable).parent / "uwsgi")]
    with contextlib.suppress(CannotBuild):  # the summary says it
        programs.append(UwsgiProgram("source", built_from_source()))
    return programs


@pytest.fixture(params=["pyuwsgi", "source"])
def uwsgi_program(request: pytest.FixtureRequest) -> UwsgiProgram:
    """The test runs once with each uWSGI."""
    if request.param == "pyuwsgi":
        return UwsgiProgram("pyuwsgi", Path(sys.executable).parent / "uwsgi")
    try:
        return UwsgiProgram("source", built_from_source())
    except CannotBuild as why:
        pytest.skip(f"NOT TESTED with uWSGI {SOURCE_VERSION} from source: {why}")


_built: list[Path | CannotBuild] = []


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long tests first: with several workers the others run beside them, and not after. And uWSGI is built here, where
    no test's time runs: it takes half a minute, and a minute and a half was seen."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)
    used = (name for item in items for name in getattr(item, "fixturenames", ()))
    if not config.option.collectonly and any(name in ("uwsgi_programs", "uwsgi_program") for name in used):
        with contextlib.suppress(CannotBuild):  # the summary says it
            built_from_source()


def built_from_source() -> Path:
    """The `uwsgi` of a virtual environment with what app/requirements.txt names. Raises CannotBuild."""
    if not _built:
        try:
            _built.append(_build())
        except CannotBuild as why:
            _built.append(why)
    if isinstance(_built[0], CannotBuild):
        raise _built[0]
    return _built[0]


def _build() -> Path:
    if not (shutil.which("cc") or shutil.which("gcc")):
        raise CannotBuild("no C compiler (cc)")
    headers = Path(sysconfig.get_path("include")) / "Python.h"
    if not headers.exists():
        raise CannotBuild(f"no Python headers ({headers})")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    home = ROOT / ".cache" / f"uwsgi-{SOURCE_VERSION}-python{version}"
    home.parent.mkdir(exist_ok=True)
    done = home / "done"
    with (home.parent / "uwsgi.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test runs at the same time build it once
        if not done.exists():
            shutil.rmtree(home, ignore_errors=True)
            _run(sys.executable, "-m", "venv", str(home))
            _run(
                *(str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
                *("--no-binary", "uwsgi", "--constraint", str(ROOT / "constraints.txt")),
                *(f"uwsgi=={SOURCE_VERSION}", "--requirement", str(ROOT / "app" / "requirements.txt")),
            )
            done.touch()
    return home / "bin" / "uwsgi"


def _run(*command: str) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=BUILD_SECONDS)
    except subprocess.CalledProcessError as error:
        raise CannotBuild(f"{' '.join(command[:4])} failed: {error.stderr.strip()[-500:]}") from None
    except subprocess.TimeoutExpired:
        raise CannotBuild(f"{' '.join(command[:4])} took longer than {BUILD_SECONDS} s") from None


@pytest.fixture(scope="session")
def nginx_program() -> str:
    """The system's nginx, else the wheel's."""
    return find_nginx()


PORTS = range(15_000, 30_000)
_given: set[int] = set()


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Ports that nobody listened on a moment ago, below those that the kernel gives to outgoing connections: of these
    somebody else's test may take one before ours binds it. Each of pytest's workers has ports of its own, and gives
    none twice: it may be seconds until a test binds what it was given."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))

    def find() -> int:
        while True:
            port = random.choice(PORTS[worker::workers])
            with socket.socket() as probe, contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                if port not in _given:
                    _given.add(port)
                    return port

    return find


Starter = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def starting() -> Iterator[Starter]:
    """`starting(command, **options of Popen)` starts a program in a session of its own; all are gone after the test."""
    children: list[subprocess.Popen[bytes]] = []

    def start(command: list[str], **options: object) -> "subprocess.Popen[bytes]":
        child = subprocess.Popen(command, start_new_session=True, stdin=subprocess.DEVNULL, **options)  # type: ignore[call-overload]
        children.append(child)
        return child

    yield start
    for child in children:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait(60)


def wait_until(true: Callable[[], bool], what: str, *, seconds: float = 60.0) -> None:
    """Fails the test with `what` when `true` stays false."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.05)


@pytest.fixture
def until() -> Callable[..., None]:
    return wait_until


@pytest.fixture
def short_directory() -> Iterator[Path]:
    """A directory with a path that leaves room for sockets' names: pytest's own are too long for a unix socket."""
    with tempfile.TemporaryDirectory(prefix="uapt-") as path:
        yield Path(path)
