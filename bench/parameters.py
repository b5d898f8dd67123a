"""What a request of bench/synthetic/app.py costs, and how that gets into its environment."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.calibration import Rounds
from bench.synthetic.app import VARIABLE

FOLDER = Path(__file__).resolve().parent / "synthetic"
MODULE = "app:create()"
# Bytes; smaller answers are not worth a word.
LARGE = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """Means for one request, each drawn with a relative standard deviation of `spread`.

    cpu_ms: of Python code, under the interpreter lock. native_ms: of C code that releases it. wait_ms: asleep.
    slow_share: so many requests (0..1) wait slow_wait_ms instead. pool: connections per process, one for each wait.
    limit: waits that all processes together may have in progress; 0: any number.
    degrades_from: from so many waits in progress in all processes a wait takes (waits / degrades_from) **
    degrades_power times as long; 0: never. error_share: so many requests (0..1) are answered 500 at once. import_s:
    CPU seconds until the module is imported. memory_mb: MB that each process holds from its first request on. stream_s:
    /stream sends an answer a piece a second for so long, and does nothing else. other: what /other costs; None: there
    is no such page.
    """

    cpu_ms: float = 0.0
    native_ms: float = 0.0
    wait_ms: float = 0.0
    slow_share: float = 0.0
    slow_wait_ms: float = 0.0
    pool: int = 0
    limit: int = 0
    degrades_from: int = 0
    degrades_power: float = 1.5
    spread: float = 0.1
    answer_bytes: int = 3
    error_share: float = 0.0
    import_s: float = 0.0
    memory_mb: float = 0.0
    stream_s: float = 0.0
    other: "Parameters | None" = None

    def __str__(self) -> str:
        """`wait 20 ms, CPU 2 ms, pool of 3`."""
        parts = []
        if self.wait_ms:
            parts.append(f"wait {self.wait_ms:g} ms")
        if self.slow_share:
            parts.append(f"{self.slow_share:.0%} of them {self.slow_wait_ms:g} ms")
        if self.cpu_ms:
            parts.append(f"CPU {self.cpu_ms:g} ms")
        if self.native_ms:
            parts.append(f"CPU without the interpreter lock {self.native_ms:g} ms")
        if self.pool:
            parts.append(f"pool of {self.pool} per process")
        if self.limit:
            parts.append(f"limit of {self.limit} over all processes")
        if self.degrades_from:
            parts.append(f"backend degrades from {self.degrades_from} waits on")
        if self.answer_bytes > LARGE:
            parts.append(f"answers of {self.answer_bytes / 1000:.0f} KB")
        if self.error_share:
            parts.append(f"{self.error_share:.0%} fail at once")
        if self.import_s:
            parts.append(f"import {self.import_s:g} s")
        if self.memory_mb:
            parts.append(f"{self.memory_mb:g} MB a process")
        if self.stream_s:
            parts.append(f"streams of {self.stream_s:g} s")
        if self.other:
            parts.append(f"and a page of {self.other}")
        return ", ".join(parts) or "nothing to do"


@contextmanager
def environment(parameters: Parameters, rounds: Rounds) -> Iterator[tuple[tuple[str, str], ...]]:
    """The variables of the application, and the backend that its processes share, for as long as it is served."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        path = Path(folder) / "fifo"
        os.mkfifo(path, 0o600)
        # Open for as long as it is in use: the last one to close a FIFO empties it.
        fifo = os.open(path, os.O_RDWR)
        try:
            os.write(fifo, b"." * parameters.limit)
            given = {**asdict(parameters), **asdict(rounds), "fifo": str(path)}
            yield ((VARIABLE, json.dumps(given)),)
        finally:
            os.close(fifo)
