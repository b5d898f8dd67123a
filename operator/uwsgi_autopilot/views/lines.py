"""The view without a terminal: one line per decision, and one per minute as a sign of life."""

import os
import sys
from typing import Any, TextIO

from rich.console import Console

from uwsgi_autopilot.fleet.history import Entry
from uwsgi_autopilot.loadgen.process import LoadProcess
from uwsgi_autopilot.local.autopilot import Autopilot
from uwsgi_autopilot.local.demo import Outcome
from uwsgi_autopilot.local.session import Session
from uwsgi_autopilot.views.noise import worth_showing
from uwsgi_autopilot.views.table import print_outcome
from uwsgi_autopilot.views.words import entry_line, last_line, numbers

STATUS_SECONDS = 60.0


def _print(text: str, stream: TextIO) -> None:
    """A reader that has gone away (`| head -1`) is no reason to stop serving: later lines are dropped."""
    try:
        print(text, file=stream, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class LinesView:
    """Our lines go to standard output, the application's output to standard error."""

    def __init__(self) -> None:
        self._next_status: float | None = None

    def line(self, text: str) -> None:
        _print(text, sys.stderr)

    def say(self, text: str) -> None:
        _print(text, sys.stdout)

    def decided(self, entry: Entry) -> None:
        self.say(entry_line(entry))

    def ended(self, report: dict[str, Any]) -> None:
        self.say(last_line(report))

    def finish(self, outcome: Outcome) -> None:
        print_outcome(outcome, Console(highlight=False, width=110))

    def update(self, session: Session, autopilot: Autopilot, load: LoadProcess | None) -> None:
        if session.state is None:
            return
        now = session.state.now
        if self._next_status is None:
            self._next_status = now + STATUS_SECONDS
        if now < self._next_status:
            return
        self._next_status = now + STATUS_SECONDS
        found = numbers(list(session.pod.samples), load)
        told = ", ".join(f"{name} {value}" for name, value in found.items())
        self.say(f"{session.shape}: {told}")


class DevView(LinesView):
    """Everything that the application prints, as it is; what uWSGI says at each start is left out."""

    def line(self, text: str) -> None:
        if not text or worth_showing(text):
            super().line(text)
