"""Is the application ready? A generation accepts, and requests are being answered.

Load, a full queue and a swap in progress never make it unready: taking a pod away because it is busy makes the
others busier. When nothing comes in, the agent asks the application itself.
"""

import threading

from uwsgi_autopilot.api.agentconfig import AgentConfig
from uwsgi_autopilot.uwsgi.request import ask

IDLE_SECONDS = 10.0
# As long as answers came within this time, one that is missing now is load or a slow request.
TRUST_SECONDS = 30.0
ASK_TIMEOUT = 10.0


class Health:
    """`step` once a second from the main loop; `ready` and `why` from any thread."""

    def __init__(self, config: AgentConfig) -> None:
        self.config = config
        self.ready = False
        self.why = "no generation of uWSGI accepts requests yet"
        self._answered_at: float | None = None
        self._asked_at = 0.0
        self._asking = False
        self._last_status: int | None = None

    def step(self, now: float, *, serving: bool, finished: float, queue: int | None) -> None:
        """finished: requests in the last second. queue: requests that wait, None when unknown."""
        if finished > 0:
            self._answered_at = now
        if not serving:
            self.ready, self.why = False, "no generation of uWSGI accepts requests"
            return
        silent = now - (self._answered_at if self._answered_at is not None else 0.0)
        if (self._answered_at is None or silent >= IDLE_SECONDS) and not self._asking and now - self._asked_at >= 2.0:
            self._asked_at, self._asking = now, True
            # In a thread: an application that hangs must not stop the agent from seeing and changing it.
            threading.Thread(target=self._ask, args=(now,), daemon=True).start()
        if self._answered_at is None:
            self.ready = False
            self.why = "the application has not answered yet"
            if self._last_status is not None:
                self.why = f"{self.config.health_path} answered with status {self._last_status}"
        elif silent < TRUST_SECONDS or (queue or 0) > 0:
            self.ready, self.why = True, "requests are answered"
        else:
            self.ready, self.why = (
                False,
                f"no request was answered for {silent:.0f} s, {self.config.health_path} neither",
            )

    def _ask(self, now: float) -> None:
        status = ask(self.config.socket, self.config.health_path, self.config.health_host, ASK_TIMEOUT)
        self._last_status = status
        # Django answers 400 to a Host that it does not know: the application lives all the same.
        if status is not None and status < 500:
            self._answered_at = now
        self._asking = False
