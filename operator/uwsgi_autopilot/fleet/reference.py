"""The reference pod: the one whose samples stand for the application.

It is the settled pod with the most load, because the first to saturate is the one that hurts. It stays the reference
until another has clearly more load, so that the tuner sees one continuous series.
"""

from uwsgi_autopilot.fleet.pod import Pod
from uwsgi_autopilot.fleet.state import FleetState

YOUNG_S = 30.0  # caches and pools are cold; a single pod has no alternative
YOUNG_ALONE_S = 5.0
MUCH_MORE = 1.5
A_LITTLE = 2.0  # requests


def reference_pod(state: FleetState, now: float) -> str | None:
    """Its uid; None when no pod can stand for the others."""
    loads = {
        uid: figures.inside for uid, pod in state.pods.items() if usable(state, pod, now) and (figures := pod.figures())
    }
    if not loads:
        return None
    most = max(loads, key=lambda uid: (loads[uid], uid))
    current = state.reference
    if current is not None and current in loads and loads[most] <= MUCH_MORE * loads[current] + A_LITTLE:
        return current
    return most


def usable(state: FleetState, pod: Pod, now: float) -> bool:
    """It serves the promoted shape, has settled, is old enough, and its agent answers."""
    young = YOUNG_ALONE_S if len(state.pods) == 1 else YOUNG_S
    old_enough = pod.info.ready_at is not None and now - pod.info.ready_at >= young
    return old_enough and pod.settled and pod.shape == state.shape and not pod.silent(now)
