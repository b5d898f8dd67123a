"""`uwsgi-autopilot render app.ini`: print what a virtual machine needs to serve it under systemd behind its nginx."""

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from uwsgi_autopilot.api.takeover import Takeover
from uwsgi_autopilot.errors import UsageError
from uwsgi_autopilot.local.programs import find_uwsgi
from uwsgi_autopilot.local.serve import taken_over
from uwsgi_autopilot.resources import machine
from uwsgi_autopilot.resources.machine import Place


def run_render(file: Path, *, name: str | None, parts: Sequence[str]) -> int:
    """`parts`: "nginx", "systemd"; none: both. Raises AutopilotError."""
    path = file.absolute()
    if not path.is_file():
        raise UsageError(f"{file}: expected a uWSGI configuration, and there is no such file")
    cwd = str(path.parent)
    # As under systemd, whose WorkingDirectory is the file's.
    found = taken_over(find_uwsgi(), [str(path)], cwd)
    if found.plain is not None:
        raise UsageError(
            f"{file}: it would be served by uWSGI alone, so uWSGI's own unit is the right one: {found.plain}"
        )
    place = Place(name=name or machine.service_name(str(path)), file=str(path), command=_command())
    sys.stdout.write(rendered(found, place, cwd, parts or ("nginx", "systemd")))
    return 0


def rendered(found: Takeover, place: Place, cwd: str, parts: Sequence[str]) -> str:
    """Each file below a comment with its path, then what to do with them."""
    name = place.name
    files: list[tuple[str, str]] = []
    steps: list[str] = []
    if "nginx" in parts:
        files.append((f"/etc/nginx/sites-available/{name}", machine.server_block(found, place)))
        steps += [
            f"ln -s ../sites-available/{name} /etc/nginx/sites-enabled/",
            "nginx -t && systemctl reload nginx",
        ]
    if "systemd" in parts:
        files.append((f"/etc/systemd/system/{name}.service", machine.unit(found, place)))
        begin = ["systemctl daemon-reload", f"systemctl enable --now {name}"]
        if (text := machine.tmpfiles(found)) is not None:
            files.append((f"/etc/tmpfiles.d/{name}.conf", text))
            begin.insert(0, f"systemd-tmpfiles --create /etc/tmpfiles.d/{name}.conf")
        if (text := machine.logrotate(found, cwd)) is not None:
            files.append((f"/etc/logrotate.d/{name}", text))
        steps = [*begin, *steps]
        steps.append(f"systemctl status {name}      # the shape, requests/s and the last decision; reload: new code")
    out = "".join(f"# --- {path}\n{text}\n" for path, text in files)
    return out + "# --- then, as root\n" + "".join(f"#   {each}\n" for each in steps)


def _command() -> str:
    beside = Path(sys.executable).parent / "uwsgi-autopilot"
    return str(beside) if os.access(beside, os.X_OK) else shutil.which("uwsgi-autopilot") or "uwsgi-autopilot"
