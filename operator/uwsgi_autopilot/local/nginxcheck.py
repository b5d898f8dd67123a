"""What nginx would stumble over, said before anything is served: its own opinion, and what is not there."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from uwsgi_autopilot.api.uwsgiapp import UwsgiApp
from uwsgi_autopilot.errors import NotServing, SpecError
from uwsgi_autopilot.kernel.spawn import clean_environment
from uwsgi_autopilot.resources.nginx import snippet_line

# Of `nginx -t`, which takes some 20 ms.
PATIENCE_SECONDS = 30.0

_OBJECTION = re.compile(r"\[emerg\] (?:\d+#\d+: )?(?P<what>.+?)(?: in (?P<file>\S+):(?P<line>\d+))?$", re.MULTILINE)


def check_nginx(nginx: str, run: Path) -> None:
    """Ask `nginx -t` about nginx.conf in the run directory.

    Raises SpecError, naming the line of spec.nginx.snippet, or NotServing when it is about anything else.
    """
    conf = run / "nginx.conf"
    command = [nginx, "-t", "-q", "-p", str(run), "-c", str(conf), "-e", "stderr"]
    try:
        told = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=clean_environment(os.environ, {}),
            timeout=PATIENCE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NotServing(f"{nginx} did not say within {PATIENCE_SECONDS:.0f} s whether it can be started") from None
    if told.returncode == 0:
        return
    text = told.stderr.decode("utf-8", errors="replace")
    found = _OBJECTION.search(text)
    line = snippet_line(conf.read_text(encoding="utf-8"), int(found["line"])) if found and found["line"] else None
    if found and line is not None:
        raise SpecError([("spec.nginx.snippet", f"nginx refuses line {line}: {found['what']}")])
    raise NotServing(f"{nginx} refuses its configuration: {found['what'] if found else text.strip()}")


def missing_directories(app: UwsgiApp, folder: Path) -> Iterator[str]:
    """One sentence for each directory of files that is not there (yet)."""
    for name, entries in (("static", app.nginx.static), ("internal", app.nginx.internal)):
        for number, each in enumerate(entries):
            if not (folder / each.dir).is_dir():
                yield (
                    f"spec.nginx.{name}[{number}].dir: there is no directory {folder / each.dir}, "
                    f"so everything below {each.path} is answered with 404"
                )
