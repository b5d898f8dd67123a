"""Is the application ready? Pure: the signs of life come in, once a second, and a sentence goes out.

It becomes ready once it has been seen to answer below 500. From then on only silence makes it unready: for
`hang_seconds` no request finished, no byte of an answer moved, and the agent's own question got no answer. Load, a full
queue and a change in progress never do: taking a busy pod out makes the others busier. Nor do 5xx answers: a slow or
missing database is shared by every replica, and all of them would be taken out at once.
"""

from dataclasses import dataclass

from uwsgi_autopilot.api.agentconfig import AgentConfig
from uwsgi_autopilot.uwsgi.request import NoAnswer

# The agent asks a question of its own after this much silence, or a third of hang_seconds if that is less.
IDLE_SECONDS = 10.0
# Silence that nobody was there to observe does not count: the machine was suspended, or the agent got no CPU.
MOST_SECONDS_A_STEP = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """What was seen since the previous step.

    serving: a generation accepts. finished: requests. wrote: a thread that serves requests wrote something.
    answer: to the agent's own question, None when none has come. in_service, queue: now; None where unknown.
    """

    serving: bool
    finished: float = 0.0
    wrote: bool = False
    answer: int | NoAnswer | None = None
    in_service: int | None = None
    queue: int | None = None


class Health:
    """`step` from the main loop; `ready` and `why` from any thread.

    failing: how many of the agent's own questions in a row failed before the application was ever ready: 5xx, or a
    connection that ended without an answer.
    """

    def __init__(self, config: AgentConfig) -> None:
        self.config = config
        self.ready = False
        self.why = "no generation of uWSGI accepts requests yet"
        self.failing = 0
        self._answered_well = False
        self._silent = 0.0
        self._stepped_at: float | None = None
        self._last: int | NoAnswer | None = None

    @property
    def should_ask(self) -> bool:
        """Whether the application should be asked. Never while requests finish: a question would only add one."""
        return not self._answered_well or self._silent >= min(IDLE_SECONDS, self.config.hang_seconds / 3)

    def step(self, now: float, signs: Signs) -> None:
        since = 0.0 if self._stepped_at is None else now - self._stepped_at
        self._stepped_at = now
        self._silent += min(since, MOST_SECONDS_A_STEP)
        answered = isinstance(signs.answer, int)
        self._last = signs.answer or self._last
        if not self._answered_well and signs.answer is not None:
            self._answered_well = answered and not self._last_failed()
            self.failing = self.failing + 1 if self._last_failed() else 0
        if signs.finished > 0 or signs.wrote or answered:
            self._silent = 0.0
        if not signs.serving:
            self.ready, self.why = False, "no generation of uWSGI accepts requests"
        elif not self._answered_well:
            self.ready, self.why = False, self._why_not_yet()
        elif self._silent < self.config.hang_seconds:
            self.ready, self.why = True, self._why_ready()
        else:
            self.ready, self.why = False, self._why_silent(signs)

    def _last_failed(self) -> bool:
        return self._last is NoAnswer.HUNG_UP or (isinstance(self._last, int) and self._last >= 500)

    def _why_not_yet(self) -> str:
        if not self._last_failed():
            return "the application has not answered yet"
        return f"the application fails: {self._what_came()}; its log says why"

    def _why_ready(self) -> str:
        return "requests are answered" + (f", but {self._what_came()}" if self._last_failed() else "")

    def _why_silent(self, signs: Signs) -> str:
        counts = ((signs.in_service, "in service"), (signs.queue, "in the queue"))
        numbers = " and ".join(f"{count} {where}" for count, where in counts if count is not None)
        return (
            f"the application hangs: for {self._silent:.0f} s no request finished, no byte of an answer moved, and "
            f"{self.config.health_path} got no answer" + (f"; requests: {numbers}" if numbers else "")
        )

    def _what_came(self) -> str:
        if self._last is NoAnswer.HUNG_UP:
            return f"the connection for {self.config.health_path} was closed without an answer"
        return f"{self.config.health_path} was answered with status {self._last}"
