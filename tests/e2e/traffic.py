"""Load from this machine to localhost:8088, counted on the client's side.

Two kinds at once: clients that keep their connection, and clients that open one for each request. They meet different
accidents: the first a connection that is closed under them, the second a pod that is no longer there.
"""

import sys
import time
from dataclasses import dataclass
from typing import Any

from tests.e2e.place import URL
from uwsgi_autopilot.loadgen.process import LoadProcess

LONGEST_S = 900


@dataclass(frozen=True, slots=True)
class Count:
    sent: int
    answered: int
    failed: int
    failures: dict[str, int]
    slowest_ms: float

    def __str__(self) -> str:
        return f"{self.sent} sent, {self.answered} answered, {self.failed} failed {self.failures or ''}"


class Traffic:
    """A context manager: the load runs inside. `path`: what is asked for."""

    def __init__(self, path: str, *, kept: int = 16, fresh: int = 8, url: str = URL) -> None:
        self._loads = [f"clients={kept},path={path}", f"clients={fresh},path={path},close"]
        self._url = url
        self._running: list[LoadProcess] = []
        self.count = Count(0, 0, 0, {}, 0.0)

    def __enter__(self) -> "Traffic":
        self._running = [LoadProcess.start(self._url, [load], LONGEST_S) for load in self._loads]
        return self

    def __exit__(self, *_: Any) -> None:
        ended = [each.stop() for each in self._running]
        summaries = [each for each in ended if each is not None]
        assert len(summaries) == len(self._running), "a load generator died"
        failures: dict[str, int] = {}
        for each in summaries:
            for why, number in each["failures"].items():
                failures[why] = failures.get(why, 0) + number
        self.count = Count(
            sent=sum(each["sent"] for each in summaries),
            answered=sum(each["answered"] for each in summaries),
            failed=sum(each["failed"] for each in summaries),
            failures=failures,
            slowest_ms=max(each["latency_ms"]["max"] or 0.0 for each in summaries),
        )
        print(f"load: {self.count}", file=sys.stderr)

    def rps(self, seconds: float = 5.0) -> float:
        """Answers a second, both kinds together, over the last seconds."""
        windows = [each.window(seconds) for each in self._running]
        return sum(each.rps for each in windows if each is not None)

    @property
    def failed(self) -> int:
        """So far, to the second."""
        return sum(each.failed for each in self._running)

    def nothing_lost(self) -> None:
        assert self.count.answered > 0
        assert self.count.failed == 0, str(self.count)
        assert self.count.sent == self.count.answered, str(self.count)


def breathe(seconds: float) -> None:
    """Let the load run."""
    time.sleep(seconds)
