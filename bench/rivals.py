"""What else people use, as it is usually set up, behind a hand-written nginx: uWSGI's own `cheaper`, gunicorn, granian.

They run beside the session of the bench, idle but for their own windows: each takes its turn in every round.
"""

import http.client
import importlib.util
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import plain
from bench.load import Load
from bench.serving import environment_of, free_port, load_for
from bench.workload import Workload
from uwsgi_autopilot.errors import NotServing
from uwsgi_autopilot.local.programs import Programs

SOCKET = "app.sock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """arguments: of `program`; {socket}, {folder}, {module}, {factory} stand for the workload's. http: it speaks HTTP.
    needs: the package that must be installed."""

    name: str
    program: str
    arguments: str
    http: bool = False
    needs: str | None = None


def rivals(cores: int) -> list[Rival]:
    """For so many cores. Those whose package is not installed are left out."""
    most, threads = 8 * cores, 2 * cores
    uwsgi = (
        "--strict --need-app --master --die-on-term --enable-threads --disable-logging --listen 100 "
        f"--socket {{socket}} --chdir {{folder}} --module {{module}} --processes {most} --threads {threads} "
        f"--cheaper {cores} --cheaper-initial {cores} --cheaper-step 1"
    )
    offered = [
        Rival(name="cheaper, spare", program="uwsgi", arguments=f"{uwsgi} --cheaper-algo spare"),
        Rival(
            name="cheaper, busyness",
            program="uwsgi",
            arguments=f"{uwsgi} --cheaper-algo busyness --cheaper-overload 3 --cheaper-busyness-backlog-alert 10",
        ),
        Rival(
            name="gunicorn gthread",
            program="gunicorn",
            arguments=f"--bind unix:{{socket}} --chdir {{folder}} -w {2 * cores + 1} -k gthread "
            f"--threads {2 * cores} --log-level error {{module}}",
            http=True,
            needs="gunicorn",
        ),
        Rival(
            name="granian",
            program="granian",
            arguments="--interface wsgi --uds {socket} --working-dir {folder} --log-level error {factory}",
            http=True,
            needs="granian",
        ),
    ]
    return [each for each in offered if each.needs is None or importlib.util.find_spec(each.needs)]


@contextmanager
def started(rival: Rival, workload: Workload, programs: Programs) -> Iterator[Load]:
    """Raises NotServing when it does not answer within `workload.change_s`."""
    with ExitStack() as stack:
        run = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rival-")))
        variables = dict(stack.enter_context(environment_of(workload)))
        port, socket = free_port(), run / SOCKET
        conf = plain.nginx_conf(str(run), port, str(socket), http=rival.http, workers="auto")
        (run / "nginx.conf").write_text(conf, encoding="utf-8")
        command = [_program(rival.program, programs), *_arguments(rival, workload, socket)]
        stack.enter_context(plain.running(command, run / "log", cwd=str(run), env=variables))
        nginx = [programs.nginx, "-p", str(run), "-c", str(run / "nginx.conf"), "-e", str(run / "nginx.error")]
        stack.enter_context(plain.running(nginx, run / "log"))
        _until_ready(rival, port, workload, run)
        load = load_for(workload, f"http://127.0.0.1:{port}", socket=str(socket), record=None)
        stack.callback(load.stop)
        yield load


def _program(name: str, programs: Programs) -> str:
    if name == "uwsgi":
        return programs.uwsgi
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else shutil.which(name) or name


def _arguments(rival: Rival, workload: Workload, socket: Path) -> list[str]:
    values = {"socket": str(socket), "folder": str(workload.folder), "module": workload.module}
    # granian calls a factory when told so, and does not know the parentheses.
    values["factory"] = f"--factory {name}" if (name := workload.module.removesuffix("()")) != workload.module else name
    return rival.arguments.format(**values).split()


def _until_ready(rival: Rival, port: int, workload: Workload, run: Path) -> None:
    deadline = time.monotonic() + workload.change_s
    said = ""
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", workload.path)
            answer = connection.getresponse()
            answer.read()
            if answer.status == 200:
                return
            said = f"status {answer.status}"
        except (OSError, http.client.HTTPException) as error:
            said = str(error)
        finally:
            connection.close()
        time.sleep(0.2)
    printed = (run / "log").read_text(encoding="utf-8", errors="replace")[-600:]
    raise NotServing(f"{rival.name}: expected status 200 within {workload.change_s:.0f} s, found {said}\n{printed}")
