"""The page of the full measurement: docs/scoreboard.md, from the result files beside it. Pure."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

# Below this a flight is named among those that are not the best.
GOOD = 98.0
INTRODUCTION = """# Scoreboard

What the autopilot finds, against every shape of a grid and against what people use when they do not measure. Written by
`make bench-full`, never by hand; the raw figures are the JSON files beside the pictures in [scoreboard/](scoreboard/).

For each workload that gates the autopilot starts three times, from 1x1, 2x4 and 16x64, for any other once, from 2x4.
Those called random were drawn: nobody chose them. Up to 25 shapes of the grid, 12 where an import is slow, are measured
coarse to fine, and the best of them meet what was found and the contestants in rounds: in each round every one serves
for some seconds, in random order, so that a drift of the machine meets all alike. There are rounds until the interval
is within ±3 %, at least five and at most eight. The best is chosen in other rounds than the one that is compared.
Percentages are of the best shape's requests/s, with their 95 % interval.
"""

OTHERS = """Percent of the best shape. `cheaper` runs with 8 processes a core at most and 2 threads a core; gunicorn and
granian are other servers, given for reference, as their guides set them up."""


LATENCY = """Arrivals that do not wait for answers, at 70 % of what the best shape can serve and at most 500 a second.
Mean and p99 of what the autopilot found, as multiples of the lowest among the shapes that serve as many requests/s as
the best, with their 95 % interval; the latency runs from the instant at which a request was due."""


def page(results: Sequence[Mapping[str, Any]], missing: Sequence[str]) -> str:
    """results: contents of result files. missing: names of workloads that were not measured."""
    return (
        "\n".join(
            [
                INTRODUCTION,
                *_summary(results),
                "## The autopilot",
                "",
                *_table(_autopilot(results)),
                "",
                *_latencies(results),
                "## What else people use",
                "",
                OTHERS,
                "",
                *_table(_others(results)),
                "",
                "## Where the autopilot is not the best",
                "",
                *_worse(results),
                "",
                "## Not measured",
                "",
                ", ".join(missing) + "." if missing else "Nothing: every workload is in the table.",
                "",
                *(line for each in results for line in _details(each)),
            ]
        ).rstrip()
        + "\n"
    )


def _summary(results: Sequence[Mapping[str, Any]]) -> list[str]:
    flights = sorted(each["percent_of_best"] for result in results for each in result["flights"])
    if not flights:
        return ["Nothing has been measured yet.", ""]
    machines = sorted({_machine(each) for each in results})
    days = sorted({each["when"][:10] for each in results})
    sent, failed = (sum(each[name] for each in results) for name in ("sent", "failed"))
    tenth = flights[min(len(flights) // 10, len(flights) - 1)]
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    drawn = [e["percent_of_best"] for r in results if r["workload"].startswith("random-") for e in r["flights"]]
    return [
        f"**{len(flights)} flights: median {statistics.median(flights):.1f} %, one in ten at or below {tenth:.1f} %, "
        f"the worst {flights[0]:.1f} % of the best; {failed:,} of {sent:,} requests failed.** "
        f"Measured {when} on {'; '.join(machines)}.",
        "",
        *([f"Of these {len(drawn)} random ones: {_range(drawn)}.", ""] if drawn else []),
    ]


def _range(percents: Sequence[float]) -> str:
    return f"median {statistics.median(percents):.1f} %, worst {min(percents):.1f} %"


def _latencies(results: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = [
        [
            result["workload"],
            f"{one['rate']:.0f}/s",
            one["found"],
            *(_longer(one, name) for name in ("mean", "p99")),
            ", ".join(f"{shape} {_ms(each['mean_ms'])}/{_ms(each['p99_ms'])}" for shape, each in one["shapes"].items()),
        ]
        for result in results
        for one in result.get("latency", ())
    ]
    if not rows:
        return []
    head = ["workload", "arrivals", "found", "mean", "p99", "mean/p99 in ms"]
    return ["## Latency under Poisson arrivals", "", LATENCY, "", *_table(iter([head, *rows])), ""]


def _longer(one: Mapping[str, Any], name: str) -> str:
    if not one["judged"]:
        return "not judged"
    low, high = one[f"{name}_interval_95"]
    interval = "" if low is None else f" ({low / 100:.2f} to {high / 100:.2f})"
    return f"{one[f'{name}_percent'] / 100:.2f} x{interval}"


def _machine(result: Mapping[str, Any]) -> str:
    found = result["machine"]
    return (
        f"{found['cores']} cores ({found['cpu'] or found['arch']}), Linux {found['kernel']}, Python {result['python']}"
    )


def _autopilot(results: Sequence[Mapping[str, Any]]) -> Iterator[list[str]]:
    yield ["workload", "best seen", "start", "found", "of best", "interval", "in", "changes", "req/s", "p99 (best)"]
    for result in results:
        for number, flight in enumerate(result["flights"]):
            best, mine = _final(result, result["best"]), _final(result, flight["shape"])
            low, high = flight["interval_95"]
            yield [
                f"[{result['workload']}](#{result['workload'].replace('+', '')})" if not number else "",
                result["best"] if not number else "",
                flight["start"],
                flight["shape"],
                f"{flight['percent_of_best']:.1f} %" + ("\\*" if result["doubts"] else ""),
                "-" if low is None else f"{low:.1f} to {high:.1f}",
                f"{flight['seconds']:.0f} s",
                f"{flight['changes']} ({flight['swaps']} swaps)",
                f"{mine['throughput_rps']:.0f} of {best['throughput_rps']:.0f}",
                f"{_ms(mine['p99_ms'])} ({_ms(best['p99_ms'])}) ms",
            ]


def _others(results: Sequence[Mapping[str, Any]]) -> Iterator[list[str]]:
    shapes = list(dict.fromkeys(name for each in results for name in each["contestants"]))
    rivals = list(dict.fromkeys(name for each in results for name in each["rivals"]))
    yield ["workload", "autopilot", *shapes, *rivals]
    for each in results:
        found = statistics.fmean(flight["percent_of_best"] for flight in each["flights"])
        contestants = [each["contestants"].get(name) for name in shapes]
        yield [
            each["workload"],
            f"**{found:.0f}**",
            *("-" if one is None else f"{one['percent_of_best']:.0f} ({one['shape']})" for one in contestants),
            *(f"{each['rivals'][name]:.0f}" if name in each["rivals"] else "-" for name in rivals),
        ]


def _worse(results: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = []
    for each in results:
        for flight in each["flights"]:
            if flight["percent_of_best"] < GOOD:
                last = flight["messages"][-1] if flight["messages"] else "nothing was tried"
                lines.append(
                    f"- **{each['workload']}** from {flight['start']}: {flight['shape']} serves "
                    f"{flight['percent_of_best']:.1f} % of {each['best']}. Its last word: {last}."
                )
        over = {name: value for name, value in each["rivals"].items() if value > 102}
        lines += [f"- **{each['workload']}**: {name} serves {value:.0f} % of our best." for name, value in over.items()]
    return lines or [f"Every flight ended within {100 - GOOD:.0f} % of the best."]


def _details(result: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"## {result['workload']}", "", f"{result['told']}. Load: {result['generator']}, closed loop.", "")
    yield from (f"![grid and flights of {result['workload']}](scoreboard/{result['workload']}.svg)", "")
    if result["doubts"]:
        yield from (f"\\* Noisy: {'; '.join(result['doubts'])}.", "")


def _table(rows: Iterator[list[str]]) -> Iterator[str]:
    for number, row in enumerate(rows):
        yield "| " + " | ".join(row) + " |"
        if number == 0:
            yield "|" + " --- |" * len(row)


def _final(result: Mapping[str, Any], shape: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = next(
        each for each in result["shapes"] if each["stage"] == "final" and each["shape"] == shape
    )
    return found


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"
