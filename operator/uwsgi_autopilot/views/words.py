"""How numbers and facts are worded for people. Pure; shared by the terminal view, the lines and the tables."""

from typing import Any

from uwsgi_autopilot.api.sample import Sample
from uwsgi_autopilot.fleet.history import Entry, Kind
from uwsgi_autopilot.loadgen.process import LoadProcess
from uwsgi_autopilot.local.autopilot import CHANGES
from uwsgi_autopilot.local.report import latency_of
from uwsgi_autopilot.report import histogram

# The words for an entry's kind, and the arrow between its two shapes.
VERBS = {
    Kind.TRY: ("changed", "→"),
    Kind.CHANGE: ("changed", "→"),
    Kind.PROMOTE: ("kept", "→"),
    Kind.BACK: ("took back", "→"),
    Kind.UNDECIDED: ("took back", "→"),
    Kind.REFUSE: ("refused", "✗"),
    Kind.RECOMMEND: ("would change", "⇢"),
}

# Those that changed what serves, as a report names them.
CHANGED = frozenset(kind.value for kind in CHANGES)


def duration(seconds: float | None) -> str:
    """`0.8 ms`, `23 ms`, `1.2 s`; `-` for None."""
    if seconds is None:
        return "-"
    if seconds < 0.00995:
        return f"{seconds * 1000:.1f} ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s"


def rate(requests_per_second: float) -> str:
    return f"{requests_per_second:,.1f}" if requests_per_second < 9.95 else f"{requests_per_second:,.0f}"


def entry_line(entry: Entry) -> str:
    """One decision on one line: when, from which shape to which, and why."""
    verb, arrow = VERBS[entry.kind]
    before = f"{entry.from_shape} " if entry.from_shape else ""
    message = entry.message.removeprefix(f"{entry.from_shape} → {entry.to_shape} ")
    return f"{entry.at:6.1f} s  {verb} {before}{arrow} {entry.to_shape}  {entry.reason}: {message}"


def last_line(report: dict[str, Any]) -> str:
    """A report (local/report.py) on one line: what was measured, what serves, and what holds the autopilot back."""
    figures = [f"{report['requests']:,} requests"]
    if report["failed"] is not None:
        figures.append(f"{report['failed']:,} failed")
    latency = report["latency_ms"]
    if latency["p50"] is not None:
        figures += [
            f"{rate(report['throughput_rps'])} requests/s",
            f"p50 {duration(latency['p50'] / 1000)}",
            f"p99 {duration(latency['p99'] / 1000)}",
        ]
    if report["shape"]:
        figures.append(f"{report['shape']['processes']}x{report['shape']['threads']}")
    changed = any(entry["kind"] in CHANGED for entry in report["decisions"])
    line = f"{report['seconds']:6.1f} s  ended: {', '.join(figures)}"
    if held := report["held"]:
        return f"{line}; {'' if changed else 'nothing changed: '}{held['reason']}: {held['message']}"
    return line if changed else f"{line}; nothing changed"


def numbers(samples: list[Sample], load: LoadProcess | None) -> dict[str, str]:
    """What the last three seconds looked like, as words by name."""
    recent = samples[-3:]
    if not recent:
        return {}
    seconds = sum(sample.seconds for sample in recent) or 1.0
    counts = latency_of(recent)
    p50, p99 = histogram.quantile(counts, 0.5), histogram.quantile(counts, 0.99)
    rps = sum(sample.requests for sample in recent) / seconds
    if load is not None and (window := load.window(3.0)):
        rps, p50, p99 = window.rps, window.p50, window.p99
    last = recent[-1]
    queue = "not visible" if last.queue_mean is None else f"{last.queue_mean:.0f}"
    cpu = sum(sample.cpu_s for sample in recent) / seconds
    return {
        "requests/s": rate(rps),
        "p50": duration(p50),
        "p99": duration(p99),
        "queue": queue,
        "in service": f"{last.busy:.0f} of {last.shape.slots} threads{_put_away(last)}",
        "CPU": f"{cpu:.2f} of {last.cores:g} cores",
        "threads wait for": waits(recent),
    }


def _put_away(last: Sample) -> str:
    return f", {last.parked} of {last.shape.processes} workers put away" if last.parked else ""


def waits(samples: list[Sample]) -> str:
    """`network or disk 78 %, interpreter lock 4 %`: shares of the busy threads."""
    sums = {"I/O": 0.0, "interpreter lock": 0.0, "application lock": 0.0, "CPU": 0.0}
    for sample in samples:
        if sample.census is not None:
            sums["I/O"] += sample.census.io
            sums["interpreter lock"] += sample.census.interpreter_lock
            sums["application lock"] += sample.census.application_lock
            sums["CPU"] += sample.census.running
    total = sum(sums.values())
    if total < 0.05 * len(samples):
        return "requests"
    shares = sorted(((value / total, name) for name, value in sums.items()), reverse=True)
    return ", ".join(f"{name} {share:.0%}" for share, name in shares if share >= 0.05)
