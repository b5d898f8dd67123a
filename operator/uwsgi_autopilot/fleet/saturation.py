"""How busy the pods of an application are, on average, compared with what the best shape of a pod serves: one number
for an autoscaler, or none."""

from dataclasses import dataclass
from statistics import fmean

from uwsgi_autopilot.api.uwsgiapp import Mode
from uwsgi_autopilot.fleet.pod import Pod
from uwsgi_autopilot.fleet.state import FleetState
from uwsgi_autopilot.tuner.load import Load, load_of
from uwsgi_autopilot.tuner.saturation import RECENT_S, best_of, of_few, saturation

# How often it is worked out, and from when on the last answer is no answer: all that asks for it asks about as often.
EVERY_S, OLD_S = 10.0, 30.0


@dataclass(slots=True)
class Gauge:
    """The latest answer; `at`: when it was found."""

    value: float | None = None
    at: float = float("-inf")

    def look(self, state: FleetState, now: float) -> None:
        if now - self.at >= EVERY_S:
            self.value, self.at = saturation_of(state, now), now

    def read(self, now: float) -> float | None:
        return self.value if now - self.at <= OLD_S else None


def saturation_of(state: FleetState, now: float) -> float | None:
    """Mean of the pods that serve; None where fewer than half of them can be seen."""
    serving = [pod for pod in state.pods.values() if pod.info.ready and not pod.info.leaving]
    seen = [pod for pod in serving if pod.samples and not pod.silent(now)]
    if not seen or 2 * len(seen) < len(serving):
        return None
    limits, changeable = state.limits, state.app.tuning.mode is Mode.AUTO and state.app.tuning.pin is None
    loads = {pod.uid: _load(state, pod) for pod in seen}
    known = [load for load in loads.values() if load is not None]
    busiest = max(known, key=lambda each: each.requests, default=None)
    best = None if busiest is None else best_of(state.memory, busiest, limits, changeable=changeable)
    values = []
    for pod in seen:
        load = loads[pod.uid]
        if load is not None and best is not None:
            values.append(saturation(load, best))
        elif (few := of_few(list(pod.samples), limits, changeable=changeable)) is not None:
            values.append(few)
    return fmean(values) if 2 * len(values) >= len(serving) else None


def _load(state: FleetState, pod: Pod) -> Load | None:
    return load_of(list(pod.samples), seconds=RECENT_S, cores=state.app.limits.cpu, least_pool=state.memory.pool_size)
