"""How a running uWSGI is told to finish its requests and end. Measured with 2.0.31.

With one thread per worker a graceful stop can lose the request that was accepted in the same microseconds, so it is
paused first and quits when every live worker says so; with more threads a paused master never leaves, so it is only
told to quit.

    one thread ──► pauses ──all live workers paused, or too long and none at its client──► quits: `q`, again and again
    more threads ──────────────────────────────────────────────────────────────────────────►┘
"""

from uwsgi_autopilot.agent.statsreader import StatsReader
from uwsgi_autopilot.kernel.polling import polled
from uwsgi_autopilot.uwsgi.fifo import MasterFifo

# A master that never shows as paused is told to quit anyway: the rare race is better than a stuck swap.
PAUSE_SECONDS = 20.0


class FifoFinish:
    """Call `step` often until the master has ended."""

    def __init__(self, fifo: MasterFifo, reader: StatsReader, threads: int, now: float) -> None:
        self._fifo, self._reader = fifo, reader
        self._since = now
        self._paused_at: float | None = None
        self._quits = threads > 1

    def step(self, now: float) -> None:
        """`p` is a toggle, so it is sent only until the FIFO has taken it. `q` is sent until the master has ended."""
        if not self._quits:
            self._quits = self._all_paused() or (now - self._since >= PAUSE_SECONDS and not self._transfers())
        if self._quits:
            self._fifo.quit_gracefully()
            return
        if self._paused_at is None and self._fifo.pause():
            self._paused_at = now
        self._reader.ask()
        self._fifo.poke()

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
