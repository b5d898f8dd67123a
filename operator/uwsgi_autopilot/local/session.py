"""Serve one application on this machine: nginx and the agent as children, in a run directory of their own.

    with Session(app, folder=..., port=8088, programs=find_programs()) as session:
        session.wait_ready()
        while ...:
            session.step()          # keeps the children alive, reads the state; call a few times a second
            session.wish(Shape(4, 8))

Only this process handles signals: children have sessions of their own, so a terminal's Ctrl-C does not reach them.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import UwsgiApp
from uwsgi_autopilot.api.wish import Wish
from uwsgi_autopilot.errors import NotServing
from uwsgi_autopilot.kernel.process import children_of
from uwsgi_autopilot.kernel.sockdiag import tcp_port_owner
from uwsgi_autopilot.kernel.spawn import become_subreaper, clean_environment, spawn
from uwsgi_autopilot.local.agentclient import AgentClient
from uwsgi_autopilot.local.janitor import RUN_VARIABLE
from uwsgi_autopilot.local.programs import Programs
from uwsgi_autopilot.local.rundir import make_run_directory
from uwsgi_autopilot.resources.nginx import nginx_conf
from uwsgi_autopilot.resources.places import Places, agent_config, nginx_site
from uwsgi_autopilot.tuner.sample import Sample

POLL_SECONDS = 0.25
RESTART_SECONDS = 0.3
# Added to the longest request that nginx waits for.
FAREWELL_SECONDS = 10.0
Sink = Callable[[str], None]


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


class Session:
    """`state` is the agent's last answer, None before the first; `samples` those of the last two minutes."""

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
    ) -> None:
        """`folder`: where the module is imported from. `sink` gets each line that the application or nginx prints."""
        self.app, self.folder, self.host, self.port, self.programs = app, folder, host, port, programs
        self.start_shape = start or app.tuning.pin or app.tuning.start
        self.sink = sink
        self.state: dict[str, Any] | None = None
        self.samples: deque[Sample] = deque(maxlen=120)
        self.restarts = 0
        self.queue_max: int | None = None
        self.seq = 0
        self._cursor = -1
        self._next_poll = 0.0
        self._next_restart = 0.0
        self._adopted: set[int] = set()
        self._exit_notes: deque[str] = deque(maxlen=80)
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._run: Path | None = None
        self._client: AgentClient | None = None

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def run(self) -> Path:
        assert self._run is not None, "the session has not been entered"
        return self._run

    def __enter__(self) -> "Session":
        """Raises NotServing: port in use, no place for the run directory, a program that cannot be started."""
        self._check_port()
        become_subreaper()
        self._run = make_run_directory()
        try:
            self._start_janitor()
            self._write_files()
            self._client = AgentClient(str(self.run / "agent.sock"))
            self._start_agent()
            self._start_nginx()
        except OSError as error:
            self.stop(gracefully=False)
            raise NotServing(f"the run directory {self.run} or a program failed: {error}") from None
        except BaseException:
            self.stop(gracefully=False)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.stop(gracefully=kind is not KeyboardInterrupt)

    def wait_ready(self, timeout: float = 310.0) -> None:
        """Until the application answers. Raises NotServing with the application's own words when it cannot."""
        deadline = time.monotonic() + timeout
        agent = self._children["agent"]
        while time.monotonic() < deadline:
            if agent.poll() is not None:
                self._readers_done()
                reason = "\n".join(self._exit_notes) or f"the agent ended with status {agent.returncode}"
                raise NotServing(f"{self.app.module} could not be served from {self.folder}:\n{reason}")
            self.step()
            if self.state and self.state["ready"] and self._nginx_answers():
                return
            time.sleep(0.05)
        why = self.state["why"] if self.state else "the agent does not answer"
        raise NotServing(f"{self.app.module} did not answer within {timeout:.0f} s: {why}")

    def step(self) -> None:
        """Read the state, and start again what died."""
        now = time.monotonic()
        if now >= self._next_poll:
            self._next_poll = now + POLL_SECONDS
            self._poll()
            self._reap()
        if now >= self._next_restart:
            self._revive(now)

    def wish(self, shape: Shape) -> int:
        """Ask the agent for `shape`; returns the wish's seq. Raises OSError when the file cannot be written."""
        self.seq += 1
        fresh = self.run / "wanted.new"
        fresh.write_text(Wish(seq=self.seq, shape=shape).to_text(), encoding="utf-8")
        fresh.rename(self.run / "wanted")
        return self.seq

    def set_shape(self, shape: Shape, timeout: float = 90.0) -> None:
        """Change to `shape` and wait until it serves alone. Raises NotServing when it is refused or takes too long."""
        if self.shape == shape and self.settled:
            return
        seq = self.wish(shape)
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            self.step()
            state = self.state or {}
            accepted = state.get("accepted") or {}
            refused = state.get("refused")
            if refused and (
                refused.get("seq") == seq or (refused.get("shape") == shape.to_json() and accepted.get("seq") == seq)
            ):
                raise NotServing(f"{shape} was refused: {refused['message']}")
            if accepted.get("seq") == seq and self.shape == shape and self.settled:
                return
            time.sleep(0.05)
        raise NotServing(f"{shape} did not serve within {timeout:.0f} s")

    @property
    def shape(self) -> Shape | None:
        found = (self.state or {}).get("shape")
        return Shape.from_json(found) if found else None

    @property
    def settled(self) -> bool:
        """No change is in progress."""
        return self.state is not None and self.state["serving"] and self.state["change"] is None

    def stop(self, *, gracefully: bool = True) -> None:
        """End everything: nginx first, so that nobody sends any more, then the application. A second Ctrl-C, which
        arrives here as KeyboardInterrupt, ends it at once."""
        try:
            if gracefully:
                self._end("nginx", signal.SIGQUIT, self.app.nginx.read_timeout_s + FAREWELL_SECONDS)
                self._end("agent", signal.SIGTERM, self.app.nginx.read_timeout_s + FAREWELL_SECONDS)
        finally:
            for child in self._children.values():
                if child.poll() is None:
                    child.send_signal(signal.SIGTERM)
                    child.send_signal(signal.SIGINT)
            for name, child in self._children.items():
                if name != "janitor":
                    _wait_or_kill(child, 6.0)
            self._sweep()

    # -- children -----------------------------------------------------------------------------------------------

    def _check_port(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.host, self.port))
            except OSError as error:
                owner = tcp_port_owner(self.port)
                who = f" by process {owner[0]} ({owner[1]})" if owner else ""
                raise NotServing(
                    f"port {self.port} of {self.host} cannot be used{who}: {error.strerror}. Name another with --port"
                ) from None

    def _environment(self) -> dict[str, str]:
        """PATH begins with uWSGI's own directory: that is how its embedded Python finds the virtual environment."""
        path = os.pathsep.join([str(Path(self.programs.uwsgi).parent), os.environ.get("PATH", os.defpath)])
        return clean_environment(os.environ, {RUN_VARIABLE: str(self.run), "PATH": path})

    def _write_files(self) -> None:
        run = self.run
        places = Places(
            run=str(run),
            private=str(run / "private"),
            temporary=str(run),
            wanted=str(run / "wanted"),
            listen=f"unix:{run / 'agent.sock'}",
            agent=f"unix:{run / 'agent.sock'}",
            nginx_listen=f"{self.host}:{self.port}",
            nginx_port=self.port,
        )
        config = agent_config(
            self.app,
            places,
            uwsgi=[self.programs.uwsgi],
            chdir=str(self.folder),
            start=self.start_shape,
            drain_seconds=self.app.nginx.read_timeout_s + FAREWELL_SECONDS,
            env=self.app.env,
            memory_limit=self.app.limits.memory,
            cores=self.app.limits.cpu,
        )
        (run / "agent.json").write_text(config.to_text(), encoding="utf-8")
        # Directories of static files are relative to the folder of the application.
        static = [replace(each, dir=str(self.folder / each.dir)) for each in self.app.nginx.static]
        user = "root" if os.geteuid() == 0 else None
        site = nginx_site(self.app, places, public_agent=True, user=user, static=static)
        (run / "nginx.conf").write_text(nginx_conf(site), encoding="utf-8")

    def _start_janitor(self) -> None:
        reading, writing = os.pipe()
        os.set_inheritable(reading, True)
        self._children["janitor"] = subprocess.Popen(
            [sys.executable, "-I", "-m", "uwsgi_autopilot.local.janitor", str(self.run)],
            stdin=reading,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env=clean_environment(os.environ, {}),
        )
        os.close(reading)
        self._lifeline = writing

    def _start_agent(self) -> None:
        command = [sys.executable, "-I", "-m", "uwsgi_autopilot.agent", str(self.run / "agent.json")]
        self._start("agent", command, signal.SIGTERM)

    def _start_nginx(self) -> None:
        run = str(self.run)
        # stderr too on the command line: before it reads the file nginx would open a log of its own.
        command = [self.programs.nginx, "-p", run, "-c", f"{run}/nginx.conf", "-e", "stderr"]
        self._start("nginx", command, signal.SIGQUIT)

    def _start(self, name: str, command: list[str], when_we_die: signal.Signals) -> None:
        child = spawn(
            command,
            when_parent_dies=when_we_die,
            env=self._environment(),
            cwd=str(self.run),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._children[name] = child
        thread = threading.Thread(target=self._read_lines, args=(child,), daemon=True)
        thread.start()
        self._reader = thread if name == "agent" else getattr(self, "_reader", thread)

    def _read_lines(self, child: "subprocess.Popen[bytes]") -> None:
        assert child.stdout is not None
        with child.stdout as output:
            self._copy_lines(output)

    def _copy_lines(self, output: IO[bytes]) -> None:
        for raw in output:
            line = raw.decode("utf-8", errors="replace").rstrip("\n")
            self._exit_notes.append(line)
            self.sink(line)

    def _readers_done(self) -> None:
        self._reader.join(2.0)

    def _revive(self, now: float) -> None:
        for name, start in (("agent", self._start_agent), ("nginx", self._start_nginx)):
            child = self._children[name]
            if child.poll() is None:
                continue
            self._next_restart = now + RESTART_SECONDS
            self.restarts += 1
            self.sink(f"{name} ended with status {child.returncode} and is started again")
            if name == "nginx":
                self._quit_orphans_of_nginx()
            else:
                self._adopted.update((self.state or {}).get("pids", ()))
            start()

    def _quit_orphans_of_nginx(self) -> None:
        """Workers whose master was killed still hold the port; SIGQUIT lets them finish and frees it at once."""
        known = {child.pid for child in self._children.values()}
        for pid in children_of(os.getpid()):
            if pid not in known and _program_of(pid) == os.path.realpath(self.programs.nginx):
                os.kill(pid, signal.SIGQUIT)
                self._adopted.add(pid)

    def _reap(self) -> None:
        """Wait for those that became our children because their parent, the agent or nginx, was killed."""
        for pid in list(self._adopted):
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                self._adopted.discard(pid)

    def _end(self, name: str, signum: signal.Signals, timeout: float) -> None:
        child = self._children.get(name)
        if child is None or child.poll() is not None:
            return
        child.send_signal(signum)
        try:
            child.wait(timeout)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)

    def _sweep(self) -> None:
        """The janitor kills what is left and removes the run directory."""
        if self._client is not None:
            self._client.close()
        if (janitor := self._children.pop("janitor", None)) is None:
            return
        os.close(self._lifeline)
        try:
            janitor.wait(20.0)
        except subprocess.TimeoutExpired:
            shutil.rmtree(self.run, ignore_errors=True)

    # -- state --------------------------------------------------------------------------------------------------

    def _poll(self) -> None:
        state = self._client.state(self._cursor) if self._client else None
        if state is None:
            return
        fresh = [Sample.from_json(each) for each in state.pop("samples", ())]
        if self.state is not None and state["pid"] != self.state["pid"]:
            # The agent was started again and counts its samples from 1.
            fresh, self._cursor = [], -1
        elif fresh:
            self._cursor = fresh[-1].seq
        self.samples.extend(fresh)
        for sample in fresh:
            if sample.queue_max is not None:
                self.queue_max = max(self.queue_max or 0, sample.queue_max)
        self.state = state

    def _nginx_answers(self) -> bool:
        try:
            with socket.create_connection((self.host, self.port), timeout=1.0):
                return True
        except OSError:
            return False


def _program_of(pid: int) -> str | None:
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return None


def _wait_or_kill(child: "subprocess.Popen[bytes]", timeout: float) -> None:
    try:
        child.wait(timeout)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
