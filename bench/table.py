"""What a person reads, and what the result file holds. Pure."""

from collections.abc import Sequence
from typing import Any

from bench.latency import Latency
from bench.result import Flight, Measured, Result

HEADINGS: tuple[str, ...] = (
    *("workload", "autopilot", "of best", "95 % interval", "found in", "changes"),
    *("best seen", "req/s", "p99", "failed"),
)


def lines(results: list[Result]) -> list[str]:
    """The table, and under it what to make of it."""
    rows = [HEADINGS]
    for each in results:
        mine = _final(each)
        rows.append(
            (
                each.workload.name,
                str(each.flight.shape),
                f"{each.percent.value:.1f} %" + ("*" if each.doubts else ""),
                _interval(each),
                f"{each.flight.seconds:.0f} s",
                f"{each.flight.changes} ({each.flight.swaps} swaps)",
                str(each.best.shape),
                f"{mine.rps:.0f} of {each.best.rps:.0f}",
                f"{_ms(mine.p99_ms)} / {_ms(each.best.p99_ms)}",
                f"{each.failed} of {each.sent}",
            )
        )
    out = ["", "Screen: a quick look, not the full measurement.", "", *_columns(rows), ""]
    names = list(dict.fromkeys(name for each in results for name in each.contestants))
    rivals = [
        ("of best", *(each.workload.name for each in results)),
        ("autopilot", *(_short(each.percent.value) for each in results)),
        *((name, *(_rival(each, name) for each in results)) for name in names),
    ]
    out += [*_columns(rivals), ""]
    out += [f"* {each.workload.name}: noisy ({'; '.join(each.doubts)})" for each in results if each.doubts]
    out += [f"  {each.workload.name}: failed {each.failures}" for each in results if each.failures]
    out += [_told(each.workload.name, found) for each in results for found in each.latency]
    if results:
        out.append(
            f"Load: {results[0].generator}, closed loop. p99 in milliseconds, the autopilot's and the best's. "
            "The best is chosen in other rounds than the one that is compared."
        )
    return out


def as_json(result: Result) -> dict[str, Any]:
    share = result.share
    return {
        "workload": result.workload.name,
        "clients": result.workload.clients,
        "path": result.workload.path,
        "generator": result.generator,
        "shapes": [_shape_row(each) for each in result.measured],
        "best": str(result.best.shape),
        "flights": [_flight(each) for each in result.flights],
        "contestants": {
            name: {"shape": str(shape), "percent_of_best": _round(value)}
            for name, (shape, value) in result.contestants.items()
        },
        "rivals": {name: _round(value) for name, value in result.rivals.items()},
        "rounds_rps": [{shape: round(rps, 2) for shape, rps in each.items()} for each in result.rounds],
        "sent": result.sent,
        "failed": result.failed,
        "failures": result.failures,
        "noise_percent": _round(result.noise),
        "share_of_cpu": None
        if share is None
        else {"foreign": round(share.foreign, 4), "steal": round(share.steal, 4), "helpers": round(share.helpers, 4)},
        "latency": [_latency(each) for each in result.latency],
        "seconds_spent": {name: round(seconds, 1) for name, seconds in result.spent.items()},
        "windows_repeated": result.repeated,
        "doubts": result.doubts,
        "seconds": round(result.seconds, 1),
    }


def _shape_row(each: Measured) -> dict[str, Any]:
    return {
        "shape": str(each.shape),
        "stage": each.stage,
        "throughput_rps": round(each.rps, 2),
        "p50_ms": _round(each.p50_ms),
        "p99_ms": _round(each.p99_ms),
        "failed": each.failed,
        "refused": each.refused,
    }


def _flight(flight: Flight) -> dict[str, Any]:
    found = flight.percent
    return {
        "start": str(flight.start),
        "shape": str(flight.shape),
        "percent_of_best": _round(found.value) if found else None,
        "interval_95": [_round(found.low), _round(found.high)] if found else None,
        "seconds": round(flight.seconds, 1),
        "changes": flight.changes,
        "swaps": flight.swaps,
        "foreign": None if flight.share is None else round(flight.share.foreign, 4),
        "path": [[round(at, 1), str(shape)] for at, shape in flight.path],
        "messages": flight.messages,
        "course": [[round(at, 1), round(rps, 1), _round(p99)] for at, rps, p99 in flight.course],
    }


def _latency(found: Latency) -> dict[str, Any]:
    return {
        "rate": round(found.rate, 1),
        "found": str(found.found),
        "mean_percent": _round(found.mean.value),
        "mean_interval_95": [_round(found.mean.low), _round(found.mean.high)],
        "p99_percent": _round(found.p99.value),
        "p99_interval_95": [_round(found.p99.low), _round(found.p99.high)],
        "generator_late_p99_ms": _round(found.lateness_ms),
        "judged": found.judged,
        "shapes": {
            str(shape): {"mean_ms": _round(each.mean_ms), "p99_ms": _round(each.p99_ms), "failed": each.failed}
            for shape, each in found.shapes.items()
        },
    }


def _told(name: str, found: Latency) -> str:
    rows = ", ".join(f"{shape} {_ms(each.mean_ms)} and {_ms(each.p99_ms)}" for shape, each in found.shapes.items())
    judged = "" if found.judged else f"; not judged, the generator was {_ms(found.lateness_ms)} ms late"
    return (
        f"  {name}: at {found.rate:.0f} arrivals a second {found.found} has {found.mean.value:.0f} % of the lowest "
        f"mean and {found.p99.value:.0f} % of the lowest p99 (mean and p99 in ms: {rows}){judged}"
    )


def _final(result: Result) -> Measured:
    return next(each for each in result.measured if each.stage == "final" and each.shape == result.flight.shape)


def _interval(result: Result) -> str:
    if result.percent.low is None or result.percent.high is None:
        return "-"
    return f"{result.percent.low:.1f} to {result.percent.high:.1f}"


def _rival(result: Result, name: str) -> str:
    found = result.contestants.get(name)
    return f"{found[0]}: {_short(found[1])}" if found else "-"


def _short(value: float) -> str:
    return f"{value:.0f} %" if value >= 10 else f"{value:.1f} %"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [text[0], "  ".join("-" * width for width in widths), *text[1:]]
