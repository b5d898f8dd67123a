"""The view on a terminal: one calm panel at the bottom, decisions and the application's output scroll above it."""

from typing import Any

from rich.console import Console, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from uwsgi_autopilot.fleet.history import Entry, Kind
from uwsgi_autopilot.loadgen.process import LoadProcess
from uwsgi_autopilot.local.autopilot import Autopilot
from uwsgi_autopilot.local.demo import Outcome
from uwsgi_autopilot.local.session import Session
from uwsgi_autopilot.views.noise import worth_showing
from uwsgi_autopilot.views.table import print_outcome
from uwsgi_autopilot.views.words import entry_line, last_line, numbers

REDRAWS_PER_SECOND = 2
SPARK = "▁▂▃▄▅▆▇█"
SPARK_SECONDS = 60
STYLES = {Kind.REFUSE: "magenta", Kind.RECOMMEND: "magenta", Kind.PROMOTE: "green"}


class LiveView:
    """A context manager: on exit the last panel stays in place and the terminal is restored."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False)
        self._live = Live(console=self.console, refresh_per_second=REDRAWS_PER_SECOND, transient=False)
        self._last: Entry | None = None
        self._drawn: float | None = None

    def __enter__(self) -> "LiveView":
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def line(self, text: str) -> None:
        if worth_showing(text):
            self.console.print(Text(text, style="dim"))

    def say(self, text: str) -> None:
        self.console.print(Text(text, style="bold"))

    def decided(self, entry: Entry) -> None:
        self._last = entry
        self.console.print(Text(entry_line(entry), style=STYLES.get(entry.kind, "yellow")))

    def ended(self, report: dict[str, Any]) -> None:
        self.say(last_line(report))

    def finish(self, outcome: Outcome) -> None:
        self._live.stop()
        print_outcome(outcome, self.console)

    def update(self, session: Session, autopilot: Autopilot, load: LoadProcess | None) -> None:
        if session.state is None or session.state.now == self._drawn:
            return
        self._drawn = session.state.now
        self._live.update(draw(session, autopilot, load, self._last))


def draw(session: Session, autopilot: Autopilot, load: LoadProcess | None, last: Entry | None) -> RenderableType:
    """The current panel."""
    shape = session.shape
    table = Table.grid(padding=(0, 2))
    table.add_column(style="cyan", no_wrap=True)
    table.add_column()
    table.add_row("shape", Text(f"{shape.in_words()} ({shape})" if shape else "starting", style="bold"))
    samples = list(session.pod.samples)
    for name, value in numbers(samples, load).items():
        row = Text(value)
        if name == "requests/s":
            row.append(
                "  " + sparkline([sample.requests / sample.seconds for sample in samples[-SPARK_SECONDS:]]), "green"
            )
        table.add_row(name, row)
    if load is not None:
        table.add_row("failed", str(load.failed))
    change = session.state.change if session.state else None
    if change is not None:
        table.add_row("changing", f"{change.kind} to {change.to}, {change.seconds:.0f} s")
    if (word := autopilot.word) is not None:
        table.add_row("now", Text(f"{word.reason.value}: {word.message}"))
    if last is not None:
        table.add_row("last decision", Text(entry_line(last).strip()))
    return Panel(table, title=f"{session.app.name} at {session.url}", title_align="left", border_style="blue")


def sparkline(values: list[float]) -> str:
    """One character per value; the greatest is a full block."""
    top = max(values, default=0.0)
    if top <= 0:
        return ""
    return "".join(SPARK[min(len(SPARK) - 1, int(value / top * (len(SPARK) - 0.001)))] for value in values)
