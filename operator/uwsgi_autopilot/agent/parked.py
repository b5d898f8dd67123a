"""The workers of one generation that are put away: the one owner of how many, and of their way there and back.

Put away is `-`, back is `+` (uwsgiresize.py). What serves is still the shape: `Generation.live_shape` counts those that
are put away, so neither the law nor anybody else takes a quiet night for missing workers.
"""

from uwsgi_autopilot.agent.server import Instance, Outcome, Resizing


class ParkedWorkers:
    """took: seconds that the last return took; None: there was none."""

    def __init__(self, instance: Instance) -> None:
        self.took: float | None = None
        self._instance = instance
        self._away = 0
        self._moving: Resizing | None = None
        self._to = self._processes = 0
        self._began = 0.0

    @property
    def moving(self) -> bool:
        return self._moving is not None

    @property
    def any(self) -> bool:
        return self._away > 0 or self.moving

    def count(self, live: int, processes: int) -> int:
        """Of `processes` that the generation was told to run, `live` of which do: one that respawns is not put away."""
        return max(0, min(self._away, processes - live))

    def move(self, live: int, processes: int, now: float) -> None:
        """So many of its processes shall be live. Not while one move is `moving`."""
        self._to, self._processes, self._began = live, processes, now
        # Until it is done the greater number: what is missing on the way is put away.
        self._away = max(self._away, processes - live)
        self._moving = self._instance.resize(live, now)

    def step(self, now: float) -> Outcome | None:
        """Often, while the generation serves. The outcome of a move, once."""
        if self._moving is None:
            return None
        outcome = self._moving.step(now)
        if outcome is None:
            return None
        self._moving = None
        if outcome is Outcome.DONE:
            if self._processes - self._to < self._away:
                self.took = now - self._began
            self._away = self._processes - self._to
        return outcome

    def all_back(self, processes: int, now: float) -> bool:
        """True when none is put away; otherwise they return, which is tried once: what cannot be told to its master is
        no reason to hold up a change."""
        if self._moving is not None:
            return False
        if self._away == 0:
            return True
        if self._to == processes:
            self._away = 0
            return True
        self.move(processes, processes, now)
        return False
