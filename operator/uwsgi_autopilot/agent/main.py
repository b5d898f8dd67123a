"""The agent's life: bind, start, then tick ten times a second until it is told to stop.

python -m uwsgi_autopilot.agent CONFIG.json        exit 0: stopped; 1: the application could not be served
"""

import gc
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from uwsgi_autopilot.agent import listener, relay, serve
from uwsgi_autopilot.agent.change import Fleet
from uwsgi_autopilot.agent.drain import Drain
from uwsgi_autopilot.agent.health import Health
from uwsgi_autopilot.agent.log import log
from uwsgi_autopilot.agent.metrics import metrics_page
from uwsgi_autopilot.agent.observe import Observer
from uwsgi_autopilot.agent.state import State
from uwsgi_autopilot.agent.wanted import WishFile
from uwsgi_autopilot.api.agentconfig import MAX_SOCKET_PATH, AgentConfig, read_agent_config
from uwsgi_autopilot.api.wish import EVERYONE
from uwsgi_autopilot.kernel.spawn import become_subreaper
from uwsgi_autopilot.report.text import readable

TICK_SECONDS = 0.1
# While something changes the master is poked this often: it acts on an event at once, else once a second.
CHANGING_SECONDS = 0.02
SAMPLE_SECONDS = 1.0
# A configuration is shared by all pods of an application, so each learns its own uid from its environment.
POD_UID = "AUTOPILOT_POD_UID"


class Agent:
    def __init__(self, config: AgentConfig) -> None:
        """Binds the sockets. Raises OSError."""
        self.config = config
        if config.draining:
            # A container that is started again finds what the one before it left.
            Path(config.draining).unlink(missing_ok=True)
        self.observer = Observer(config)
        self.socket = listener.bind(config.socket, config.backlog)
        self.fleet = Fleet(config, self.socket, self.observer.memory)
        self.wishes = WishFile(config)
        self.health = Health(config)
        self.state = State(config)
        self.drain: Drain | None = None
        self.stop_now = False
        self._next_sample = time.monotonic() + SAMPLE_SECONDS
        if promoted := self.wishes.read_promoted():
            self.fleet.target = promoted.shape
        pages: dict[str, serve.Page] = {
            "/healthz": serve.text_page(lambda: (200, "ok\n")),
            "/ready": serve.text_page(self._ready),
            "/metrics": serve.text_page(lambda: (200, metrics_page(self.state)), "text/plain; version=0.0.4"),
            "/v1/state": serve.state_page(self.state.to_json),
        }
        self._published: tuple[object, ...] = ()
        self._publish(time.monotonic())
        serve.start(config.listen, pages)

    def run(self) -> int:
        """The main loop. Returns the exit status."""
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, self._on_signal)
        while True:
            now = time.monotonic()
            if self.stop_now:
                return self._end_now()
            if self.drain is not None:
                if self.drain.step(now):
                    return 0
            else:
                self._tick(now)
                if self.fleet.first_failure is not None:
                    self._explain(self.fleet.first_failure)
                    return 1
            _reap_strangers({generation.pid for generation in self.fleet.generations()})
            if now >= self._next_sample:
                self._sample(now)
                self._next_sample = max(self._next_sample + SAMPLE_SECONDS, now + 0.5 * SAMPLE_SECONDS)
            pause = TICK_SECONDS if self.fleet.idle else CHANGING_SECONDS
            time.sleep(max(0.001, pause - (time.monotonic() - now)))

    def _tick(self, now: float) -> None:
        before = self.wishes.refused
        wanted = self.wishes.poll(now, self.fleet.shape)
        if self.wishes.refused is not None and self.wishes.refused is not before:
            self.fleet.refused = None  # the later refusal is the one to tell
        if wanted is not None:
            self.fleet.want(wanted)
        self.fleet.step(now)
        self.observer.tick(self.fleet)
        if not self.health.ready:
            self._check_health(now, finished=0.0)
        doing = (self.wishes.accepted, self.wishes.refused, self.fleet.refused, self.fleet.shape, self.fleet.idle)
        if not self.health.ready or doing != self._published:
            # Not only once a second: whoever waits for it should not wait for our clock.
            self._publish(now)
            self._published = doing

    def _check_health(self, now: float, *, finished: float) -> None:
        serving = self.fleet.serving is not None
        self.health.step(now, serving=serving, finished=finished, queue=self.observer.queue)

    def _sample(self, now: float) -> None:
        settled = self.fleet.idle and now - self.fleet.last_change_at >= SAMPLE_SECONDS
        sample = self.observer.sample(self.fleet, now, settled=settled)
        if sample is not None:
            self.state.add(sample)
        self._check_health(now, finished=sample.requests if sample else 0.0)
        self._publish(now)

    def _publish(self, now: float) -> None:
        self.state.update(now, self.fleet, self.wishes, self.health, self.observer, self.drain is not None)

    def _ready(self) -> tuple[int, str]:
        return (200 if self.health.ready else 503), readable(self.health.why) + "\n"

    def _on_signal(self, signum: int, frame: Any) -> None:
        if self.drain is not None:
            self.stop_now = True
        else:
            self.drain = Drain(self.config, self.fleet, self.observer, time.monotonic())

    def _end_now(self) -> int:
        self.fleet.stop_all(time.monotonic(), gracefully=False)
        deadline = time.monotonic() + 5.0
        while not self.fleet.step_stopping(time.monotonic()) and time.monotonic() < deadline:
            time.sleep(CHANGING_SECONDS)
        return 0

    def _explain(self, message: str) -> None:
        """Why it could not be served: on standard error, and where the kubelet reads it."""
        log("error", message)
        if self.config.termination_log:
            _write(self.config.termination_log, message.encode())


def _write(path: str, data: bytes) -> None:
    try:
        Path(path).write_bytes(data)
    except OSError as error:
        log("warning", f"{path} cannot be written: {error.strerror}")


def _reap_strangers(ours: set[int]) -> None:
    """As PID 1 or a subreaper we inherit orphans of the application. Those of `ours` are waited for elsewhere."""
    while True:
        try:
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if found is None or found.si_pid in ours:
            return
        os.waitpid(found.si_pid, os.WNOHANG)


def check(config: AgentConfig) -> None:
    """Raises ValueError with one sentence when a path cannot work."""
    private = f"{config.private}/g999999.stats"
    for path in (config.socket, private, config.log_socket or ""):
        if len(os.fsencode(path)) > MAX_SOCKET_PATH:
            raise ValueError(
                f"{path}: expected at most {MAX_SOCKET_PATH} bytes, found {len(os.fsencode(path))}: "
                f"a unix socket cannot have a longer path; use a shorter run directory"
            )


def at_home(config: AgentConfig, environ: Mapping[str, str], interpreter: str) -> AgentConfig:
    """Fill in what only this process knows: its pod's uid, and where uWSGI is when the configuration gives a bare name.

    That is beside our own interpreter, where pip puts it, and else in PATH: /venv/bin/python means /venv/bin/uwsgi. Its
    directory comes first in PATH, because so uWSGI's embedded Python finds its virtual environment.
    """
    if config.uid == EVERYONE and environ.get(POD_UID):
        config = replace(config, uid=environ[POD_UID])
    beside = Path(interpreter).parent / config.uwsgi[0]
    if "/" not in config.uwsgi[0] and os.access(beside, os.X_OK):
        path = os.pathsep.join([str(beside.parent), environ.get("PATH", os.defpath)])
        config = replace(config, uwsgi=(str(beside), *config.uwsgi[1:]), env=(("PATH", path), *config.env))
    return config


def main(arguments: list[str] | None = None) -> int:
    arguments = sys.argv[1:] if arguments is None else arguments
    if len(arguments) != 1:
        print("usage: agent CONFIG.json", file=sys.stderr)
        return 2
    try:
        return _run(arguments[0])
    finally:
        relay.flush()


def _run(path: str) -> int:
    try:
        config = at_home(read_agent_config(path), os.environ, sys.executable)
        check(config)
    except (OSError, ValueError, TypeError, KeyError) as error:
        log("error", f"{path} is not a configuration that this agent understands: {error}")
        return 2
    become_subreaper()
    # Nothing here makes cycles on purpose; what was allocated until now is never garbage.
    gc.freeze()
    run: Callable[[], int]
    try:
        run = Agent(config).run
    except OSError as error:
        log("error", f"the agent cannot start: {error}")
        return 1
    return run()
