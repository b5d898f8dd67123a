"""Serve one application on this machine: nginx and the agent as children, in a run directory of their own.

with Session(app, folder=..., port=8088, programs=find_programs()) as session:
    session.wait_ready()
    while ...:
        session.step()          # keeps the children alive, reads the state; call a few times a second
        session.wish(Shape(4, 8))
"""

import signal
import socket
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import UwsgiApp
from uwsgi_autopilot.api.wish import Wish
from uwsgi_autopilot.errors import NotServing
from uwsgi_autopilot.kernel.sockdiag import tcp_port_owner
from uwsgi_autopilot.local.agentclient import AgentClient
from uwsgi_autopilot.local.children import Children, Sink
from uwsgi_autopilot.local.files import FAREWELL_SECONDS, agent_config, nginx_site, places_of
from uwsgi_autopilot.local.programs import Programs
from uwsgi_autopilot.local.rundir import make_run_directory
from uwsgi_autopilot.resources.nginx import nginx_conf
from uwsgi_autopilot.tuner.sample import Sample

POLL_SECONDS = 0.5


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
        self.queue_max: int | None = None
        self.seq = 0
        self._cursor = -1
        self._next_poll = 0.0
        self._children: Children | None = None
        self._client: AgentClient | None = None

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def children(self) -> Children:
        assert self._children is not None, "the session has not been entered"
        return self._children

    @property
    def run(self) -> Path:
        """The run directory."""
        return self.children.run

    def __enter__(self) -> "Session":
        """Raises NotServing: port in use, no place for the run directory, a program that cannot be started."""
        self._check_port()
        run = make_run_directory()
        self._children = children = Children(run, self.programs, self.sink)
        try:
            children.start_janitor()
            where = places_of(run, self.host, self.port)
            config = agent_config(
                self.app, where, folder=self.folder, uwsgi=self.programs.uwsgi, start=self.start_shape
            )
            (run / "agent.json").write_text(config.to_text(), encoding="utf-8")
            site = nginx_site(self.app, where, folder=self.folder)
            (run / "nginx.conf").write_text(nginx_conf(site), encoding="utf-8")
            self._client = AgentClient(str(run / "agent.sock"))
            children.start_agent()
            children.start_nginx()
        except OSError as error:
            self.stop(gracefully=False)
            raise NotServing(f"the run directory {run} or a program failed: {error}") from None
        except BaseException:
            self.stop(gracefully=False)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.stop(gracefully=kind is not KeyboardInterrupt)

    def wait_ready(self, timeout: float = 310.0) -> None:
        """Until the application answers. Raises NotServing with the application's own words when it cannot."""
        deadline = time.monotonic() + timeout
        agent = self.children["agent"]
        while time.monotonic() < deadline:
            if agent.poll() is not None:
                self.children.wait_for_output("agent")
                reason = "\n".join(self.children.last_lines) or f"the agent ended with status {agent.returncode}"
                raise NotServing(f"{self.app.module} could not be served from {self.folder}:\n{reason}")
            self.step()
            self.poll()
            if self.state and self.state["ready"] and self._nginx_answers():
                return
            time.sleep(0.05)
        why = self.state["why"] if self.state else "the agent does not answer"
        raise NotServing(f"{self.app.module} did not answer within {timeout:.0f} s: {why}")

    def step(self) -> None:
        """Read the state, and start again what died."""
        now = time.monotonic()
        if now >= self._next_poll:
            self.poll()
        self.children.revive()

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
            self.poll()
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
        """It serves and no change is in progress. What an agent said that has died since does not count."""
        state = self.state
        if state is None or state["pid"] != self.children["agent"].pid:
            return False
        return state["serving"] and state["change"] is None

    def stop(self, *, gracefully: bool = True) -> None:
        """End everything: nginx first, so that nobody sends any more, then the application. A second Ctrl-C, which
        arrives here as KeyboardInterrupt, ends it at once."""
        children = self.children
        wait = self.app.nginx.read_timeout_s + FAREWELL_SECONDS
        try:
            if gracefully:
                children.end("nginx", signal.SIGQUIT, wait)
                children.end("agent", signal.SIGTERM, wait)
        finally:
            children.end_all_now()
            if self._client is not None:
                self._client.close()

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

    def poll(self) -> None:
        """Read the state now, and see which processes there are; `step` does it twice a second."""
        self._next_poll = time.monotonic() + POLL_SECONDS
        state = self._client.state(self._cursor) if self._client else None
        self.children.note_processes()
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
