"""The grid of a workload as a heat map with the way of each flight, and the course of the first: SVG as text. Pure."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from uwsgi_autopilot.api.shape import Shape

CELL_X, CELL_Y, LEFT, TOP = 46, 24, 54, 40
COURSE_HEIGHT = 110
WAYS = ("#d6336c", "#e8590c", "#7048e8")  # one colour for each start
# From poor to best, in lightness too, so that it reads without colours.
POOR, BEST = (237, 241, 247), (43, 138, 62)
STYLE = "text{font:11px system-ui,sans-serif;fill:#222}.small{font-size:10px}.title{font-size:13px;font-weight:600}"


def picture(data: Mapping[str, Any]) -> str:
    """`data`: what table.as_json makes of a result."""
    known = {Shape.parse(each["shape"]): each["throughput_rps"] for each in data["shapes"] if not each["refused"]}
    processes = sorted({each.processes for each in known})
    threads = sorted({each.threads for each in known}, reverse=True)
    width = LEFT + CELL_X * len(processes) + 230
    grid_bottom = TOP + CELL_Y * len(threads)
    height = grid_bottom + 60 + COURSE_HEIGHT + 30
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
        f"<style>{STYLE}</style>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        _text(8, 18, f"{data['workload']}: percent of the best shape, {data['best']}", "title"),
        *_cells(known, processes, threads),
        *_axes(processes, threads, grid_bottom),
        *_ways(data["flights"], processes, threads, grid_bottom),
        *_course(data["flights"][0], grid_bottom + 60, width - LEFT - 60),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _cells(known: Mapping[Shape, float], processes: Sequence[int], threads: Sequence[int]) -> list[str]:
    best = max(known.values())
    parts = []
    for shape, rps in sorted(known.items()):
        x, y = _corner(shape, processes, threads)
        share = rps / best
        red, green, blue = (round(low + (high - low) * share**2) for low, high in zip(POOR, BEST, strict=True))
        white = ' style="fill:#fff"' if share > 0.8 else ""
        parts.append(
            f'<rect x="{x}" y="{y}" width="{CELL_X - 2}" height="{CELL_Y - 2}" fill="rgb({red},{green},{blue})">'
            f"<title>{shape}: {rps:.0f} requests/s</title></rect>"
            f'<text x="{x + CELL_X / 2 - 1}" y="{y + 15}" text-anchor="middle"{white}>{100 * share:.0f}</text>'
        )
    return parts


def _axes(processes: Sequence[int], threads: Sequence[int], bottom: int) -> list[str]:
    parts = [
        f'<text x="{LEFT + CELL_X * (column + 0.5) - 1}" y="{bottom + 14}" text-anchor="middle">{value}</text>'
        for column, value in enumerate(processes)
    ]
    parts += [
        f'<text x="{LEFT - 8}" y="{TOP + CELL_Y * row + 15}" text-anchor="end">{value}</text>'
        for row, value in enumerate(threads)
    ]
    return [*parts, _text(LEFT, bottom + 30, "processes →", "small"), _text(4, TOP - 6, "threads ↑", "small")]


def _ways(
    flights: Sequence[Mapping[str, Any]], processes: Sequence[int], threads: Sequence[int], bottom: int
) -> list[str]:
    """Each shape that served on the way; one beside the grid stands at its nearest cell."""
    parts = []
    for number, flight in enumerate(flights):
        colour, shift = WAYS[number % len(WAYS)], 4 * (number - 1)
        points = []
        for _, text in flight["path"]:
            x, y = _corner(Shape.parse(text), processes, threads)
            points.append(f"{x + CELL_X / 2 + shift:.0f},{y + CELL_Y / 2 + shift:.0f}")
        parts.append(
            f'<polyline points="{" ".join(points)}" fill="none" stroke="{colour}" stroke-width="2" '
            'stroke-opacity="0.55"/>'
        )
        last = points[-1].split(",")
        parts.append(f'<circle cx="{last[0]}" cy="{last[1]}" r="11" fill="none" stroke="{colour}" stroke-width="2.5"/>')
        share = "" if flight["percent_of_best"] is None else f", {flight['percent_of_best']:.0f} %"
        where = LEFT + CELL_X * len(processes) + 12
        parts.append(
            f'<text x="{where}" y="{TOP + 16 + 18 * number}" style="fill:{colour}">'
            f"{escape(flight['start'])} → {escape(flight['shape'])}{share}, {flight['seconds']:.0f} s</text>"
        )
    return parts


def _course(flight: Mapping[str, Any], top: int, width: int) -> list[str]:
    """Requests a second (line) and p99 (dots) of the first flight, each on a scale of its own."""
    course = flight["course"]
    if len(course) < 2:
        return []
    length = course[-1][0] or 1.0
    most = max(rps for _, rps, _ in course) or 1.0
    slowest = max((p99 for *_, p99 in course if p99 is not None), default=0.0)

    def x(at: float) -> float:
        return LEFT + width * at / length

    line = " ".join(f"{x(at):.1f},{top + COURSE_HEIGHT * (1 - rps / most):.1f}" for at, rps, _ in course)
    parts = [
        f'<polyline points="{line}" fill="none" stroke="#1c7ed6" stroke-width="1.5"/>',
        _text(
            LEFT,
            top - 8,
            f"from {flight['start']}: requests/s (line, up to {most:.0f})"
            + (f" and p99 (dots, up to {slowest:.0f} ms)" if slowest else ""),
            "small",
        ),
        _text(LEFT, top + COURSE_HEIGHT + 16, "0 s", "small"),
        _text(LEFT + width - 24, top + COURSE_HEIGHT + 16, f"{length:.0f} s", "small"),
    ]
    parts += [
        f'<circle cx="{x(at):.1f}" cy="{top + COURSE_HEIGHT * (1 - p99 / slowest):.1f}" r="1.6" fill="#868e96"/>'
        for at, _, p99 in course
        if p99 is not None and slowest
    ]
    return parts


def _corner(shape: Shape, processes: Sequence[int], threads: Sequence[int]) -> tuple[int, int]:
    column = min(range(len(processes)), key=lambda index: abs(processes[index] - shape.processes))
    row = min(range(len(threads)), key=lambda index: abs(threads[index] - shape.threads))
    return LEFT + CELL_X * column, TOP + CELL_Y * row


def _text(x: float, y: float, words: str, kind: str) -> str:
    return f'<text x="{x}" y="{y}" class="{kind}">{escape(words)}</text>'
