"""One generation: one uWSGI master with its workers, a FIFO and a stats socket of its own, on the agent's socket.

    STARTING ──every wanted worker accepts──► SERVING ──retire()──► RETIRING ──last request done──► GONE
        └────────────── exit, or too slow ─────────────────────────────────────────────────────────► GONE

A generation never decides to leave a state by itself: `change.py` does. How it is told to finish was measured
(uWSGI 2.0.31): with one thread per worker a graceful stop can lose the request that was accepted in the same
microseconds, so it is paused first and quits when every live worker says so; with more threads a paused master
never leaves, so it is only told to quit.
"""

import os
import signal
import subprocess
from contextlib import suppress
from enum import Enum
from pathlib import Path

from uwsgi_autopilot.agent.logtail import LogTail, traceback_tail
from uwsgi_autopilot.agent.relay import OUT, relay_to
from uwsgi_autopilot.api.agentconfig import AgentConfig
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.kernel.process import parent_of
from uwsgi_autopilot.kernel.spawn import clean_environment, kill_group, spawn
from uwsgi_autopilot.uwsgi.fifo import MasterFifo
from uwsgi_autopilot.uwsgi.ini import ATEXIT_SHIM, ATEXIT_SHIM_NAME, generation_ini
from uwsgi_autopilot.uwsgi.stats import Stats, StatsError, parse_stats, read_stats

# A paused generation that does not show it is told to quit all the same: better the rare race than a stuck swap.
PAUSE_SECONDS = 20.0
# For the end of the output of a master that has ended. Who inherited the pipe and left its group may hold it for ever.
LAST_WORDS_SECONDS = 1.0


class State(str, Enum):
    STARTING = "Starting"
    SERVING = "Serving"
    RETIRING = "Retiring"
    GONE = "Gone"


class Generation:
    def __init__(self, config: AgentConfig, number: int, shape: Shape, ceiling: int, listener_fd: int) -> None:
        """Start uWSGI.

        Raises OSError when the program cannot be started or a file not written, ValueError with one sentence when the
        configuration has no ini.
        """
        self.config = config
        self.number = number
        self.shape = shape
        self.ceiling = ceiling
        self.state = State.STARTING
        self.stats: Stats | None = None
        private = Path(config.private)
        self._ini = private / f"g{number}.ini"
        self._fifo_path = private / f"g{number}.fifo"
        self.stats_path = private / f"g{number}.stats"
        self.fifo = MasterFifo(str(self._fifo_path))
        shim = private / ATEXIT_SHIM_NAME
        shim.write_text(ATEXIT_SHIM, encoding="utf-8")
        self._ini.write_text(
            generation_ini(
                config,
                shape=shape,
                ceiling=ceiling,
                fd=listener_fd,
                fifo=str(self._fifo_path),
                stats=str(self.stats_path),
                atexit_shim=str(shim),
            ),
            encoding="utf-8",
        )
        self._quit_sent = self._paused = False
        self._hung_up: set[int] = set()
        self._retired_at: float | None = None
        self._ended_at: float | None = None
        out, into = os.pipe()
        try:
            # SIGINT makes the master end its workers too, should the agent be killed.
            self.process: subprocess.Popen[bytes] = spawn(
                [*config.uwsgi, "--ini", str(self._ini)],
                when_parent_dies=signal.SIGINT,
                env=clean_environment(os.environ, dict(config.env)),
                pass_fds=[listener_fd],
                cwd=config.chdir,
                stdout=into,
                stderr=into,
            )
        except OSError:
            os.close(out)
            raise
        finally:
            os.close(into)
        self.log = LogTail(out, relay_to(OUT))

    @property
    def pid(self) -> int:
        return self.process.pid

    def alive(self) -> bool:
        return self.process.poll() is None

    def refresh(self) -> Stats | None:
        """Read the stats socket; None when there is no answer, which says nothing about load."""
        try:
            self.stats = parse_stats(read_stats(str(self.stats_path)))
        except (OSError, StatsError):
            return None
        return self.stats

    def workers(self) -> list[int]:
        """Process ids of the live workers, by the last stats."""
        return [worker.pid for worker in self.stats.workers if worker.live] if self.stats else []

    def accepts(self) -> bool:
        """Every wanted worker is in its accept loop, by fresh stats."""
        stats = self.refresh()
        if stats is None or len(stats.accepting_workers) < self.shape.processes:
            return False
        return all(worker.threads == self.shape.threads for worker in stats.workers if worker.live)

    def retire(self, now: float) -> None:
        self.state = State.RETIRING
        self._retired_at = now
        self.step_retiring(now)

    def step_retiring(self, now: float) -> None:
        """Call often until the process is gone. After `request_seconds` what still runs is killed."""
        assert self._retired_at is not None
        waited = now - self._retired_at
        if waited > self.config.request_seconds:
            self.kill()
        elif self._quit_sent:
            self.fifo.poke()
        elif self.shape.threads == 1 and waited < PAUSE_SECONDS and not self._all_paused():
            self._paused = self._paused or self.fifo.pause()
            self.fifo.poke()
        else:
            self._quit_sent = self.fifo.quit_gracefully()

    def discard(self, now: float) -> None:
        """End a generation that never served: gracefully where a worker may hold a request already."""
        if self.fifo.poke() and self.refresh() is not None:
            self.retire(now)
        else:
            self.kill()

    def hang_up_lingering(self) -> None:
        """SIGHUP workers that were told to go (`cheap`) and still run: with threads they sleep in epoll until their
        next request, and uWSGI would kill them at worker-reload-mercy with that request in hand.

        Never with one thread: such a worker does not linger, and SIGHUP could hit it between accept and service.
        """
        if self.shape.threads == 1:
            return
        for worker in self.stats.workers if self.stats else ():
            # Checked again: a process id may have been given to somebody else since the stats were written.
            lingers = worker.pid > 0 and not worker.live and worker.pid not in self._hung_up
            if lingers and parent_of(worker.pid) == self.pid:
                self._hung_up.add(worker.pid)
                with suppress(ProcessLookupError):
                    os.kill(worker.pid, signal.SIGHUP)

    def kill(self) -> None:
        """SIGKILL master and workers at once."""
        kill_group(self.pid)

    def last_words(self, now: float) -> str | None:
        """Of a master that has ended by itself: the traceback that it left, without secrets. Ends its workers too.

        None while more of its output may come, at most LAST_WORDS_SECONDS: ask again at the next step.
        """
        if self._ended_at is None:
            self._ended_at = now
            self.kill()
        if not self.log.ended and now - self._ended_at < LAST_WORDS_SECONDS:
            return None
        return traceback_tail(self.log.text())

    def close(self) -> None:
        self.state = State.GONE
        for path in (self._ini, self._fifo_path, self.stats_path):
            path.unlink(missing_ok=True)

    def _all_paused(self) -> bool:
        if not self._paused:
            return False
        stats = self.refresh()
        # A parked (cheap) worker never shows `pause`, so only live ones are asked.
        return stats is not None and all(worker.status == "pause" for worker in stats.workers if worker.live)
