"""Files whose change reloads the application: touch-reload and py-autoreload of uWSGI."""

import os
from collections.abc import Iterator

from uwsgi_autopilot.api.takeover import Takeover

# A folder of an application may hold a whole virtual environment; what nobody edits is not looked at.
_SKIPPED = frozenset({".git", "__pycache__", "node_modules", "site-packages", ".venv", "venv"})
MOST_FILES = 20_000


class Touched:
    def __init__(self, found: Takeover) -> None:
        self.files, self.folder, self.every = found.touched, found.folder, found.autoreload
        self._times = {path: time_of(path) for path in self.files}
        self._sources = self._look() if self.every else {}
        self._next = 0.0

    def step(self, now: float) -> str | None:
        """Which file has changed since the last call, as a clause; None: none."""
        for path in self.files:
            before, self._times[path] = self._times[path], time_of(path)
            # uWSGI, too, takes a file that appears for a touched one, and one that vanishes for nothing.
            if self._times[path] is not None and self._times[path] != before:
                return f"{path} was touched"
        if not self.every or now < self._next:
            return None
        self._next = now + self.every
        before_all, self._sources = self._sources, self._look()
        changed = [path for path, seen in self._sources.items() if before_all.get(path) != seen]
        return f"{changed[0]} has changed" if changed else None

    def _look(self) -> dict[str, int | None]:
        return {path: time_of(path) for path in sources(self.folder)}


def sources(folder: str, endings: tuple[str, ...] = (".py",)) -> Iterator[str]:
    """The files below `folder` that somebody may edit, about MOST_FILES at most."""
    seen = 0
    for base, folders, names in os.walk(folder):
        folders[:] = [each for each in folders if each not in _SKIPPED]
        for name in names:
            if name.endswith(endings):
                yield os.path.join(base, name)
                seen += 1
        if seen > MOST_FILES:
            return


def time_of(path: str) -> int | None:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return None
