"""Read a stats socket without ever blocking the main loop.

By a thread, not by a non-blocking socket read over several ticks: uWSGI writes the answer in its master's only loop and
waits for a slow reader without limit. Between two ticks of ours that master would start no worker.

`ask` and `latest` wait for nothing but a lock that is held for an assignment. The thread gives up on an answer after
read_stats' half second; the last reading stays, with its time.
"""

import threading
import time
from dataclasses import dataclass

from uwsgi_autopilot.uwsgi.stats import Stats, StatsError, parse_stats, read_stats


@dataclass(frozen=True, slots=True)
class Reading:
    """asked_at: monotonic seconds just before the master was asked: everything that happened before is in `stats`."""

    asked_at: float
    stats: Stats


class StatsReader:
    """latest: the last good answer; None before the first. No answer says nothing about load, and changes nothing."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.latest: Reading | None = None
        self._wanted = threading.Event()
        self._closed = False
        threading.Thread(target=self._run, daemon=True).start()

    def ask(self) -> None:
        """Read once, soon. If a reading is under way, another one follows it."""
        self._wanted.set()

    def since(self, moment: float) -> Stats | None:
        """The latest answer, if it was asked for after `moment`."""
        latest = self.latest
        return latest.stats if latest is not None and latest.asked_at >= moment else None

    def close(self) -> None:
        self._closed = True
        self._wanted.set()

    def _run(self) -> None:
        while True:
            self._wanted.wait()
            self._wanted.clear()
            if self._closed:
                return
            asked_at = time.monotonic()
            try:
                self.latest = Reading(asked_at, parse_stats(read_stats(self.path)))
            except (OSError, StatsError):
                continue
