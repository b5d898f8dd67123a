"""uWSGI behind the seam of `server.py`: a master with its workers, FIFO and stats socket, on the socket that we own."""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from uwsgi_autopilot.agent.log import log
from uwsgi_autopilot.agent.logtail import LogTail, ended_while_loading, not_an_exception, traceback_tail
from uwsgi_autopilot.agent.ownlog import OwnLogs
from uwsgi_autopilot.agent.relay import OUT, relay_to
from uwsgi_autopilot.agent.server import Left, WorkerStats
from uwsgi_autopilot.agent.statsreader import Reading, StatsReader
from uwsgi_autopilot.agent.uwsgifinish import FifoFinish
from uwsgi_autopilot.agent.uwsgiresize import FifoResize
from uwsgi_autopilot.api.agentconfig import AgentConfig
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.kernel.process import children_of, parent_of
from uwsgi_autopilot.kernel.spawn import clean_environment, kill_group, spawn
from uwsgi_autopilot.kernel.waiting import waited_for
from uwsgi_autopilot.kernel.writing import Writing
from uwsgi_autopilot.uwsgi.fifo import MasterFifo
from uwsgi_autopilot.uwsgi.ini import generation_ini, most_workers
from uwsgi_autopilot.uwsgi.loading import names_a_file, no_callable
from uwsgi_autopilot.uwsgi.shim import SHIM, SHIM_NAME
from uwsgi_autopilot.uwsgi.stats import Worker

# How long to wait for the rest of the output after the end: a child of the application may hold the pipe open.
OUTPUT_SECONDS = 1.0
STABLE_STATS = "stats.sock"
# What uWSGI says when it has imported the module and found nothing to call, and, after a traceback, when it could not.
NO_CALLABLE = "callable not found or import error"


class UwsgiServer:
    def __init__(self, config: AgentConfig, listener_fds: Sequence[int]) -> None:
        self.config, self.listener_fds = config, tuple(listener_fds)

    def start(self, number: int, shape: Shape) -> "UwsgiInstance":
        """Raises OSError when the program cannot be started or a file cannot be written, ValueError with one sentence
        when there is no ini for this configuration."""
        return UwsgiInstance(self.config, self.listener_fds, number, shape)


class UwsgiInstance:
    def __init__(self, config: AgentConfig, listener_fds: Sequence[int], number: int, shape: Shape) -> None:
        self.config, self.started_with = config, shape
        self.ceiling = min(max(shape.processes, config.ceiling), most_workers(config))
        private = Path(config.private)
        self._ini, fifo, self._stats_path = (private / f"g{number}.{each}" for each in ("ini", "fifo", "stats"))
        shim = private / SHIM_NAME
        shim.write_text(SHIM, encoding="utf-8")
        text = generation_ini(
            config,
            shape=shape,
            ceiling=self.ceiling,
            fds=listener_fds,
            fifo=str(fifo),
            stats=str(self._stats_path),
            shim=str(shim),
            file=config.module is not None and names_a_file(config.module, config.chdir),
        )
        self._ini.write_text(text, encoding="utf-8")
        self._own_logs = OwnLogs(config.options, config.chdir)
        self.fifo = MasterFifo(str(fifo))
        self._process, output = _start(config, self._ini, listener_fds)
        self._log = LogTail(output, relay_to(OUT))
        self.reader = StatsReader(str(self._stats_path))
        self._writing = Writing()
        self._finish: FifoFinish | None = None
        self._hung_up: set[int] = set()
        self._counted: Reading | None = None
        self._workers: tuple[WorkerStats, ...] = ()
        self._output_since: float | None = None

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def stats(self) -> str:
        return str(self._stats_path)

    @property
    def version(self) -> str | None:
        latest = self.reader.latest
        return latest.stats.version if latest else None

    @property
    def workers(self) -> Sequence[WorkerStats]:
        latest = self.reader.latest
        if latest is not self._counted:
            self._counted = latest
            self._workers = tuple(_stats_of(worker) for worker in latest.stats.workers) if latest else ()
        return self._workers

    def answered_since(self, moment: float) -> bool:
        return self.reader.since(moment) is not None

    def alive(self) -> bool:
        return self._process.poll() is None

    def ending(self) -> str:
        code = self._process.returncode
        return f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"

    def last_output(self) -> str | None:
        now = time.monotonic()
        self._output_since = self._output_since or now
        # This is the only place that waits for the rest of the output.
        if not self._log.ended and now - self._output_since < OUTPUT_SECONDS:
            return None
        return self._explained(f"{self._log.text()}\n{self._own_logs.text()}".strip("\n"))

    def _explained(self, text: str) -> str:
        config, output = self.config, traceback_tail(text)
        if NO_CALLABLE in output and config.module is not None and not_an_exception(output):
            remedy = no_callable(config.module, config.chdir, config.uwsgi[0], config.options)
            return remedy or output
        if self._process.returncode > 0 and not_an_exception(output):
            output = ended_while_loading(text) or output
        if self._own_logs.places and not_an_exception(output):
            return f"uWSGI logs to {', '.join(self._own_logs.places)}: see there. Here it said:\n{output}".strip()
        return output

    def look(self) -> None:
        self.reader.ask()

    def accepts(self) -> bool:
        self.reader.ask()
        wanted, latest = self.started_with, self.reader.latest
        if latest is None or len(latest.stats.accepting_workers) < wanted.processes:
            return False
        return all(worker.threads == wanted.threads for worker in latest.stats.live_workers)

    def takes_over(self) -> None:
        """Point `stats.sock`, a stable path for uwsgitop, at this instance, atomically."""
        stable = self._stats_path.with_name(STABLE_STATS)
        fresh = stable.with_suffix(".new")
        try:
            fresh.unlink(missing_ok=True)
            fresh.symlink_to(self._stats_path.name)
            fresh.rename(stable)
        except OSError as error:
            log("warning", f"{stable} cannot be created, so uwsgitop has no stable path: {error.strerror}")

    def resize(self, processes: int, now: float) -> FifoResize:
        return FifoResize(self.fifo, self.reader, self.hang_up_lingering, processes, now, self.config.start_seconds)

    def retire(self, now: float) -> None:
        self._finish = FifoFinish(self.pid, self.fifo, self.reader, self.started_with.threads, now)
        self._finish.step(now)

    def step_retiring(self, now: float) -> None:
        if self._finish is not None:
            self._finish.step(now)

    def left(self) -> Left:
        self.reader.ask()
        pids = children_of(self.pid)
        return Left(
            in_service=sum(worker.in_service for worker in self.workers),
            waited_for=waited_for(pids, (self.config.socket, *self.config.more_sockets)),
            wrote=self._writing.grew(dict.fromkeys(pids, self.started_with.threads)),
        )

    def hold(self) -> None:
        kill_group(self.pid, signal.SIGSTOP)

    def discard(self, now: float) -> None:
        """If it has never answered, it has not come far enough to hold a request."""
        if self.reader.latest is not None:
            self.retire(now)
        else:
            self.kill()

    def hang_up_lingering(self) -> None:
        """SIGHUP workers that were told to go (`cheap`) and still run: with threads they sleep in epoll until their
        next request, and uWSGI would kill them at worker-reload-mercy with that request in service.

        Never with one thread: such a worker does not linger, and SIGHUP could hit it between accept and service.
        """
        if self.started_with.threads == 1:
            return
        # Parking takes workers away for years, and pids come round.
        self._hung_up &= {worker.pid for worker in self.workers}
        for worker in self.workers:
            # Checked again: the pid may have been reused since the stats were written.
            lingers = worker.pid > 0 and not worker.live and worker.pid not in self._hung_up
            if lingers and parent_of(worker.pid) == self.pid:
                self._hung_up.add(worker.pid)
                with suppress(ProcessLookupError):
                    os.kill(worker.pid, signal.SIGHUP)

    def kill(self) -> None:
        """Master and workers: if only the master were killed, its workers would keep serving."""
        kill_group(self.pid)

    def close(self) -> None:
        self.reader.close()
        for path in (self._ini, Path(self.fifo.path), self._stats_path):
            with suppress(OSError):
                path.unlink(missing_ok=True)


def _start(config: AgentConfig, ini: Path, listener_fds: Sequence[int]) -> tuple["subprocess.Popen[bytes]", int]:
    """The master, and the descriptor to read its output from. Raises OSError."""
    out, into = os.pipe()
    record = None
    try:
        if config.record:
            record = os.open(config.record, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        # SIGINT makes the master end its workers too, should the agent be killed.
        process = spawn(
            [*config.uwsgi, "--ini", str(ini)],
            when_parent_dies=signal.SIGINT,
            env=clean_environment(os.environ, dict(config.env)),
            pass_fds=listener_fds,
            cwd=config.chdir,
            record=record,
            stdout=into,
            stderr=into,
        )
    except OSError:
        os.close(out)
        raise
    finally:
        os.close(into)
        if record is not None:
            os.close(record)
    return process, out


def _stats_of(worker: Worker) -> WorkerStats:
    return WorkerStats(
        slot=worker.id,
        pid=worker.pid,
        live=worker.live,
        accepting=worker.accepting,
        threads=worker.threads,
        requests=worker.requests,
        service_s=worker.running_time_us / 1e6,
        in_service=worker.in_service,
        oldest_start=worker.oldest_request_start,
    )
