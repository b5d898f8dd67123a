"""Keep one part of the main loop from ending the others: what serves goes on serving, whatever is wrong with us."""

import traceback
from collections.abc import Callable
from typing import ParamSpec

from uwsgi_autopilot.agent.log import log

P = ParamSpec("P")
BACKOFF_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)
# Without an error for so long it works again: one that comes and goes is neither told nor tried again each time.
CALM_SECONDS = 60.0


class Backoff:
    """name: of the part, for the log. The same error is told once, however often it comes. now: monotonic seconds."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._told: str | None = None
        self._failures = 0
        self._failed_at = 0.0
        self._next_try = 0.0

    def run(self, now: float, part: Callable[P, object], *args: P.args, **keywords: P.kwargs) -> None:
        """Call `part` with the rest. After an error it is left out for 1 s, then 2, 5, 10 and 30 s."""
        if now < self._next_try:
            return
        try:
            part(*args, **keywords)
        except Exception as error:  # whatever it is: the application must not end with it
            self._failed_at = now
            self._next_try = now + BACKOFF_SECONDS[min(self._failures, len(BACKOFF_SECONDS) - 1)]
            self._failures += 1
            told = f"{type(error).__name__}: {error}"
            if told != self._told:
                self._told = told
                log("error", f"{self.name} failed and is tried again, less and less often: {traceback.format_exc()}")
            return
        if self._failures and now - self._failed_at > CALM_SECONDS:
            log("info", f"{self.name} works again", failures=self._failures)
            self._told, self._failures = None, 0
