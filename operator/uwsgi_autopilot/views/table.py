"""The end of the demonstration: the comparison, one sentence, and the two lines for the user's own ini."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from uwsgi_autopilot.local.demo import Outcome
from uwsgi_autopilot.views.words import duration, rate


def print_outcome(outcome: Outcome, console: Console) -> None:
    table = Table(title="the same load, the same minute, the same machine", title_justify="left")
    table.add_column("set by")
    for name in ("processes x threads", "requests/s", "p50", "p99", "failed"):
        table.add_column(name, justify="right")
    for row in outcome.rows:
        style = "bold green" if row.shape == outcome.found else ""
        window = row.window
        cells = [row.name, str(row.shape), rate(window.rps), duration(window.p50), duration(window.p99)]
        table.add_row(*cells, str(window.failed), style=style)
    console.print()
    console.print(table)
    console.print(Text(sentence(outcome), style="bold"))
    console.print("\nFor your own uWSGI ini:\n")
    console.print(f"    processes = {outcome.found.processes}\n    threads = {outcome.found.threads}\n")


def sentence(outcome: Outcome) -> str:
    """`10 → 597 requests/s, 3 live changes, 0 of 61,204 failed`."""
    first, last = outcome.rows[0].window.rps, outcome.rows[-1].window.rps
    changes = "1 live change" if outcome.changes == 1 else f"{outcome.changes} live changes"
    return (
        f"{rate(first)} → {rate(last)} requests/s, {changes} by the autopilot, "
        f"{outcome.failed:,} of {outcome.sent:,} requests failed"
    )
