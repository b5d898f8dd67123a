"""The load generator as a child process: start it, collect what it prints each second, end it."""

import json
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import IO, Any

from uwsgi_autopilot.kernel.spawn import spawn
from uwsgi_autopilot.report import histogram


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadWindow:
    """Over the last seconds: answered requests a second (failed ones do not count), failed ones, latency quantiles in
    seconds or None."""

    rps: float
    failed: int
    p50: float | None
    p99: float | None


@dataclass(slots=True)
class LoadProcess:
    """summary: None until the generator has ended successfully. statuses: how often each was answered so far."""

    process: "subprocess.Popen[bytes]"
    lines: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=600))
    summary: dict[str, Any] | None = None
    failed: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    _reader: threading.Thread | None = None

    @classmethod
    def start(cls, url: str, loads: Sequence[str], seconds: float, *, record: int | None = None) -> "LoadProcess":
        """loads: texts as after --load. It ends by itself after `seconds`, and when we die. record: see spawn."""
        command = [sys.executable, "-I", "-m", "uwsgi_autopilot.loadgen", "--url", url, "--seconds", f"{seconds:g}"]
        for load in loads:
            command += ["--load", load]
        child = spawn(command, when_parent_dies=signal.SIGTERM, record=record, stdout=subprocess.PIPE)
        load_process = cls(child)
        load_process._reader = threading.Thread(target=load_process._read, daemon=True)
        load_process._reader.start()
        return load_process

    def running(self) -> bool:
        return self.process.poll() is None

    def window(self, seconds: float) -> LoadWindow | None:
        """What happened in the last `seconds`, by whole lines; None before the first line."""
        lines = list(self.lines)
        if not lines:
            return None
        end = lines[-1]["at"]
        kept = [line for line in lines if line["at"] > end - seconds + 0.01]
        earlier = [line["at"] for line in lines if line["at"] <= end - seconds + 0.01]
        span = end - (earlier[-1] if earlier else 0.0)
        counts: dict[int, int] = {}
        for line in kept:
            histogram.add(counts, line["latency"])
        failed = sum(line["failed"] for line in kept)
        answered = sum(line["requests"] for line in kept) - failed
        return LoadWindow(
            rps=answered / span if span > 0 else 0.0,
            failed=failed,
            p50=histogram.quantile(counts, 0.5),
            p99=histogram.quantile(counts, 0.99),
        )

    def stop(self, timeout: float = 70.0) -> dict[str, Any] | None:
        """No more requests; those in flight are finished and counted. Returns the summary."""
        if self.running():
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout)
        except BaseException as error:
            self.process.kill()
            self.process.wait()
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
        if self._reader is not None:
            self._reader.join(2.0)
        return self.summary

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as output:
            self._count(output)

    def _count(self, output: IO[bytes]) -> None:
        for raw in output:
            try:
                line = json.loads(raw)
            except ValueError:
                continue
            if "summary" in line:
                self.summary = line["summary"]
                self.statuses = line["summary"]["statuses"]
            else:
                self.failed += line["failed"]
                self.statuses = line["statuses"]
                self.lines.append(line)
