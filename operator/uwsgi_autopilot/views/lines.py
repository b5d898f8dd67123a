"""The view where there is no terminal: one line a decision, and one a minute to show that it lives."""

import os
import sys
from typing import TextIO

from rich.console import Console

from uwsgi_autopilot.fleet.history import Entry
from uwsgi_autopilot.loadgen.process import LoadProcess
from uwsgi_autopilot.local.autopilot import Autopilot
from uwsgi_autopilot.local.demo import Outcome
from uwsgi_autopilot.local.session import Session
from uwsgi_autopilot.views.table import print_outcome
from uwsgi_autopilot.views.words import entry_line, numbers

STATUS_SECONDS = 60.0


def _print(text: str, stream: TextIO) -> None:
    """A reader that went away (`| head -1`) is no reason to stop serving: from then on nobody is told."""
    try:
        print(text, file=stream, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class LinesView:
    """Ours go to standard output, what the application prints to standard error."""

    def __init__(self) -> None:
        self._next_status: float | None = None

    def line(self, text: str) -> None:
        _print(text, sys.stderr)

    def say(self, text: str) -> None:
        _print(text, sys.stdout)

    def decided(self, entry: Entry) -> None:
        self.say(entry_line(entry))

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
