"""Serve one application on this machine: nginx and the agent as children, in a run directory of their own.

with Session(app, folder=..., port=8088, programs=find_programs()) as session:
    wait_ready(session)         # local/ready.py
    while ...:
        session.step()          # keeps the children alive, reads the state; call a few times a second
        session.write_desired(DesiredShape(version=Version(1, 1), shape=Shape(4, 8)))
"""

import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from uwsgi_autopilot.api.address import host_and_port
from uwsgi_autopilot.api.agentstate import AgentState
from uwsgi_autopilot.api.desired import ALL_PODS, UNVERSIONED, DesiredShape, Version
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import UwsgiApp
from uwsgi_autopilot.errors import NotServing
from uwsgi_autopilot.fleet.pod import Pod, PodInfo
from uwsgi_autopilot.loadgen.process import LoadProcess
from uwsgi_autopilot.local.agentclient import AgentClient
from uwsgi_autopilot.local.children import Children, Sink
from uwsgi_autopilot.local.files import FAREWELL_SECONDS, RunFiles, of_manifest
from uwsgi_autopilot.local.nginxcheck import check_nginx
from uwsgi_autopilot.local.ports import bound
from uwsgi_autopilot.local.programs import Programs
from uwsgi_autopilot.local.rundir import make_run_directory

POLL_SECONDS = 0.5
ROUTER_SECONDS = 5.0


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


class Session:
    """pod: the agent's last answer and two minutes of samples; pod.problem: why the last one was no valid state.
    promoted: the shape that was tried and stayed; None: none was."""

    def __init__(
        self,
        app: UwsgiApp,
        *,
        folder: Path,
        port: int,
        programs: Programs,
        host: str = "127.0.0.1",
        start: Shape | None = None,
        sink: Sink = _to_stderr,
        files: Callable[[Path], RunFiles] | None = None,
        where: str | None = None,
    ) -> None:
        """`folder`: where the module is imported from. `sink` gets each line that the application or nginx prints.
        `files`: what to run in the run directory; None: nginx on `host` and `port`, as the manifest says. port 0:
        nothing speaks HTTP. `where`: its addresses, for people; None: the URL of host and port."""
        self.app, self.folder, self.host, self.port, self.programs = app, folder, host, port, programs
        self.start_shape = start or app.tuning.pin or app.tuning.start
        self.sink = sink
        self.where = where or self.url
        self._files = files or self._of_manifest
        self.pod = Pod(info=PodInfo(uid=ALL_PODS, name=app.name))
        self.promoted: Shape | None = None
        self.queue_max: int | None = None
        self._last = UNVERSIONED
        self._next_poll = 0.0
        self._children: Children | None = None
        self._client: AgentClient | None = None

    @property
    def url(self) -> str:
        return f"http://{host_and_port(self.host, self.port)}"

    @property
    def children(self) -> Children:
        assert self._children is not None, "the session has not been entered"
        return self._children

    @property
    def run(self) -> Path:
        """The run directory."""
        return self.children.run

    def __enter__(self) -> "Session":
        """Raises NotServing: port in use, no place for the run directory, a program that cannot be started; SpecError:
        a snippet that nginx refuses."""
        self._check_port()
        run = make_run_directory()
        self._children = children = Children(run, self.programs, self.sink)
        try:
            children.start_janitor()
            files = self._files(run)
            self.write_agent_config(files)
            if files.nginx is not None:
                (run / "nginx.conf").write_text(files.nginx, encoding="utf-8")
                check_nginx(self.programs.nginx, run)
            self._client = AgentClient(str(run / "agent.sock"))
            children.start_agent()
            if files.nginx is not None:
                children.start_nginx()
            if files.router is not None:
                children.start_router(files.router)
        except OSError as error:
            self.stop(gracefully=False)
            raise NotServing(f"the run directory {run} or a program failed: {error}") from None
        except BaseException:
            self.stop(gracefully=False)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.stop(gracefully=kind is not KeyboardInterrupt)

    def _of_manifest(self, run: Path) -> RunFiles:
        return of_manifest(
            self.app, run, host=self.host, port=self.port, folder=self.folder, uwsgi=self.programs.uwsgi,
            start=self.start_shape,
        )  # fmt: skip

    def write_agent_config(self, files: RunFiles) -> None:
        """Raises OSError."""
        fresh = self.run / "agent.json.new"
        fresh.write_text(files.agent.to_text(), encoding="utf-8")
        fresh.rename(self.run / "agent.json")

    def answers(self) -> bool:
        """Whether something takes connections where clients come."""
        if not self.port:
            return True
        try:
            with socket.create_connection((self.host, self.port), timeout=1.0):
                return True
        except OSError:
            return False

    def reload(self) -> None:
        """Have the agent read its configuration again and start a new generation with it."""
        with suppress(ProcessLookupError):
            self.children["agent"].send_signal(signal.SIGHUP)

    def step(self) -> None:
        """Read the state, and restart what died."""
        now = time.monotonic()
        if now >= self._next_poll:
            self.poll()
        self.children.revive()

    def start_load(self, loads: Sequence[str], seconds: float) -> LoadProcess:
        """Send requests to this session from a process of its own; see LoadProcess.start."""
        return LoadProcess.start(self.url, loads, seconds, record=self.children.lifeline)

    def write_desired(self, desired: DesiredShape) -> None:
        """Ask the agent for a shape. Raises OSError when the file cannot be written."""
        self._write("desired", desired)

    def write_promoted(self, desired: DesiredShape) -> None:
        """The shape that a new agent starts with, should this one die. Raises OSError."""
        self._write("promoted", desired)
        self.promoted = desired.shape

    def _write(self, name: str, desired: DesiredShape) -> None:
        fresh = self.run / f"{name}.new"
        fresh.write_text(desired.to_text(), encoding="utf-8")
        fresh.rename(self.run / name)
        self._last = max(self._last, desired.version)

    def set_shape(self, shape: Shape, timeout: float = 90.0) -> None:
        """Change to `shape` and wait until it serves alone. Raises NotServing if it is refused or takes too long.

        For measuring fixed shapes: no autopilot may be stepping meanwhile.
        """
        if self.shape == shape and self.settled:
            return
        version = Version(max(self._last.epoch, self.pod.accepted.epoch) + 1, 0)
        self.write_desired(DesiredShape(version=version, shape=shape))
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            self.step()
            self.poll()
            refused = self.state.refused_version(version) if self.state else None
            if refused is not None:
                raise NotServing(f"{shape} was refused: {refused.message}")
            if self.state is not None and self.state.accepted == version and self.settled and self.state.serves(shape):
                return
            time.sleep(0.05)
        raise NotServing(f"{shape} did not serve within {timeout:.0f} s")

    @property
    def state(self) -> AgentState | None:
        """The agent's last answer; None before the first."""
        return self.pod.state

    @property
    def shape(self) -> Shape | None:
        return self.pod.shape

    @property
    def settled(self) -> bool:
        """It serves and no change is in progress. What an agent said before it died does not count."""
        state = self.state
        if state is None or state.pid != self.children["agent"].pid:
            return False
        return state.serving and state.change is None

    def stop(self, *, gracefully: bool = True) -> None:
        """End everything: nginx first, so that no more requests arrive, then the application. A second Ctrl-C,
        which arrives here as KeyboardInterrupt, ends it at once."""
        children = self.children
        wait = self.app.nginx.read_timeout_s + FAREWELL_SECONDS
        try:
            if gracefully:
                children.end("nginx", signal.SIGQUIT, wait)
                children.end("agent", signal.SIGTERM, wait)
                # After the agent: uWSGI's router cuts what it is passing on.
                children.end("router", signal.SIGINT, ROUTER_SECONDS)
        finally:
            children.end_all_now()
            children.wait_for_output()  # else what they said last is lost with our threads
            if self._client is not None:
                self._client.close()

    def _check_port(self) -> None:
        if self.port:
            what = f"port {self.port} of {self.host}"
            bound(self.host, self.port, what=what, remedy="Choose another with --port").close()

    def poll(self) -> None:
        """Read the state now, and see which processes there are; `step` does this twice a second."""
        self._next_poll = time.monotonic() + POLL_SECONDS
        data = self._client.state(self.pod.cursor) if self._client else None
        self.children.note_processes()
        if data is None:
            return
        try:
            # The agent's clock is ours.
            found = self.pod.take(data, data["now"])
        except (ValueError, KeyError, TypeError) as error:
            self.pod.failed(self.pod.heard_at or 0.0, str(error))
            return
        for sample in list(self.pod.samples)[-found:] if found else ():
            if sample.queue_max is not None:
                self.queue_max = max(self.queue_max or 0, sample.queue_max)
