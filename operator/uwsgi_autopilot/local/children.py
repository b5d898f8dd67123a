"""The processes of one run: nginx or a router, the agent, and the janitor that outlives us. Started, kept alive, ended.

Only this process handles signals: children have sessions of their own, so a terminal's Ctrl-C does not reach them.
"""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from uwsgi_autopilot.api.agentconfig import END_NOW
from uwsgi_autopilot.kernel.process import children_of, start_ticks
from uwsgi_autopilot.kernel.spawn import become_subreaper, clean_environment, kill_group, path_with, spawn
from uwsgi_autopilot.local.janitor import Process, recorded
from uwsgi_autopilot.local.outputlines import lines_of
from uwsgi_autopilot.local.programs import Programs
from uwsgi_autopilot.local.repeats import Repeats

RESTART_SECONDS = 0.3
# To read what is left in a pipe takes milliseconds; but a process that the application started may hold it open.
OUTPUT_SECONDS = 2.0
KEEP_LINES = 80
Sink = Callable[[str], None]


class Children:
    """sink: gets their output by lines, without what they print over and over; last_lines: the end of it, with that.
    restarts: how often one was restarted. lifeline: the pipe to the janitor, to be given to `spawn` as `record` for
    whatever else is started: without it that may outlive us."""

    def __init__(self, run: Path, programs: Programs, sink: Sink) -> None:
        self.run, self.programs, self.sink = run, programs, sink
        self.last_lines: deque[str] = deque(maxlen=KEEP_LINES)
        self.restarts = 0
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._readers: dict[str, threading.Thread] = {}
        self._known: set[Process] = set()  # what the last look found
        self._adopted: set[int] = set()
        self._next_restart = 0.0
        self._starts: dict[str, Callable[[], None]] = {}
        self.lifeline: int | None = None
        become_subreaper()

    def __getitem__(self, name: str) -> "subprocess.Popen[bytes]":
        return self._processes[name]

    def start_janitor(self) -> None:
        """Its standard input is a pipe that only we hold open: its end tells it that we are gone."""
        reading, self.lifeline = os.pipe()
        os.set_blocking(self.lifeline, False)  # a janitor that somebody stopped must not stop us
        self._processes["janitor"] = subprocess.Popen(
            [sys.executable, "-I", "-m", "uwsgi_autopilot.local.janitor", str(self.run)],
            stdin=reading,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env=clean_environment(os.environ, {}),
        )
        os.close(reading)

    def start_agent(self) -> None:
        self._starts["agent"] = self.start_agent
        command = [sys.executable, "-I", "-m", "uwsgi_autopilot.agent", str(self.run / "agent.json")]
        self._start("agent", command, signal.SIGTERM)

    def start_nginx(self) -> None:
        self._starts["nginx"] = self.start_nginx
        run = str(self.run)
        # stderr on the command line too: before it has read the file nginx would open a log of its own.
        command = [self.programs.nginx, "-p", run, "-c", f"{run}/nginx.conf", "-e", "stderr"]
        self._start("nginx", command, signal.SIGQUIT)

    def start_router(self, command: Sequence[str]) -> None:
        """uWSGI's own HTTP router; SIGINT makes its master take the router along."""
        self._starts["router"] = lambda: self.start_router(command)
        self._start("router", list(command), signal.SIGINT)

    def revive(self, *, but: str = "") -> None:
        """Restart what died, and reap processes that became our children because their parent was killed.

        but: a child that stays as it ended, because the caller asks why."""
        for pid in list(self._adopted):
            try:
                ended, _ = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                ended = pid
            self._adopted.discard(ended)
        now = time.monotonic()
        if now < self._next_restart:
            return
        for name, start in tuple(self._starts.items()):
            child = self._processes[name]
            if name == but or child.poll() is None:
                continue
            self._next_restart = now + RESTART_SECONDS
            self.restarts += 1
            self.sink(f"{name} ended with status {child.returncode} and is started again")
            if name == "nginx":
                self._quit_orphans_of_nginx()
            elif name == "agent":
                self._end_servers()
            start()

    def note_processes(self) -> None:
        """Find this run's processes (nginx, the agent, those below them) and report new ones to the janitor."""
        started = [child.pid for name, child in self._processes.items() if name != "janitor"]
        orphans = set(children_of(os.getpid())).difference(started)
        known = self._known | recorded(self.run)
        self._adopted |= {pid for pid in orphans if _lost_its_parent(pid, known)}
        top = [*started, *self._adopted]
        below = [child for pid in top for child in children_of(pid)]
        pids = [*top, *below, *(worker for pid in below for worker in children_of(pid))]
        seen = {(pid, start) for pid in pids if (start := start_ticks(pid)) is not None}
        fresh = "".join(f"{pid} {start}\n" for pid, start in seen - self._known)
        self._known = seen
        if fresh and self.lifeline is not None:
            with suppress(OSError):
                os.write(self.lifeline, fresh.encode("ascii"))

    def end(self, name: str, signum: signal.Signals, timeout: float) -> None:
        """Signal and wait; after `timeout` seconds kill."""
        child = self._processes.get(name)
        if child is not None and child.poll() is None:
            child.send_signal(signum)
            try:
                child.wait(timeout)
            except subprocess.TimeoutExpired:
                child.send_signal(signal.SIGKILL)
        if name == "nginx":
            # Workers of a killed master keep the port open, and the agent's drain waits for it to close.
            self._quit_orphans_of_nginx()

    def end_all_now(self) -> None:
        """End whatever is still running without waiting for requests; the janitor removes the rest and the files."""
        for name, child in self._processes.items():
            if name != "janitor" and child.poll() is None:
                # Not SIGTERM: a uWSGI, the router's, may take that for a reload.
                child.send_signal(END_NOW if name == "agent" else signal.SIGINT)
        for name, child in self._processes.items():
            if name != "janitor":
                _wait_or_kill(child, 6.0)
        janitor = self._processes.pop("janitor", None)
        if janitor is None or self.lifeline is None:
            return
        os.close(self.lifeline)
        try:
            janitor.wait(20.0)
        except subprocess.TimeoutExpired:
            shutil.rmtree(self.run, ignore_errors=True)

    def wait_for_output(self, *names: str) -> None:
        """Wait until all output of dead children has been passed on; no names: of all."""
        deadline = time.monotonic() + OUTPUT_SECONDS
        for name in names or tuple(self._readers):
            self._readers[name].join(max(0.0, deadline - time.monotonic()))

    def _start(self, name: str, command: list[str], when_we_die: signal.Signals) -> None:
        child = spawn(
            command,
            when_parent_dies=when_we_die,
            env=clean_environment(os.environ, {"PATH": path_with(self.programs.uwsgi, os.environ)}),
            cwd=str(self.run),
            record=self.lifeline,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert child.stdout is not None
        self._processes[name] = child
        self._readers[name] = threading.Thread(target=self._read_lines, args=(child.stdout,), daemon=True)
        self._readers[name].start()
        self.note_processes()

    def _read_lines(self, output: IO[bytes]) -> None:
        """In a thread of its own, and nowhere else is the sink called with output: it waits if nobody reads."""
        repeats = Repeats()
        with output:
            for line in lines_of(output.fileno()):
                if line is not None:
                    self.last_lines.append(line)
                now = time.monotonic()
                self._pass_on(repeats.flush(now) if line is None else repeats.feed(line, now))
        self._pass_on(repeats.end(time.monotonic()))

    def _pass_on(self, lines: list[str]) -> None:
        for line in lines:
            self.sink(line)

    def _end_servers(self) -> None:
        """Of an agent that was killed. The kernel forgets a parent-death signal when a process becomes another user."""
        for pid, start in recorded(self.run):
            if start_ticks(pid) == start:
                with suppress(OSError):
                    os.kill(pid, signal.SIGINT)
                    kill_group(pid, signal.SIGCONT)  # the agent may have held it to cut its answers off

    def _quit_orphans_of_nginx(self) -> None:
        """Workers whose master was killed still hold the port; SIGQUIT lets them finish and frees it at once."""
        known = {child.pid for child in self._processes.values()}
        for pid in children_of(os.getpid()):
            if pid not in known and _program_of(pid) == os.path.realpath(self.programs.nginx):
                os.kill(pid, signal.SIGQUIT)
                self._adopted.add(pid)


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


def _lost_its_parent(child: int, known: set[Process]) -> bool:
    """Whether this child of ours had another parent in this run, and so must be reaped by us: it is one of the `known`,
    or a worker of one, since only they share the session that `spawn` gave it."""
    with suppress(OSError):
        return (child, start_ticks(child)) in known or os.getsid(child) in {pid for pid, _ in known if pid != child}
    return False
