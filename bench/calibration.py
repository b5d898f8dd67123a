"""How many rounds of the synthetic application's loops this machine does in a millisecond of CPU: counted once.

The counts are kept beside the results: all runs on this machine with this Python do the same work for each request.
Delete the file to count again.
"""

import json
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.synthetic.app import compute, compute_unlocked

# Each loop is run this often, for about this long; the quickest run is the one that nobody disturbed.
RUNS = 60
RUN_MS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """Rounds in a millisecond of CPU, of `compute` and of `compute_unlocked`."""

    python_rounds_per_ms: float
    native_rounds_per_ms: float


def read_rounds(folder: Path) -> Rounds:
    """From `folder`, or counted and written there. Raises OSError when it cannot be written."""
    file = folder / f"calibration-{platform.python_version()}.json"
    try:
        return Rounds(**json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        found = count_rounds()
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(asdict(found)) + "\n", encoding="utf-8")
    return found


def count_rounds() -> Rounds:
    return Rounds(python_rounds_per_ms=_per_ms(compute, 10_000), native_rounds_per_ms=_per_ms(compute_unlocked, 1_000))


def _per_ms(loop: Callable[[int], object], rounds: int) -> float:
    """First guess, then as many rounds as take RUN_MS."""
    best = 0.0
    for _ in range(RUNS):
        begin = time.thread_time()
        loop(rounds)
        best = max(best, rounds / 1000 / (time.thread_time() - begin))
        rounds = max(1, round(best * RUN_MS))
    return round(best, 1)
