"""Applications with work waiting: each is in work at most once at a time, some not before a given moment."""

import asyncio
import contextlib
import heapq
import math
import time
from typing import NamedTuple


class Key(NamedTuple):
    """An application: what stands in its children's label, and their namespace."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class Workqueue:
    """Moments are monotonic seconds. The heap may hold moments that are no longer an application's: `_at` tells."""

    def __init__(self) -> None:
        self._at: dict[Key, float] = {}
        self._heap: list[tuple[float, Key]] = []
        self._busy: set[Key] = set()
        self._news = asyncio.Event()

    def mark(self, key: Key, after: float = 0.0) -> None:
        """If an application has several moments, the earliest counts."""
        at = time.monotonic() + after
        if at >= self._at.get(key, math.inf):
            return
        self._at[key] = at
        if key not in self._busy:
            self._push(key, at)

    def __len__(self) -> int:
        """How many are due now."""
        now = time.monotonic()
        return sum(at <= now for at in self._at.values())

    async def take(self) -> Key:
        """The next one whose moment has come; call `done` with it after the work."""
        while True:
            at = self._first()
            left = at - time.monotonic()
            if left <= 0:
                _, key = heapq.heappop(self._heap)
                del self._at[key]
                self._busy.add(key)
                return key
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if at == math.inf else left):
                    await self._news.wait()

    def done(self, key: Key) -> None:
        self._busy.discard(key)
        if key in self._at:
            self._push(key, self._at[key])

    def _push(self, key: Key, at: float) -> None:
        first = self._first()
        heapq.heappush(self._heap, (at, key))
        if at < first:
            self._news.set()

    def _first(self) -> float:
        """The moment of the next one; infinite where there is none."""
        while self._heap:
            at, key = self._heap[0]
            if self._at.get(key) == at and key not in self._busy:
                return at
            heapq.heappop(self._heap)
        return math.inf
