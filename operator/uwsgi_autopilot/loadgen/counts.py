"""What the load generator counts, and the JSON lines that report it. Pure.

One line for each interval:

    {"at": 3.0, "requests": 640, "failed": 0, "in_flight": 64, "latency": [[79, 600], [80, 40]],
     "statuses": {"200": 1870}}

requests: finished in this interval, the failed ones included. failed: of those. in_flight: due and not finished at
`at`. latency: (bucket, count) of the answered ones, report/histogram.py. statuses: how often each status was answered
from the start until `at`, whole answers only.
"""

from collections import Counter
from typing import Any

from uwsgi_autopilot.report import histogram

Counts = dict[int, int]


class Tally:
    """Counts of one phase over the whole run.

    sent = answered + failed + what is in flight. repeated: further tries by clients that
    retry; such a request counts once in `sent`. retried: sent once more because the server closed an idle keep-alive
    connection (RFC 9112 section 9.3.1); counted once in `sent`. unsent: arrivals that were due and dropped because the
    generator was told to stop. no_connection: arrivals that had to wait for one of the bounded connections.
    """

    __slots__ = (
        "_line_failed",
        "_line_latency",
        "answered",
        "failures",
        "latency",
        "lateness",
        "no_connection",
        "repeated",
        "retried",
        "sent",
        "slowest_s",
        "statuses",
        "unsent",
    )

    def __init__(self) -> None:
        self.sent = self.answered = self.retried = self.unsent = self.no_connection = self.repeated = 0
        self.failures: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        self.latency: Counts = {}
        self.lateness: Counts = {}
        self.slowest_s = 0.0
        self._line_latency: Counts = {}
        self._line_failed = 0

    @property
    def failed(self) -> int:
        return self.failures.total()

    @property
    def in_flight(self) -> int:
        return self.sent - self.answered - self.failed

    def answer(self, seconds: float) -> None:
        self.answered += 1
        bucket = histogram.bucket_of(seconds)
        self._line_latency[bucket] = self._line_latency.get(bucket, 0) + 1
        if seconds > self.slowest_s:
            self.slowest_s = seconds

    def fail(self, why: str) -> None:
        self.failures[why] += 1
        self._line_failed += 1

    def late(self, seconds: float) -> None:
        """The generator handled an arrival this long after it was due: its own slowness, not the server's."""
        bucket = histogram.bucket_of(seconds)
        self.lateness[bucket] = self.lateness.get(bucket, 0) + 1

    def take_line(self) -> tuple[Counts, int]:
        """Latencies and failures since the last call."""
        latency, failed = self._line_latency, self._line_failed
        histogram.add(self.latency, latency.items())
        self._line_latency, self._line_failed = {}, 0
        return latency, failed


def line(at: float, tallies: list[Tally]) -> dict[str, Any]:
    """The line of the interval that ends at `at` seconds."""
    latency: Counts = {}
    failed = 0
    for tally in tallies:
        counts, wrong = tally.take_line()
        histogram.add(latency, counts.items())
        failed += wrong
    return {
        "at": round(at, 3),
        "requests": sum(latency.values()) + failed,
        "failed": failed,
        "in_flight": sum(tally.in_flight for tally in tallies),
        "latency": sorted(latency.items()),
        "statuses": _statuses(tallies),
    }


def _statuses(tallies: list[Tally]) -> dict[str, int]:
    found: Counter[int] = Counter()
    for tally in tallies:
        found.update(tally.statuses)
    return {str(status): count for status, count in sorted(found.items())}


def totals(tallies: list[Tally]) -> dict[str, Any]:
    """The sums over `tallies`; call `take_line` on each first, else the last interval's latencies are missing."""
    latency: Counts = {}
    lateness: Counts = {}
    failures: Counter[str] = Counter()
    for tally in tallies:
        histogram.add(latency, tally.latency.items())
        histogram.add(lateness, tally.lateness.items())
        failures.update(tally.failures)
    return {
        "sent": sum(tally.sent for tally in tallies),
        "answered": sum(tally.answered for tally in tallies),
        "failed": failures.total(),
        "failures": dict(failures.most_common()),
        "statuses": _statuses(tallies),
        "retried": sum(tally.retried for tally in tallies),
        "repeated": sum(tally.repeated for tally in tallies),
        "unsent": sum(tally.unsent for tally in tallies),
        "no_connection": sum(tally.no_connection for tally in tallies),
        "latency_ms": {
            "p50": _ms(histogram.quantile(latency, 0.5)),
            "p99": _ms(histogram.quantile(latency, 0.99)),
            "max": _ms(max((tally.slowest_s for tally in tallies), default=0.0)) if latency else None,
        },
        "lateness_ms": {
            "p50": _ms(histogram.quantile(lateness, 0.5)),
            "p99": _ms(histogram.quantile(lateness, 0.99)),
        },
    }


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)
