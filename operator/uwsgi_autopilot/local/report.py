"""The report of one run: what --report writes."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from uwsgi_autopilot.api.sample import Sample
from uwsgi_autopilot.errors import UsageError
from uwsgi_autopilot.fleet.history import Entry
from uwsgi_autopilot.loadgen.process import LoadProcess
from uwsgi_autopilot.local.autopilot import entry_json
from uwsgi_autopilot.local.session import Session
from uwsgi_autopilot.report import histogram
from uwsgi_autopilot.report.text import readable

# Throughput and latency cover this much of the end of the run.
WINDOW_SECONDS = 10.0


def latency_of(samples: list[Sample]) -> dict[int, int]:
    """nginx's request times of `samples` as one histogram."""
    counts: dict[int, int] = {}
    for sample in samples:
        histogram.add(counts, sample.latency)
    return counts


def build_report(
    *,
    session: Session,
    seconds: float,
    decisions: Sequence[Entry],
    load: LoadProcess | None,
    held: dict[str, Any] | None,
) -> dict[str, Any]:
    """With a load: its own counts. Without: uWSGI's finished requests and nginx's log, and `failed` is null."""
    samples = list(session.pod.samples)[-round(WINDOW_SECONDS) :]
    counts = latency_of(samples)
    state = session.state
    covered = sum(sample.seconds for sample in samples)
    rps = sum(sample.requests for sample in samples) / covered if covered else 0.0
    p50, p99 = histogram.quantile(counts, 0.5), histogram.quantile(counts, 0.99)
    requests, failed = state.requests_total if state else 0.0, None
    if load is not None:
        if window := load.window(WINDOW_SECONDS):
            rps, p50, p99 = window.rps, window.p50, window.p99
        failed = load.summary["failed"] if load.summary else load.failed
        requests = load.summary["sent"] if load.summary else requests
    return {
        "app": session.app.name,
        "seconds": round(seconds, 1),
        "requests": round(requests),
        "failed": failed,
        "statuses": load.statuses if load is not None else None,
        "shape": session.shape.to_json() if session.shape else None,
        "throughput_rps": round(rps, 1),
        "latency_ms": {"p50": _ms(p50), "p99": _ms(p99)},
        "decisions": [entry_json(entry) for entry in decisions],
        "held": held,
        "swaps": state.counts.swaps if state else 0,
        "queue_max": session.queue_max,
    }


def failed_report(app: str, sentence: str) -> dict[str, Any]:
    """Instead of figures that were never measured: whoever reads `throughput_rps` of it fails, and finds out why."""
    return {"app": app, "failed_to_start": readable(sentence)}


def check_writable(path: Path, flag: str) -> None:
    """Checked before an hour of measuring, not after it; no empty file stays behind. Raises UsageError."""
    try:
        new = not path.exists()
        with path.open("a", encoding="utf-8"):
            pass
        if new:
            path.unlink()
    except OSError as error:
        raise UsageError(f"{flag}: {path} cannot be written: {error.strerror}") from None


def write_report(path: Path, report: dict[str, Any]) -> None:
    """Raises UsageError if it cannot be written."""
    try:
        path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--report: {path} cannot be written: {error.strerror}") from None


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 2)
