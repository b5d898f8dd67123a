"""Says in one line when every request begins to fail, when the application hangs, and when that ends: pure.

nginx's log tells, in the samples: all answers with 5xx, and of the others a share large enough that none is missed.
"""

from collections.abc import Iterable

from uwsgi_autopilot.api.agentstate import AgentState
from uwsgi_autopilot.api.sample import Sample

# One that fails is a fault of its page; so many in a row, with none between that did not, are no chance.
IN_A_ROW = 3


class Failing:
    """`step` with the agent's state and the samples; those it has seen it knows."""

    def __init__(self) -> None:
        self.failed = 0
        self.served = False
        self._in_a_row = 0
        self._seen = 0.0
        self._told: str | None = None

    def step(self, state: AgentState, samples: Iterable[Sample]) -> list[str]:
        """What there is to say now."""
        for sample in samples:
            if sample.at > self._seen:  # not by seq: an agent that was started again begins at 1
                self._seen = sample.at
                self._count(sample)
        problem = None
        if state.serving and not state.ready:
            problem = f"not ready: {state.why}"
        elif self._in_a_row >= IN_A_ROW:
            problem = f"every request fails: the last {self._in_a_row} were answered with status 500 or above"
        before, self._told = self._told, problem
        if problem is not None and before is None:
            return [problem]
        return ["requests are answered again"] if problem is None and before is not None else []

    def outcome(self) -> str | None:
        """A sentence when not one request was served, though several came."""
        if self.served or self.failed < IN_A_ROW:
            return None
        return f"nothing could be served: each of {self.failed} requests was answered with status 500 or above"

    def _count(self, sample: Sample) -> None:
        failed = round(sample.errors)
        self.failed += failed
        if sum(count for _, count in sample.latency) > failed:
            self.served, self._in_a_row = True, 0
        else:
            self._in_a_row += failed
