"""The agent's life: bind, start, then tick ten times a second until it is told to stop.

python -m uwsgi_autopilot.agent CONFIG.json        exit 0: stopped; 1: the application could not be served
"""

import gc
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from uwsgi_autopilot.agent import listener, relay, serve
from uwsgi_autopilot.agent.backoff import Backoff
from uwsgi_autopilot.agent.drain import Drain
from uwsgi_autopilot.agent.follower import Follower
from uwsgi_autopilot.agent.generations import Generations
from uwsgi_autopilot.agent.guarding import Guarding
from uwsgi_autopilot.agent.health import Health, Signs
from uwsgi_autopilot.agent.install import install
from uwsgi_autopilot.agent.log import log
from uwsgi_autopilot.agent.metrics import metrics_page
from uwsgi_autopilot.agent.observe import SAMPLE_SECONDS, Observer
from uwsgi_autopilot.agent.parkkeeper import ParkKeeper
from uwsgi_autopilot.agent.question import Question
from uwsgi_autopilot.agent.startup import at_home, check
from uwsgi_autopilot.agent.state import State
from uwsgi_autopilot.agent.statsproxy import StatsProxy
from uwsgi_autopilot.agent.uwsgiserver import UwsgiServer
from uwsgi_autopilot.api.agentconfig import END_NOW, AgentConfig, read_agent_config
from uwsgi_autopilot.kernel.spawn import become_subreaper, reap_orphans
from uwsgi_autopilot.kernel.writing import Writing
from uwsgi_autopilot.report.text import cut, readable

TICK_SECONDS = 0.1
# While something changes, the server is asked this often: uWSGI's master acts on events at once, else once a second.
CHANGING_SECONDS = 0.02
# How long a Sample waits for the server's answer, beyond its second: then the reader has given up on it.
LATE_SECONDS = 0.5
END_SECONDS = 5.0
# To finish every request, and no more than that when they come again: a second `docker stop` repeats SIGTERM, as does
# the kernel when the parent dies (kernel/spawn.py). An image's STOPSIGNAL may be SIGQUIT, as nginx's.
FINISH = (signal.SIGTERM, signal.SIGQUIT)
# The kubelet keeps 4,096 bytes of a container's termination message.
TERMINATION_BYTES = 4000


class Agent:
    def __init__(self, config: AgentConfig, path: str) -> None:
        """Binds the sockets. `path`: the file that `config` is from. Raises OSError."""
        self.config, self.path = config, path
        if config.draining:
            # A restarted container finds what its predecessor left behind.
            Path(config.draining).unlink(missing_ok=True)
        self.observer = Observer(config)
        self.sockets = listener.bind_all(config)
        self.follower = Follower(config)
        self.server = UwsgiServer(config, [each.fileno() for each in self.sockets])
        self.generations = Generations(
            self.server,
            self.follower,
            self.observer.memory.use,
            start_seconds=config.start_seconds,
            request_seconds=config.request_seconds,
            stream_seconds=config.stream_seconds,
            no_swap=config.no_swap,
        )
        self.guarding = Guarding(config, self.generations, self.observer)
        self.keeper = ParkKeeper(config, self.follower, self.generations, self.observer)
        self.health = Health(config)
        self.question = Question(config)
        self.writing = Writing()
        self.state = State(config)
        self.drain: Drain | None = None
        self.stop_now = self.hung_up = False
        self._parts = {
            part: Backoff(part)
            for part in ("following", "changing", "looking", "parking", "observing", "guarding", "reaping")
        }
        self._next_sample = time.monotonic() + SAMPLE_SECONDS
        self._asked = 0  # questions that the observer knows about
        self._published: tuple[object, ...] = ()
        self._publish(time.monotonic())
        self.servers = [serve.Server(address, self._pages()) for address in config.listen]
        self.stats = [
            StatsProxy(address, self._stats_path, http=config.stats_http, owner=config.stats_owner)
            for address in config.stats
        ]

    def run(self) -> int:
        """The main loop. Returns the exit status."""
        for signum in (*FINISH, signal.SIGINT, END_NOW):
            signal.signal(signum, self._on_signal)
        signal.signal(signal.SIGHUP, self._on_hangup)
        while True:
            now = time.monotonic()
            if self.stop_now:
                return self._end_now()
            if self.drain is not None:
                if self.drain.step(now):
                    return 0
            else:
                self._follow_and_change(now)
                if self.generations.first_failure is not None:
                    return self._cannot_serve(self.generations.first_failure)
            self._parts["parking"].run(now, self.keeper.step, now)
            self._parts["reaping"].run(now, self._reap)
            if now >= self._next_sample + (0.0 if self.observer.answered(self.generations) else LATE_SECONDS):
                self._parts["observing"].run(now, self._sample, now)
                if self.drain is None:
                    self._parts["guarding"].run(now, self.guarding.step, now)
                self._next_sample = max(self._next_sample + SAMPLE_SECONDS, now + 0.5 * SAMPLE_SECONDS)
            pause = TICK_SECONDS if self.generations.idle and not self.keeper.moving else CHANGING_SECONDS
            time.sleep(max(0.001, pause - (time.monotonic() - now)))

    def _follow_and_change(self, now: float) -> None:
        if self.hung_up:
            self.hung_up = False
            self._reload()
        self._parts["following"].run(now, self.follower.poll, now)
        self._parts["changing"].run(now, self.generations.step, now)
        self._parts["looking"].run(now, self._look, now)

    def _look(self, now: float) -> None:
        self.observer.tick(self.generations, now)
        if not self.health.ready:
            self._check_health(now)
        doing = (self.follower.following, self.generations.shape, self.generations.idle)
        if not self.health.ready or doing != self._published:
            # Not only once a second: nobody should have to wait for our clock.
            self._publish(now)
            self._published = doing

    def _reap(self) -> None:
        reap_orphans({each.instance.pid for each in self.generations.all()})

    def _sample(self, now: float) -> None:
        asked = self.question.asked
        sample = self.observer.sample(self.generations, now, own=asked - self._asked)
        self._asked = asked
        self.keeper.saw(sample)
        if sample is not None:
            self.state.add(sample)
        finished = self.observer.finished.latest if sample else 0.0
        self._check_health(now, finished=finished, wrote=not finished and self._wrote())
        self._publish(now)

    def _check_health(self, now: float, *, finished: float = 0.0, wrote: bool = False) -> None:
        serving = self.generations.serving is not None or self.generations.exchanging
        if serving and self.health.should_ask:
            self.question.ask(now)
        self.health.step(
            now,
            Signs(
                serving=serving,
                finished=finished,
                wrote=wrote,
                answer=self.question.take(),
                in_service=self.observer.socket.in_service,
                queue=self.observer.socket.queue,
            ),
        )

    def _wrote(self) -> bool:
        """Old generations count too: that is where the long answers are."""
        return self.writing.grew({pid: each.shape.threads for each in self.generations.all() for pid in each.pids})

    def _stats_path(self) -> str | None:
        serving = self.generations.serving
        return serving.instance.stats if serving else None

    def _publish(self, now: float) -> None:
        self.state.update(
            now, self.follower, self.generations, self.health, self.observer,
            draining=self.drain is not None, parking=self.keeper.told,
        )  # fmt: skip

    def _pages(self) -> dict[str, serve.Page]:
        return {
            "/healthz": serve.text_page(lambda: (200, "ok\n")),
            "/ready": serve.text_page(lambda: (200 if self.health.ready else 503, readable(self.health.why) + "\n")),
            "/metrics": serve.text_page(lambda: (200, metrics_page(self.state)), "text/plain; version=0.0.4"),
            "/v1/state": serve.state_page(self.state.to_text),
        }

    def _on_signal(self, signum: int, frame: Any) -> None:
        if signum == END_NOW or (signum == signal.SIGINT and self.drain is not None):
            self.stop_now = True
        elif self.drain is None:
            self.drain = Drain(self.config, self.generations, self.observer, time.monotonic())

    def _on_hangup(self, signum: int, frame: Any) -> None:
        self.hung_up = True

    def _reload(self) -> None:
        """A new generation of the same shape, with what the configuration says now about options and environment."""
        try:
            now = at_home(read_agent_config(self.path), os.environ, sys.executable)
        except (OSError, ValueError, TypeError, KeyError) as error:
            log("error", f"{self.path} cannot be used, so nothing is reloaded: {error}")
            return
        self.server.config = replace(self.config, options=now.options, env=now.env)
        self.generations.reload()

    def _end_now(self) -> int:
        self.generations.stop_all(time.monotonic(), gracefully=False)
        deadline = time.monotonic() + END_SECONDS
        while not self.generations.step_stopping(time.monotonic()) and time.monotonic() < deadline:
            time.sleep(CHANGING_SECONDS)
        return 0

    def _cannot_serve(self, why: str) -> int:
        """To where the kubelet, or the command, reads it; else to standard error, where uWSGI has said most of it."""
        if path := self.config.termination_log:
            try:
                Path(path).write_text(cut(readable(why), TERMINATION_BYTES), encoding="utf-8")
            except OSError as error:
                log("warning", f"{path} cannot be written: {error.strerror}")
            else:
                log("error", f"the application could not be served: {why.strip().splitlines()[-1]}")
                return 1
        log("error", why)
        return 1


def main(arguments: list[str] | None = None) -> int:
    arguments = sys.argv[1:] if arguments is None else arguments
    installs = arguments[:1] == ["--install"] and len(arguments) > 3
    if not installs and len(arguments) != 1:
        print("usage: agent CONFIG.json, or agent --install TARGET NGINX_FOLDER PORT...", file=sys.stderr)
        return 2
    try:
        if installs:
            install(sys.argv[0], arguments[1], arguments[2], [int(port) for port in arguments[3:]])
            return 0
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
    # Nothing here creates cycles on purpose, and what has been allocated so far never becomes garbage.
    gc.freeze()
    try:
        agent = Agent(config, path)
    except OSError as error:
        log("error", f"the agent cannot start: {error}")
        return 1
    return agent.run()
