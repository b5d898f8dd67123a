"""The closed loop that the bench measures with: wrk where it is installed, else the built-in generator.

The built-in one runs all the time, so that every change of shape happens under load and whatever it loses is counted.
wrk tells its numbers only at its end, so it runs again for each window. What it leaves in the queue when it ends
would be served within the next window, so that one begins when the queue is empty.
"""

import contextlib
import json
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Any, Protocol

from bench.workload import Workload
from uwsgi_autopilot.errors import NotServing
from uwsgi_autopilot.kernel.sockdiag import SocketDiagnostics
from uwsgi_autopilot.kernel.spawn import spawn
from uwsgi_autopilot.report import histogram

# Seconds between two lines of the built-in generator: how exactly a window begins and ends.
LINE_S = 0.1
# Nothing runs without end, not even when we are killed in a way that nobody notices.
AT_MOST_S = 3600
# The longest that wrk waits for an empty queue.
DRAIN_S = 30.0
Idle = Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Answered requests a second and their latency; None without any. failed: in the window."""

    rps: float
    p50_ms: float | None
    p99_ms: float | None
    failed: int


class Load(Protocol):
    """`idle` is called again and again while it waits. `sent` and `failed` are complete after `stop`."""

    name: str
    sent: int
    failed: int
    failures: dict[str, int]

    def keep_going(self) -> None:
        """Load without measuring, until the next `window`."""

    def window(self, warm_s: float, seconds: float, idle: Idle) -> Window: ...

    def first_answer(self) -> float | None:
        """When the first answers had come, on the monotonic clock, at the latest; None before."""

    def stop(self) -> None: ...


def load_for(workload: Workload, url: str, *, socket: str, record: int | None) -> Load:
    """socket: path of the unix socket where the application's queue can be seen. record: see kernel/spawn.py:spawn."""
    if path := shutil.which("wrk"):
        return Wrk(path, workload, url, socket, record=record)
    return BuiltIn(workload, url, record=record)


@dataclass
class BuiltIn:
    workload: Workload
    url: str
    record: int | None = None
    name: str = "built-in"
    sent: int = 0
    failed: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    _lines: list[dict[str, Any]] = field(default_factory=list)
    _process: "subprocess.Popen[bytes] | None" = None
    _first: float | None = None

    def keep_going(self) -> None:
        if self._process is not None:
            return
        load = f"clients={self.workload.clients},path={self.workload.path}"
        command = [sys.executable, "-I", "-m", "uwsgi_autopilot.loadgen", "--url", self.url, "--load", load]
        command += ["--every", f"{LINE_S}", "--seconds", f"{AT_MOST_S}"]
        self._process = spawn(command, when_parent_dies=signal.SIGTERM, record=self.record, stdout=subprocess.PIPE)
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True)
        self._reader.start()

    def window(self, warm_s: float, seconds: float, idle: Idle) -> Window:
        self.keep_going()
        begin = self._await(self._at() + warm_s, idle)
        end = self._await(begin + seconds, idle)
        counts: dict[int, int] = {}
        failed = 0
        for line in list(self._lines):
            if begin < line["at"] <= end:
                histogram.add(counts, line["latency"])
                failed += line["failed"]
        p50, p99 = histogram.quantile(counts, 0.5), histogram.quantile(counts, 0.99)
        return Window(rps=sum(counts.values()) / (end - begin), p50_ms=_ms(p50), p99_ms=_ms(p99), failed=failed)

    def first_answer(self) -> float | None:
        return self._first

    def stop(self) -> None:
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(5)
        assert self._process.stdout is not None
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
                self.sent, self.failed, self.failures = summary["sent"], summary["failed"], summary["failures"]
                return
            if self._first is None and line["requests"] > line["failed"]:
                self._first = time.monotonic()
            self._lines.append(line)


@dataclass
class Wrk:
    program: str
    workload: Workload
    url: str
    socket: str
    record: int | None = None
    name: str = "wrk"
    sent: int = 0
    failed: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    _process: "subprocess.Popen[bytes] | None" = None
    _first: float | None = None

    def keep_going(self) -> None:
        if self._process is None:
            self._process = self._start(AT_MOST_S)

    def window(self, warm_s: float, seconds: float, idle: Idle) -> Window:
        self._end()
        self._drain(idle)
        self._process = self._start(warm_s + seconds)
        while self._process.poll() is None:
            idle()
            time.sleep(0.02)
        return self._end()

    def first_answer(self) -> float | None:
        """wrk does not tell: when it was started."""
        return self._first

    def stop(self) -> None:
        self._end()

    def _start(self, seconds: float) -> "subprocess.Popen[bytes]":
        self._first = self._first or time.monotonic()
        # wrk counts in whole seconds
        command = [self.program, "-t1", f"-c{self.workload.clients}", f"-d{max(1, round(seconds))}s", "--latency"]
        command += ["--timeout", "30s", self.url + self.workload.path]
        return spawn(command, when_parent_dies=signal.SIGINT, record=self.record, stdout=subprocess.PIPE)

    def _drain(self, idle: Idle) -> None:
        """Until nothing that an earlier wrk asked for is waiting or being served, or for DRAIN_S."""
        with contextlib.closing(SocketDiagnostics()) as diagnostics:
            deadline = time.monotonic() + DRAIN_S
            while time.monotonic() < deadline:
                seen = diagnostics.unix_socket(self.socket)
                if seen is None or not (seen.queue or seen.in_service):
                    return
                idle()
                time.sleep(0.02)

    def _end(self) -> Window:
        process, self._process = self._process, None
        if process is None:
            return Window(rps=0, p50_ms=None, p99_ms=None, failed=0)
        if process.poll() is None:
            process.send_signal(signal.SIGINT)  # it prints its numbers all the same
        out, _ = process.communicate(timeout=60)
        window, sent, failures = parse_wrk(out.decode())
        self.sent += sent
        self.failed += sum(failures.values())
        for why, count in failures.items():
            self.failures[why] = self.failures.get(why, 0) + count
        return window


_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


def parse_wrk(text: str) -> tuple[Window, int, dict[str, int]]:
    """What wrk 4 prints with --latency: the window, requests sent, and failures by kind. Raises NotServing."""
    total = re.search(r"(\d+) requests in ([\d.]+)(us|ms|s|m)", text)
    if not total:
        raise NotServing(f"wrk: expected its report, found {text[-300:]!r}")
    requests, seconds = int(total[1]), float(total[2]) * _UNITS[total[3]] / 1000
    failures: dict[str, int] = {}
    if errors := re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text):
        failures = {
            name: int(n) for name, n in zip(("connect", "read", "write", "timeout"), errors.groups(), strict=True)
        }
    if statuses := re.search(r"Non-2xx or 3xx responses: (\d+)", text):
        failures["status"] = int(statuses[1])
    failures = {why: count for why, count in failures.items() if count}
    wrong = failures.get("status", 0)

    def quantile(which: str) -> float | None:
        found = re.search(rf"^\s+{which}%\s+([\d.]+)(us|ms|s|m)", text, re.MULTILINE)
        return float(found[1]) * _UNITS[found[2]] if found and requests else None

    window = Window(
        rps=(requests - wrong) / seconds if seconds else 0.0,
        p50_ms=quantile("50"),
        p99_ms=quantile("99"),
        failed=sum(failures.values()),
    )
    return window, requests + sum(failures.values()) - wrong, failures


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000
