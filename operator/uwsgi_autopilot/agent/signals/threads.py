"""What the workers' threads wait for: the census."""

from typing import Any

from uwsgi_autopilot.agent.signals.collector import Collector, Running, Window
from uwsgi_autopilot.kernel.census import ThreadCensus

# Measured: 12 looks cost 0.17 ms, so ten times a second a fifth of a percent of a core.
LOOKS_PER_TICK = 12


class Threads(Collector):
    def __init__(self) -> None:
        self._census = ThreadCensus()

    def look(self, running: Running) -> None:
        serving = running.serving
        if serving is not None and serving.pids:
            self._census.look(serving.pids, LOOKS_PER_TICK, serving.shape.threads)

    def collect(self, window: Window) -> dict[str, Any]:
        census = self._census.take()
        return {} if census is None else {"census": census}
