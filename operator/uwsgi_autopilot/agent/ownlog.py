"""The files into which uWSGI logs when a person's options say so: then a failing start explains itself there."""

import os
from collections.abc import Iterable, Sequence

from uwsgi_autopilot.report.text import readable
from uwsgi_autopilot.uwsgi.logfiles import LOGGERS, log_files

# Of the end of a file; a traceback is a few KiB.
MOST_BYTES = 64 * 1024


class OwnLogs:
    """Made when an instance starts; `text` is what has been appended since, by whichever generation. places: the
    files, and what else uWSGI logs to, such as `syslog:shop`."""

    def __init__(self, options: Sequence[tuple[str, str | None]], folder: str) -> None:
        self.paths = [os.path.join(folder, path) for path in log_files(options)]
        self.places = [*self.paths, *_not_files(options)]
        self._sizes = {path: _size(path) for path in self.paths}

    def text(self) -> str:
        """The new lines of all files, without secrets; empty where none can be read."""
        return "\n".join(filter(None, (self._new(path) for path in self.paths)))

    def _new(self, path: str) -> str:
        size, before = _size(path), self._sizes[path]
        start = max(before if size >= before else 0, size - MOST_BYTES)
        try:
            with open(path, "rb") as log:
                log.seek(start)
                return readable(log.read(MOST_BYTES).decode("utf-8", errors="replace")).strip("\n")
        except OSError:
            return ""


def _not_files(options: Iterable[tuple[str, str | None]]) -> list[str]:
    return [value for name, value in options if name in LOGGERS and value and "file:" not in value]


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except OSError:
        return 0
