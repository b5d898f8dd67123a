"""Applications with work waiting: each is in work at most once at a time, some not before a given moment."""

import asyncio
import contextlib
import time
from typing import NamedTuple


class Key(NamedTuple):
    """An application: what stands in its children's label, and their namespace."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class Workqueue:
    """Moments are monotonic seconds."""

    def __init__(self) -> None:
        self._at: dict[Key, float] = {}
        self._busy: set[Key] = set()
        self._news = asyncio.Event()

    def mark(self, key: Key, after: float = 0.0) -> None:
        """If an application has several moments, the earliest counts."""
        at = time.monotonic() + after
        self._at[key] = min(self._at.get(key, at), at)
        self._news.set()

    def __len__(self) -> int:
        """How many are due now."""
        now = time.monotonic()
        return sum(at <= now for at in self._at.values())

    async def take(self) -> Key:
        """The next one whose moment has come; call `done` with it after the work."""
        while True:
            now = time.monotonic()
            waiting = {key: at for key, at in self._at.items() if key not in self._busy}
            key = min(waiting, key=lambda each: waiting[each], default=None)
            if key is not None and waiting[key] <= now:
                del self._at[key]
                self._busy.add(key)
                return key
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if key is None else waiting[key] - now):
                    await self._news.wait()

    def done(self, key: Key) -> None:
        self._busy.discard(key)
        self._news.set()
