"""The agent's own question to the application: spec.health.path, over the same socket and through the same queue."""

import threading

from uwsgi_autopilot.api.agentconfig import AgentConfig
from uwsgi_autopilot.uwsgi.request import NoAnswer, ask

# Between two questions, when the first was answered badly.
PAUSE_SECONDS = 2.0


class Question:
    """`ask` and `take` from the main loop. One at a time, in a thread: an application that hangs must not stop the
    agent from observing and changing it, and every abandoned question occupies one of its threads.

    asked: how many have been asked.
    """

    def __init__(self, config: AgentConfig) -> None:
        self.config = config
        self.asked = 0
        self._asked_at: float | None = None
        self._asking = False
        self._answer: int | NoAnswer | None = None

    def ask(self, now: float) -> None:
        if self._asking or (self._asked_at is not None and now - self._asked_at < PAUSE_SECONDS):
            return
        self._asked_at, self._asking = now, True
        self.asked += 1
        threading.Thread(target=self._ask, daemon=True).start()

    def take(self) -> int | NoAnswer | None:
        """The answer that came since the last call; None while there is none."""
        answer, self._answer = self._answer, None
        return answer

    def _ask(self) -> None:
        # As long as silence may last: a page that is slow under load is still an answer.
        config = self.config
        self._answer = ask(config.socket, config.health_path, config.health_host, config.hang_seconds)
        self._asking = False
