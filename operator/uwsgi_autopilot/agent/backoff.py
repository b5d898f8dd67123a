"""When may what failed be tried again? Later and later, while it keeps failing.

Also keeps one part of the main loop from ending the others: whatever is wrong with us, what serves keeps serving.
"""

import traceback
from collections.abc import Callable, Sequence
from typing import ParamSpec

from uwsgi_autopilot.agent.log import log

P = ParamSpec("P")
PART_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)
# After this long without an error a part counts as working again: one that comes and goes is not reported each time.
CALM_SECONDS = 60.0


class Delays:
    """seconds: from the first failure to the next try, from the second in a row, and so on; the last for all further
    ones. failures: in a row. now: monotonic seconds everywhere."""

    def __init__(self, seconds: Sequence[float]) -> None:
        self.seconds = seconds
        self.failures = 0
        self._next_try = 0.0

    def failed(self, now: float) -> None:
        self._next_try = now + self.seconds[min(self.failures, len(self.seconds) - 1)]
        self.failures += 1

    def due(self, now: float) -> bool:
        return now >= self._next_try

    def at_once(self) -> None:
        self._next_try = 0.0


class Backoff:
    """name: the part's, for the log. The same error is logged once, however often it occurs. now: monotonic seconds."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._told: str | None = None
        self._delays = Delays(PART_SECONDS)
        self._failed_at = 0.0

    def run(self, now: float, part: Callable[P, object], *args: P.args, **keywords: P.kwargs) -> None:
        """Call `part` with the remaining arguments. After an error it is skipped for 1 s, then 2, 5, 10 and 30 s."""
        if not self._delays.due(now):
            return
        try:
            part(*args, **keywords)
        except Exception as error:  # whatever it is, it must not take the application down
            self._failed_at = now
            self._delays.failed(now)
            told = f"{type(error).__name__}: {error}"
            if told != self._told:
                self._told = told
                log("error", f"{self.name} failed and will be retried, less and less often: {traceback.format_exc()}")
            return
        if self._delays.failures and now - self._failed_at > CALM_SECONDS:
            log("info", f"{self.name} works again", failures=self._delays.failures)
            self._told, self._delays.failures = None, 0
