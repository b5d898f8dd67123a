"""The condition Tuned: is the shape found? From the tuner's last word, the pods, and what the manifest allows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from uwsgi_autopilot.api.desired import DesiredShape
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import Mode, TuningSpec
from uwsgi_autopilot.report.reasons import Reason

# Under these there is nothing to judge a shape by.
NO_LOAD = frozenset({Reason.NO_READINGS, Reason.TOO_FEW_REQUESTS, Reason.STALE_READINGS, Reason.APPLICATION_LIMITED})
# At most this many pods are named in a sentence.
MOST_NAMED = 3

Answer = tuple[str, str, str]
"""status, reason, message of a condition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningStatus:
    """What the agents, the fleet and the tuner say. Each sentence of a pod names it.

    trouble: reason and sentence of what keeps the shape from being looked after at all; None: nothing does.
    pods: agents that should answer; reachable: those that do. silent: sentences of those that do not answer;
    incompatible: of those whose answer is no state that this operator understands. given_up: sentences of pods that
    gave the promoted shape up; late: of those that have not reported it in time.
    shape: what serves in most pods; None: nobody said. desired: what every pod is to have. reason, message: the tuner's
    last word, or what keeps it from being asked; None: none yet. settled: nothing better is known. limited: the limit
    that forbids a better shape. taken_back: the sentence of the trial that was rolled back, until another change is
    asked for. recommendation_gain: 0.35 is +35 %. decisions: entries of status.decisions, newest last. rps of all pods;
    p99_s: seconds; None: nothing fresh is known.
    """

    trouble: tuple[str, str] | None = None
    pods: int = 0
    reachable: int = 0
    silent: Sequence[str] = ()
    incompatible: Sequence[str] = ()
    given_up: Sequence[str] = ()
    late: Sequence[str] = ()
    shape: Shape | None = None
    desired: DesiredShape | None = None
    reason: Reason | None = None
    message: str = ""
    settled: bool = False
    limited: Reason | None = None
    taken_back: str | None = None
    recommendation: Shape | None = None
    recommendation_gain: float | None = None
    recommendation_reason: str = ""
    recommendation_message: str = ""
    decisions: Sequence[Mapping[str, Any]] = ()
    rps: float | None = None
    p99_s: float | None = None


def tuned(spec: TuningSpec, seen: TuningStatus) -> Answer:
    """What a person asked for outranks the data, and missing data outranks what was once concluded from it."""
    if seen.trouble is not None:
        return "Unknown", *seen.trouble
    if spec.pin is not None and seen.shape == spec.pin and not seen.given_up and not seen.late:
        return "True", "Pinned", f"spec.tuning.pin holds the shape at {spec.pin}"
    if spec.pin is None and spec.mode is Mode.DISABLED:
        return "Unknown", "Disabled", f"spec.tuning.mode is Disabled{_serving(seen)}"
    if seen.pods and not seen.reachable and seen.incompatible:
        return "Unknown", "AgentIncompatible", _listed(seen.incompatible)
    if seen.pods and not seen.reachable:
        return "Unknown", "AgentUnreachable", f"no agent answers: {_listed(seen.silent)}"
    if seen.given_up:
        return "False", "ShapeGivenUp", _listed(seen.given_up)
    if seen.late:
        return "False", "ShapeNotDelivered", _listed(seen.late)
    if spec.pin is not None:
        found = f"{seen.shape} is serving" if seen.shape else "no agent has reported its shape"
        return "False", "Pinned", f"spec.tuning.pin asks for {spec.pin}, {found} so far"
    if spec.mode is Mode.RECOMMEND:
        return "Unknown", "Recommending", _recommending(seen)
    return _searched(seen)


def _searched(seen: TuningStatus) -> Answer:
    if seen.reason is None:
        why = f": {seen.message}" if seen.message else ""
        return "Unknown", "NoLoad", f"nothing has been measured yet{why}{_serving(seen)}"
    if seen.limited is Reason.MEMORY_LIMIT:
        return "False", "LimitedByMemory", seen.message
    if seen.limited in (Reason.BOUNDS_REACHED, Reason.CONNECTION_LIMIT):
        return "False", "LimitedByBounds", seen.message
    if seen.settled:
        return "True", "Settled", f"{_named(seen)}: {seen.message}"
    if seen.taken_back is not None:
        return "False", "TrialRolledBack", seen.taken_back
    if seen.reason in NO_LOAD:
        return "Unknown", "NoLoad", seen.message
    return "False", "Searching", seen.message


def _recommending(seen: TuningStatus) -> str:
    if seen.recommendation is None:
        return f"nothing to recommend{_serving(seen)}: {seen.message or 'nothing has been measured yet'}"
    return f"{seen.recommendation} instead of {_named(seen)}: {seen.recommendation_message}"


def _serving(seen: TuningStatus) -> str:
    return f"; {seen.shape} is serving" if seen.shape else ""


def _named(seen: TuningStatus) -> str:
    return str(seen.shape) if seen.shape else "the present shape"


def _listed(sentences: Sequence[str]) -> str:
    """In an order that does not depend on which pod was polled first."""
    told = sorted(sentences)
    more = f" (and {len(told) - MOST_NAMED} more pods)" if len(told) > MOST_NAMED else ""
    return "; ".join(told[:MOST_NAMED]) + more
