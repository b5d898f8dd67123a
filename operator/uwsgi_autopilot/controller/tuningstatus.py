"""What the fleet knows of one application, in the status' words. Pure."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from uwsgi_autopilot.api.desired import DesiredShape
from uwsgi_autopilot.api.uwsgiapp import Mode
from uwsgi_autopilot.controller import entries
from uwsgi_autopilot.fleet import delivery
from uwsgi_autopilot.fleet.history import Entry, Kind
from uwsgi_autopilot.fleet.pod import LATENCY_S, Pod
from uwsgi_autopilot.fleet.state import FleetState
from uwsgi_autopilot.report.histogram import add, quantile
from uwsgi_autopilot.report.reasons import Reason, RefusalReason
from uwsgi_autopilot.resources.tuned import TuningStatus

# A calm pod is asked every 4 s, and its newest sample is up to a second old then.
FRESH_S = 10.0
# The agents' own requests to idle applications, one in 10 s, are no load.
LEAST_RPS = 0.5
# A shown figure that has changed by more than this factor is news even while nothing is tuned.
MUCH = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """rps of all pods; p99_s: of the pod that has it worst. None: nothing fresh is known."""

    rps: float | None = None
    p99_s: float | None = None


def figures_of(state: FleetState, now: float) -> Figures:
    fresh = [pod for pod in state.pods.values() if pod.samples and now - pod.samples[-1].at < FRESH_S]
    known = [figures.rps for pod in fresh if (figures := pod.figures(LATENCY_S)) is not None]
    rps = sum(known)
    worst = max((p99 for pod in fresh if (p99 := _p99(pod)) is not None), default=None)
    return Figures(rps=(rps if rps >= LEAST_RPS else 0.0) if known else None, p99_s=worst)


def moved(shown: Figures, found: Figures, *, hot: bool) -> bool:
    """Are the new figures worth showing? hot: somebody may be watching."""
    pairs = ((shown.rps, found.rps), (shown.p99_s, found.p99_s))
    return (hot and shown != found) or any(_moved(*pair) for pair in pairs)


def _moved(shown: float | None, found: float | None) -> bool:
    if shown is None or found is None:
        return shown is not found
    return max(shown, found) > MUCH * min(shown, found)


def words_of(state: FleetState, now: float) -> tuple[object, ...]:
    """Differs when something has happened that a person waits for; sentences with figures are left out."""
    word = state.hold or state.word
    return (
        word.reason if word else None,
        (state.change.stage, state.change.others) if state.change else None,
        state.promoted,
        state.history[-1:],
        state.memory.settled,
        frozenset(pod.uid for pod in delivery.late_pods(state, now)),
        frozenset(delivery.given_up(state)),
        frozenset(pod.uid for pod in state.pods.values() if pod.silent(now)),
        Counter(pod.shape for pod in state.pods.values()).most_common(1),
    )


def status_of(
    state: FleetState, now: float, *, trouble: tuple[str, str] | None = None, refused: Mapping[str, str] | None = None
) -> TuningStatus:
    """trouble: see TuningStatus. refused: sentences of pods whose annotation could not be written, by uid."""
    pods = list(state.pods.values())
    answering = [pod for pod in pods if not pod.silent(now)]
    # A pod that was never polled has not failed.
    failing = [pod for pod in pods if pod.problem is not None and pod.silent(now)]
    shapes = Counter(pod.shape for pod in answering if pod.shape is not None)
    limited, message = _limited(state)
    word, latest = state.word, state.history[-1] if state.history else None
    recommended = _last(state, lambda entry: entry.kind is Kind.RECOMMEND)
    current = state.memory.recommended if recommended and state.app.tuning.mode is Mode.RECOMMEND else None
    figures = figures_of(state, now)
    return TuningStatus(
        trouble=trouble,
        pods=len(failing) + len(answering),
        reachable=len(answering),
        silent=[f"pod {pod.name}: {pod.problem}" for pod in failing if not pod.incompatible],
        incompatible=[f"pod {pod.name}: {pod.problem}" for pod in failing if pod.incompatible],
        given_up=_given_up(state),
        late=_late(state, now, refused or {}),
        shape=shapes.most_common(1)[0][0] if shapes else None,
        desired=_desired(state),
        reason=word.reason if word else None,
        message=message,
        settled=state.memory.settled and state.change is None,
        limited=limited,
        taken_back=latest.message if latest is not None and latest.kind is Kind.BACK else None,
        recommendation=current,
        recommendation_gain=word.expected_gain if word else None,
        recommendation_reason=recommended.reason if recommended and current else "",
        recommendation_message=recommended.message if recommended and current else "",
        decisions=[entries.to_json(each) for each in state.history],
        rps=figures.rps,
        p99_s=figures.p99_s,
    )


def _limited(state: FleetState) -> tuple[Reason | None, str]:
    """The limit that forbids a better shape, and the sentence to show."""
    word = state.hold or state.word
    # A refused trial may end undecided in the same second, and the search then goes on with what is smaller.
    decided = _last(state, lambda entry: entry.kind not in (Kind.UNDECIDED, Kind.TRY))
    if decided and decided.kind is Kind.REFUSE and decided.reason == RefusalReason.MEMORY_LIMIT.value:
        return Reason.MEMORY_LIMIT, f"the agent refused {decided.to_shape}: {decided.message}"
    return state.memory.said, word.message if word else ""


def _last(state: FleetState, is_one: Callable[[Entry], bool]) -> Entry | None:
    return next((entry for entry in reversed(state.history) if is_one(entry)), None)


def _desired(state: FleetState) -> DesiredShape:
    """The promoted one; a trial's where more than half of the pods are to have that, as a single pod is."""
    change = state.change
    if change is None or not change.on_trial or change.pod is None or change.pod not in state.pods:
        return state.promoted
    trying = sum(change.concerns(uid) for uid in state.pods)
    return change.trial_of(change.pod) if 2 * trying > len(state.pods) else state.promoted


def _given_up(state: FleetState) -> list[str]:
    return [
        f"pod {state.pods[uid].name} serves {state.pods[uid].shape} instead of {state.shape}: {refused.message}"
        for uid, refused in delivery.given_up(state).items()
        if uid in state.pods
    ]


def _late(state: FleetState, now: float, refused: Mapping[str, str]) -> list[str]:
    """Without the seconds, which would change the sentence each time."""
    late = [pod for pod in delivery.late_pods(state, now) if pod.uid not in refused]
    return [*refused.values(), *(f"pod {pod.name} {_not_reported(state, pod)}" for pod in late)]


def _not_reported(state: FleetState, pod: Pod) -> str:
    return f"has not reported {state.deliveries[pod.uid].desired.shape}, which was written to it"


def _p99(pod: Pod) -> float | None:
    latencies: dict[int, int] = {}
    add(latencies, pod.latencies())
    return quantile(latencies, 0.99)
