"""The thread census of a simulated pod, as thin as the agent's: agent/signals/threads.py, kernel/census.py."""

from tests.simulator.generation import Generation
from tests.simulator.worker import Thread
from uwsgi_autopilot.agent.signals.threads import LOOKS_PER_TICK
from uwsgi_autopilot.api.sample import Census

STATES = ("run", "io", "lock", "pool", "idle")


class Look:
    """`look` ten times a second at a few threads of the generation that serves, `take` once a second."""

    def __init__(self) -> None:
        self._order: list[Thread] = []
        self._seen: tuple[Generation, int] | None = None
        self._turn = self._looks = self._rounds = 0
        self._sums = dict.fromkeys(STATES, 0.0)

    def look(self, generation: Generation) -> None:
        seen = (generation, len(generation.processes))
        if seen != self._seen:
            # One thread of each worker, then the next of each.
            self._order = [each for row in zip(*(p.threads for p in generation.processes), strict=True) for each in row]
            self._seen = seen
        total = len(self._order)
        looks = min(LOOKS_PER_TICK, total)
        counts = dict.fromkeys(STATES, 0)
        for _ in range(looks):
            counts[self._order[self._turn % total].state] += 1
            self._turn += 1
        if looks:
            self._rounds += 1
            self._looks += looks
            for state, count in counts.items():
                self._sums[state] += count / looks * total

    def take(self) -> Census | None:
        """None: there was nothing to look at."""
        if not self._rounds:
            return None
        run, io, lock, pool, idle = (self._sums[state] / self._rounds for state in STATES)
        census = Census(running=run, io=io, interpreter_lock=lock, application_lock=pool, idle=idle, looks=self._looks)
        self._sums = dict.fromkeys(STATES, 0.0)
        self._looks = self._rounds = 0
        return census
