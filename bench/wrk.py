"""wrk as the load: one run for each window, since it tells its numbers only at its end.

What it leaves in the queue when it ends would be served within the next window, so that one begins when the queue is
empty.
"""

import contextlib
import re
import signal
import subprocess
import time
from dataclasses import dataclass, field

from bench.load import AT_MOST_S, Idle, Window
from bench.workload import Workload
from uwsgi_autopilot.errors import NotServing
from uwsgi_autopilot.kernel.sockdiag import SocketDiagnostics
from uwsgi_autopilot.kernel.spawn import spawn

# The longest that it waits for an empty queue.
DRAIN_S = 30.0


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

    def abandon(self) -> None:
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
