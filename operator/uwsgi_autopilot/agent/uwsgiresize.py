"""More or fewer workers of a running uWSGI, by `+` and `-` into its FIFO. Measured with 2.0.31; uwsgi/fifo.py has the
four traps of `-`.

    ASKS ──two answers: how many live?──► the difference is sent ──► WAITS ──as many live, all accept──► DONE
      └─► NOT_ANSWERING                                               ├─ no worker idle, or none came ─► IMPOSSIBLE
                                                                      ├─ there, but never accept ──────► NOT_ACCEPTING
                                                                      └─ no answer any more ───────────► NOT_ANSWERING

Trap: a letter written while the master still deals with the one before it may be thrown away (uwsgi/fifo.py). So
nothing else is written meanwhile: each question for its stats wakes the master just as well as a letter would.
The first answer may come before the master has dealt with the end of the last letters; the second does not.
"""

from collections.abc import Callable, Sequence

from uwsgi_autopilot.agent.server import Outcome
from uwsgi_autopilot.agent.statsreader import StatsReader
from uwsgi_autopilot.uwsgi.fifo import MasterFifo

# The master acts on `+` and `-` within a second, if an event wakes it, and every question is one: 0.9 s (30 resizes).
GROW_SECONDS = 4.0
# Shrinking needs a worker that is idle when the master looks, 50 times a second. If none was for this long, hardly any
# will be: one busy thread makes the whole worker busy.
SHRINK_SECONDS = 1.5
# Where a swap is not allowed: a busy server may still have a quiet moment. Below the 90 s of a trial, so that whoever
# asked is told why.
PATIENT_SECONDS = 60.0
# A master answers within a millisecond; one that is stopped, or waits for another reader of its stats, does not.
ANSWER_SECONDS = 10.0


class FifoResize:
    def __init__(
        self, fifo: MasterFifo, reader: StatsReader, hang_up_lingering: Callable[[], None], processes: int, now: float,
        start_seconds: float,
    ) -> None:  # fmt: skip
        self.processes = processes
        self._fifo, self._reader, self._hang_up_lingering = fifo, reader, hang_up_lingering
        self._start_seconds = start_seconds
        # The number of letters must come from a fresh answer: one `-` too many can be an outage.
        self._asked_at = now
        self._answered: set[float] = set()
        self._sent_at: float | None = None

    def step(self, now: float, *, patient: bool = False) -> Outcome | None:
        self._reader.ask()
        shrink_seconds = PATIENT_SECONDS if patient else SHRINK_SECONDS
        return self._wait(now, self._sent_at, shrink_seconds) if self._sent_at is not None else self._send(now)

    def _send(self, now: float) -> Outcome | None:
        reading = self._reader.latest
        if reading is not None and reading.asked_at >= self._asked_at:
            self._answered.add(reading.asked_at)
            difference = self.processes - len(reading.stats.live_workers)
            if len(self._answered) > 1 and self._letters(difference):
                self._sent_at = now
                return None
        return Outcome.NOT_ANSWERING if now - self._asked_at > ANSWER_SECONDS else None

    def _wait(self, now: float, sent_at: float, shrink_seconds: float) -> Outcome | None:
        reading = self._reader.latest
        if reading is None or reading.asked_at < max(sent_at, now - ANSWER_SECONDS):
            if now - sent_at <= ANSWER_SECONDS:
                return None
            self._take_back(reading.stats.live_workers if reading else ())
            return Outcome.NOT_ANSWERING
        self._hang_up_lingering()
        workers = reading.stats.live_workers
        waited = reading.asked_at - sent_at
        if len(workers) == self.processes:
            if all(worker.accepting for worker in workers):
                return Outcome.DONE
            # With lazy-apps each new worker imports the application first.
            return Outcome.NOT_ACCEPTING if waited > self._start_seconds else None
        if waited <= (GROW_SECONDS if len(workers) < self.processes else shrink_seconds):
            return None
        self._take_back(workers)
        return Outcome.IMPOSSIBLE

    def _letters(self, difference: int) -> bool:
        """True when the FIFO took them, or there are none to send."""
        if difference == 0:
            return True
        return self._fifo.more(difference) if difference > 0 else self._fifo.fewer(-difference)

    def _take_back(self, live: Sequence[object]) -> None:
        """Send the opposite of what was not done: uWSGI remembers its letters forever."""
        self._letters(len(live) - self.processes)
