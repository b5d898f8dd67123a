"""Which pods to poll every second: those being judged or compared, and those being changed."""

from uwsgi_autopilot.api.uwsgiapp import Mode
from uwsgi_autopilot.fleet.pod import Pod
from uwsgi_autopilot.fleet.state import FleetState

HOT_REQUESTS = 10  # in 5 s: with fewer, no decision is near


def is_hot(state: FleetState, pod: Pod) -> bool:
    change = state.change
    if pod.state is None or pod.state.change is not None or pod.uid in state.deliveries:
        return True
    if change is not None and change.on_trial:
        return True
    if state.app.tuning.mode is Mode.DISABLED or state.app.tuning.pin is not None:
        return False
    figures = pod.figures()
    if figures is None or figures.requests < HOT_REQUESTS:
        return False
    searching = pod.uid == state.reference and not state.memory.settled
    return searching or figures.queue >= 1.0
