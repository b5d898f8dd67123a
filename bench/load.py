"""The closed loop that the bench measures with: the built-in generator, or wrk where it is installed (wrk.py).

The built-in one runs all the time, so that every change of shape happens under load and whatever it loses is counted.
"""

import json
import math
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, Protocol

from uwsgi_autopilot.errors import NotServing
from uwsgi_autopilot.kernel.spawn import spawn
from uwsgi_autopilot.report import histogram

# Seconds between two lines of the built-in generator: how exactly a window begins and ends.
LINE_S = 0.1
# Nothing runs without end, not even when we are killed in a way that nobody notices.
AT_MOST_S = 3600
Idle = Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Answered requests a second and their latency; None without any, the mean also where it is not known. failed: in
    the window."""

    rps: float
    p50_ms: float | None
    p99_ms: float | None
    failed: int
    mean_ms: float | None = None


def mean_of_windows(windows: Sequence[Window]) -> Window:
    def median(values: Sequence[float | None]) -> float | None:
        known = [each for each in values if each is not None]
        return statistics.median(known) if known else None

    return Window(
        rps=statistics.fmean(window.rps for window in windows),
        p50_ms=median([window.p50_ms for window in windows]),
        p99_ms=median([window.p99_ms for window in windows]),
        failed=sum(window.failed for window in windows),
        mean_ms=median([window.mean_ms for window in windows]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Second:
    """A step of a load's course, which ends `at` seconds after the first answer."""

    at: float
    rps: float
    p99_ms: float | None


class Load(Protocol):
    """`idle` is called again and again while it waits. `sent` and `failed` are complete after `stop`."""

    @property
    def name(self) -> str: ...
    @property
    def sent(self) -> int: ...
    @property
    def failed(self) -> int: ...
    @property
    def failures(self) -> dict[str, int]: ...

    def keep_going(self) -> None:
        """Load without measuring, until the next `window`."""

    def window(self, warm_s: float, seconds: float, idle: Idle) -> Window: ...

    def first_answer(self) -> float | None:
        """When the first answers had come, on the monotonic clock, at the latest; None before."""

    def stop(self) -> None:
        """It may go on again."""

    def abandon(self) -> None:
        """Stop without waiting for the answers, which are not counted."""


@dataclass
class BuiltIn:
    """loads: what the generator is asked for, as its --load. expects: answers that are no failure, such as "500"; they
    are no goodput either. lateness_ms: p99 of how late it began requests of an open loop; None: not known yet."""

    loads: Sequence[str]
    url: str
    record: int | None = None
    expects: str | None = None
    realtime: bool = False
    name: str = "built-in"
    lateness_ms: float | None = None
    sent: int = 0
    failed: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    _lines: list[dict[str, Any]] = field(default_factory=list)
    _process: "subprocess.Popen[bytes] | None" = None
    _first: float | None = None
    _before_first: float = 0.0

    def keep_going(self) -> None:
        if self._process is not None:
            return
        self._lines.clear()
        command = [sys.executable, "-I", "-m", "uwsgi_autopilot.loadgen", "--url", self.url]
        command += [word for load in self.loads for word in ("--load", load)]
        command += ["--every", f"{LINE_S}", "--seconds", f"{AT_MOST_S}"]
        command += ["--realtime"] if self.realtime else []
        self._process = spawn(command, when_parent_dies=signal.SIGTERM, record=self.record, stdout=subprocess.PIPE)
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True)
        self._reader.start()

    def window(self, warm_s: float, seconds: float, idle: Idle) -> Window:
        self.keep_going()
        begin = self._await(self._at() + warm_s, idle)
        end = self._await(begin + seconds, idle)
        counts: dict[int, int] = {}
        failed = expected = 0
        for line in list(self._lines):
            if line["at"] <= begin:
                expected = self._expected(line["statuses"])
            elif line["at"] <= end:
                histogram.add(counts, line["latency"])
                failed += line["failed"]
                last = line
        failed -= self._expected(last["statuses"]) - expected if counts or failed else 0
        p50, p99 = histogram.quantile(counts, 0.5), histogram.quantile(counts, 0.99)
        return Window(
            rps=sum(counts.values()) / (end - begin),
            p50_ms=_ms(p50),
            p99_ms=_ms(p99),
            failed=max(0, failed),
            mean_ms=_ms(_mean(counts)),
        )

    def _expected(self, statuses: dict[str, int]) -> int:
        return statuses.get(self.expects, 0) if self.expects else 0

    def first_answer(self) -> float | None:
        return self._first

    def series(self, every: float) -> list[Second]:
        """What was answered since the first answer, in steps of so many seconds."""
        found: list[Second] = []
        counts: dict[int, int] = {}
        for line in list(self._lines):
            at = line["at"] - self._before_first
            if at > every * (len(found) + 1) + LINE_S / 2:
                found.append(_second(every * (len(found) + 1), counts, every))
                counts = {}
            if at > 0:
                histogram.add(counts, line["latency"])
        return found

    def stop(self) -> None:
        """It may go on again: `sent` and `failed` are of all that it sent."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._ended()

    def abandon(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._ended()

    def _ended(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        self._reader.join(5)
        self._process.stdout.close()
        self._process = None

    def _at(self) -> float:
        """The generator's own time of its last line."""
        return float(self._lines[-1]["at"]) if self._lines else 0.0

    def _await(self, at: float, idle: Idle) -> float:
        assert self._process is not None
        while self._at() < at - LINE_S / 2:
            if self._process.poll() is not None:
                raise NotServing(f"the load generator ended with status {self._process.returncode}")
            idle()
            time.sleep(0.02)
        return self._at()

    def _read(self, output: IO[bytes]) -> None:
        for raw in output:
            line = json.loads(raw)
            if summary := line.get("summary"):
                self.sent += summary["sent"]
                for why, count in summary["failures"].items():
                    if why != f"status {self.expects}":
                        self.failed += count
                        self.failures[why] = self.failures.get(why, 0) + count
                self.lateness_ms = summary["lateness_ms"]["p99"]
                return
            if self._first is None and line["requests"] > line["failed"]:
                self._first, self._before_first = time.monotonic(), line["at"] - LINE_S
            self._lines.append(line)


def _second(at: float, counts: dict[int, int], every: float) -> Second:
    p99 = _ms(histogram.quantile(counts, 0.99))
    return Second(at=round(at, 2), rps=sum(counts.values()) / every, p99_ms=p99)


def _mean(counts: dict[int, int]) -> float | None:
    """Seconds; within the 3.5 % of a bucket's middle, the same way for everybody that is compared."""
    total = sum(counts.values())
    middle = math.sqrt(histogram.GROWTH)
    return sum(histogram.upper_bound(each) / middle * n for each, n in counts.items()) / total if total else None


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000
