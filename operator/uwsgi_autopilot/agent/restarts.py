"""When may what ended be started again? At once the first time, then later and later while it does not live."""

BACKOFF_SECONDS = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
# A generation that served this long counts as healthy: after its death, back-off starts from 0 again.
HEALTHY_SECONDS = 30.0


class Restarts:
    """failures: deaths and failed starts in a row."""

    def __init__(self) -> None:
        self.failures = 0
        self._next_start = 0.0

    def failed(self, now: float, served_seconds: float = 0.0) -> None:
        if served_seconds > HEALTHY_SECONDS:
            self.failures = 0
        self._next_start = now + BACKOFF_SECONDS[min(self.failures, len(BACKOFF_SECONDS) - 1)]
        self.failures += 1

    def at_once(self) -> None:
        self._next_start = 0.0

    def may_start(self, now: float) -> bool:
        return now >= self._next_start
