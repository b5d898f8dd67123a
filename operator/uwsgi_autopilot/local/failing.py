"""Report in one line when every request starts to fail, when the application hangs, and when that is over: pure.

The evidence is nginx's log in the samples: every 5xx answer, and a large enough share of the others to miss no success.
"""

from collections.abc import Iterable

from uwsgi_autopilot.api.agentstate import AgentState
from uwsgi_autopilot.api.sample import Sample

# One failure may be a single page's fault; this many in a row, with no success in between, are no coincidence.
IN_A_ROW = 3


class Failing:
    """Call `step` with the agent's state and the samples; samples seen before are ignored."""

    def __init__(self) -> None:
        self.failed = 0
        self.served = False
        self._in_a_row = 0
        self._seen = 0.0
        self._told: str | None = None

    def step(self, state: AgentState, samples: Iterable[Sample]) -> list[str]:
        """The sentences to show now."""
        for sample in samples:
            if sample.at > self._seen:  # not by seq: a restarted agent starts at 1
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
        """A sentence if several requests came and not one was served; else None."""
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
