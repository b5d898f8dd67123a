"""How a running uWSGI is told to finish its requests and end. Measured with 2.0.31.

With one thread per worker a graceful stop can lose the request that was accepted in the same microseconds, so it is
paused first and quits when every live worker says so; with more threads a paused master never leaves, so it is only
told to quit.

    one thread ──► pauses ──all live workers paused, or too long and none at its client──► quits: `q`, again and again
    more threads ──────────────────────────────────────────────────────────────────────────►┘

Trap: a worker that was forked just now still has the master's handlers (core/master_utils.c:uwsgi_respawn_worker). A
signal that finds it like that makes it do what the master would do. With the one to pause it sends that signal to all
workers, itself among them, without end, and none stays paused: seen on a starved machine, a core busy for ten minutes.
With the one to end it stays. So nothing is sent while a child catches SIGTSTP, as the master does, and not SIGWINCH.
"""

import signal

from uwsgi_autopilot.agent.statsreader import StatsReader
from uwsgi_autopilot.kernel.polling import polled
from uwsgi_autopilot.kernel.process import catches, children_of
from uwsgi_autopilot.uwsgi.fifo import MasterFifo

# A master that never shows as paused is told to quit anyway: the rare race is better than a stuck swap.
PAUSE_SECONDS = 20.0
# Nor is anything put off for longer than this because a worker is young.
YOUNG_SECONDS = 5.0


class FifoFinish:
    """Call `step` often until the master, `pid`, has ended."""

    def __init__(self, pid: int, fifo: MasterFifo, reader: StatsReader, threads: int, now: float) -> None:
        self._pid, self._fifo, self._reader = pid, fifo, reader
        self._since = now
        self._paused_at: float | None = None
        self._begun = self._quits = False
        self._threads = threads

    def step(self, now: float) -> None:
        """`p` is a toggle, so it is sent only until the FIFO has taken it. `q` is sent until the master has ended."""
        if not self._begun:
            if now - self._since < YOUNG_SECONDS and self._has_young_worker():
                return
            self._begun, self._quits = True, self._threads > 1
        if not self._quits:
            self._quits = self._all_paused() or (now - self._since >= PAUSE_SECONDS and not self._transfers())
        if self._quits:
            self._fifo.quit_gracefully()
            return
        if self._paused_at is None and self._fifo.pause():
            self._paused_at = now
        self._reader.ask()

    def _has_young_worker(self) -> bool:
        return any(catches(pid, signal.SIGTSTP) and not catches(pid, signal.SIGWINCH) for pid in children_of(self._pid))

    def _all_paused(self) -> bool:
        stats = self._reader.since(self._paused_at) if self._paused_at is not None else None
        # A parked (cheap) worker never shows `pause`, so only live ones count. An idle one shows it before it does it.
        return stats is not None and all(
            worker.status == "pause" and polled(worker.pid) in (0, None) for worker in stats.live_workers
        )

    def _transfers(self) -> bool:
        """Whether a worker waits for its client at this moment: `q` would end that wait, and the answer with it."""
        reading = self._reader.latest
        return reading is not None and any(polled(worker.pid) == 1 for worker in reading.stats.live_workers)
