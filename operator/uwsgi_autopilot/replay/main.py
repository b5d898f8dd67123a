"""`uwsgi-autopilot replay FILE`: read, play, print."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from uwsgi_autopilot import __version__
from uwsgi_autopilot.api.uwsgiapp import Bounds, ProcessBounds, UwsgiApp
from uwsgi_autopilot.errors import UsageError
from uwsgi_autopilot.replay.play import Step, play
from uwsgi_autopilot.replay.reading import Recording, recording
from uwsgi_autopilot.replay.text import first_line, json_of, lines_of

PARTED = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """processes, threads: bounds in place of the recorded ones. json: in place of text."""

    file: Path
    processes: Bounds | None = None
    threads: Bounds | None = None
    json: bool = False


def run_replay(asked: Options) -> int:
    """0: every change as recorded; 1: from some moment on the law would have done something else. Raises UsageError."""
    with recording(asked.file) as found:
        app, by = _bounded(found.header.app, asked), found.header.product
        steps: list[Step] = []
        played = _played(found, app, steps)
        if asked.json:
            for _ in played:
                pass
            sys.stdout.write(json_of(app, by, __version__, steps, cut_off=found.cut_off))
        else:
            lines = [first_line(app, by, __version__)]
            try:
                lines.extend(lines_of(played))
            finally:
                # At once: `| head -1` reads one line and goes.
                sys.stdout.write("".join(f"{line}\n" for line in lines))
    if found.cut_off:
        print(
            f"{asked.file}: the last line is cut off: whoever wrote it was killed, or the disk was full; what is whole "
            "was replayed",
            file=sys.stderr,
        )
    return PARTED if steps and steps[-1].parts else 0


def _played(found: Recording, app: UwsgiApp, steps: list[Step]) -> Iterator[Step]:
    """Each is put into `steps`, too."""
    try:
        for step in play(app, found):
            steps.append(step)
            yield step
    except ValueError as error:
        raise UsageError(f"{found.path}: line {len(steps) + 2}: {error}") from None


def _bounded(app: UwsgiApp, asked: Options) -> UwsgiApp:
    tuning = app.tuning
    if (own := asked.processes) is not None:
        tuning = replace(tuning, processes=ProcessBounds(min=own.min, max=own.max))
    if asked.threads is not None:
        tuning = replace(tuning, threads=asked.threads)
    return replace(app, tuning=tuning)
