"""`--record FILE`: write what the autopilot is told and what it does, as a recording (api/recording.py)."""

import gzip
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO, cast

from uwsgi_autopilot import __version__
from uwsgi_autopilot.api.recording import Header, Line
from uwsgi_autopilot.fleet.history import Entry
from uwsgi_autopilot.local.autopilot import Autopilot, entry_json

# In lines, two a second: what a killed command loses at most. Each flush costs a compressed file a few bytes.
FLUSH_EVERY = 20


class Recorder:
    """Call `step` after each `autopilot.step`. A file that cannot be written ends the recording, not what serves."""

    def __init__(self, path: Path, say: Callable[[str], None]) -> None:
        """A name that ends in .gz: compressed. say: is told when the recording ends too early."""
        self._path, self._say = path, say
        self._file: TextIO | None = None
        self._ended = False
        self._planned_at: float | None = None
        self._before: Line | None = None
        self._cursor = -1
        self._lines = 0

    def step(self, autopilot: Autopilot, decided: Sequence[Entry]) -> None:
        if self._ended or autopilot.planned_at == self._planned_at:
            return
        try:
            if self._file is None:
                self._file = _opened(self._path)
                self._write(Header(product=__version__, app=autopilot.state.app).to_json())
            self._planned_at = autopilot.planned_at
            self._write(self._line(autopilot, decided))
        except OSError as error:
            self._end(error)

    def close(self) -> None:
        if self._file is None or self._ended:
            return
        try:
            self._file.close()
            self._ended = True
        except OSError as error:
            self._end(error)

    def _end(self, error: OSError) -> None:
        self._ended = True
        self._say(f"--record: {self._path} cannot be written ({error.strerror}): the recording is not whole")
        with suppress(OSError):
            if self._file is not None:
                self._file.close()

    def _line(self, autopilot: Autopilot, decided: Sequence[Entry]) -> dict[str, Any]:
        pod = autopilot.session.pod
        assert pod.state is not None  # a plan was made from it
        before, self._before = self._before, Line(
            state=pod.state.to_json(),
            samples=tuple(each for each in pod.samples if each.seq > self._cursor),
            decided=tuple(map(entry_json, decided)),
            wrote=tuple(autopilot.written),
            unwritten=autopilot.unwritten,
        )  # fmt: skip
        self._cursor = pod.cursor  # of another agent: it begins again
        return self._before.to_json(before)

    def _write(self, data: dict[str, Any]) -> None:
        assert self._file is not None
        self._file.write(json.dumps(data, separators=(",", ":")) + "\n")
        self._lines += 1
        if self._lines % FLUSH_EVERY == 0:
            self._file.flush()


def _opened(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return cast(TextIO, gzip.open(path, "wt", encoding="utf-8"))
    return path.open("w", encoding="utf-8")
