"""Where the time of a measurement goes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Spent(dict[str, float]):
    """Seconds by what they were spent on."""

    @contextmanager
    def on(self, what: str) -> Iterator[None]:
        begin = time.monotonic()
        try:
            yield
        finally:
            self[what] = self.get(what, 0.0) + time.monotonic() - begin
