"""The condition Tuned: is the shape found? From the tuner's last word and what the manifest allows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from uwsgi_autopilot.api.agentconfig import AGENT_PORT
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import Mode, TuningSpec
from uwsgi_autopilot.api.wish import Wish
from uwsgi_autopilot.report.reasons import Reason

# Without these there is nothing to judge a shape by.
NO_LOAD = frozenset({Reason.NO_READINGS, Reason.TOO_FEW_REQUESTS, Reason.STALE_READINGS, Reason.APPLICATION_LIMITED})

Answer = tuple[str, str, str]
"""status, reason, message of a condition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """What the agents and the tuner say.

    pods: agents that should answer; reachable: those that do. shape: what serves in most pods; None: nobody said.
    wanted: what every pod is asked for. reason, message: the tuner's last word, a hold too; None: none yet.
    settled: nothing to gain is known (phase Hold). limited: the limit that forbids a better shape. taken_back: the
    sentence of the trial that was rolled back, until another change is asked for. recommendation_gain: 0.35 is +35 %.
    decisions: entries of status.decisions, newest last. rps of all pods; p99_s: seconds.
    """

    pods: int = 0
    reachable: int = 0
    shape: Shape | None = None
    wanted: Wish | None = None
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


def tuned(spec: TuningSpec, seen: Tuning) -> Answer:
    """A person's wish outranks the data, and missing data outranks what was once concluded from it."""
    if spec.pin is not None:
        return _pinned(spec.pin, seen)
    if spec.mode is Mode.DISABLED:
        return "Unknown", "Disabled", f"spec.tuning.mode is Disabled{_serving(seen)}"
    if seen.pods and not seen.reachable:
        return "Unknown", "AgentUnreachable", f"none of {_count(seen.pods, 'agent')} answers on port {AGENT_PORT}"
    if spec.mode is Mode.RECOMMEND:
        return "Unknown", "Recommending", _recommending(seen)
    if seen.reason is None:
        return "Unknown", "NoLoad", f"nothing was measured yet{_serving(seen)}"
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


def _pinned(pin: Shape, seen: Tuning) -> Answer:
    if seen.shape == pin:
        return "True", "Pinned", f"spec.tuning.pin holds the shape at {pin}"
    found = f"{seen.shape} serves" if seen.shape else "no agent has told its shape"
    return "False", "Pinned", f"spec.tuning.pin asks for {pin}, {found} so far"


def _recommending(seen: Tuning) -> str:
    if seen.recommendation is None:
        return f"nothing to recommend{_serving(seen)}: {seen.message or 'nothing was measured yet'}"
    return f"{seen.recommendation} instead of {_named(seen)}: {seen.recommendation_message}"


def _serving(seen: Tuning) -> str:
    return f"; {seen.shape} serves" if seen.shape else ""


def _named(seen: Tuning) -> str:
    return str(seen.shape) if seen.shape else "the present shape"


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
