"""One pod tries a shape: what ends the trial, and how. Pure.

    trying ─► promote       the tuner keeps it, and the pod is not worse off than the others
           ─► back          the tuner takes it back, or the pod is worse off
           ─► undecided     its pod went, a rollout or a change of replicas began: the figures mean nothing
           ─► renew         half of its time is over: a new wish, else the agent ends the trial by itself

A Service gives every pod the same arrivals, so the throughput of a pod that tries a good shape need not rise. What
tells is the time that a request spends in the pod (requests inside / throughput, Little's law), against the other
pods in the same seconds and against before.
"""

import math
from dataclasses import dataclass
from enum import Enum
from typing import Any

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.controller.podview import Figures

# Long enough for a generation to start and be measured; renewed at half of it, so a longer start does no harm.
TRIAL_SECONDS = 90.0
# ln of how much longer requests stay in the trying pod, compared with the others, before it is taken back at once.
HURTS = 0.25
FEWEST_REQUESTS = 50.0
MORE_ERRORS = 0.02
NOT_DELIVERED_SECONDS = 90.0


class Next(str, Enum):
    WAIT = "wait"
    RENEW = "renew"
    PROMOTE = "promote"
    BACK = "back"
    UNDECIDED = "undecided"


class Verdict(str, Enum):
    """What the tuner made of the trying pod's samples."""

    OPEN = "open"
    KEPT = "kept"
    TAKEN_BACK = "taken back"
    DROPPED = "dropped"  # refused, lost, or another workload in the middle of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """Just before: seconds that a request spends in the trying pod and in the others, and the shares of errors."""

    tried_s: float
    others_s: float
    tried_errors: float
    others_errors: float

    @classmethod
    def of(cls, tried: Figures | None, others: Figures | None) -> "Baseline | None":
        if tried is None or others is None or tried.time_inside_s is None or others.time_inside_s is None:
            return None
        return cls(
            tried_s=max(tried.time_inside_s, 1e-6),
            others_s=max(others.time_inside_s, 1e-6),
            tried_errors=tried.errors,
            others_errors=others.errors,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """pod: uid. before: the shape to return to. wished_at: when its newest wish was made, seconds since 1970.

    everywhere: the application was being hurt, so every pod got the shape at once; it is judged on this one.
    """

    pod: str
    shape: Shape
    before: Shape
    seq: int
    began_at: float
    wished_at: float
    everywhere: bool = False
    baseline: Baseline | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "pod": self.pod,
            "shape": self.shape.to_json(),
            "before": self.before.to_json(),
            "seq": self.seq,
            "began_at": self.began_at,
            "wished_at": self.wished_at,
            "everywhere": self.everywhere,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Trial":
        """Without the baseline: after a restart of the operator the tuner alone judges. Raises ValueError, KeyError."""
        return cls(
            pod=str(data["pod"]),
            shape=Shape.from_json(data["shape"]),
            before=Shape.from_json(data["before"]),
            seq=int(data["seq"]),
            began_at=float(data["began_at"]),
            wished_at=float(data["wished_at"]),
            everywhere=bool(data["everywhere"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """there: the pod lives. disturbed: why its figures mean nothing; None: nothing. followed: the agent has reported
    the newest wish. ended: the agent ended the trial by itself. worse: from `worse_off`."""

    now: float
    there: bool
    verdict: Verdict
    disturbed: str | None = None
    followed: bool = True
    ended: bool = False
    worse: str | None = None


def next_of(trial: Trial, seen: Seen) -> tuple[Next, str]:
    """What to do now, and why in a few words."""
    if not seen.there:
        return Next.UNDECIDED, "the pod that tried it is gone"
    if seen.verdict is Verdict.TAKEN_BACK:
        return Next.BACK, ""
    if seen.worse is not None and not trial.everywhere:
        return Next.BACK, seen.worse
    if seen.ended:
        return Next.UNDECIDED, "the agent ended the trial, which nobody confirmed in time"
    if seen.disturbed is not None and not trial.everywhere:
        return Next.UNDECIDED, seen.disturbed
    if seen.verdict is Verdict.DROPPED:
        return Next.UNDECIDED, ""
    if seen.verdict is Verdict.KEPT:
        return Next.PROMOTE, ""
    if trial.everywhere:
        return Next.WAIT, ""
    waited = seen.now - trial.wished_at
    if not seen.followed and waited >= NOT_DELIVERED_SECONDS:
        return Next.UNDECIDED, f"the wish did not arrive within {NOT_DELIVERED_SECONDS:.0f} s"
    if seen.followed and waited >= TRIAL_SECONDS / 2:
        return Next.RENEW, ""
    return Next.WAIT, ""


def worse_off(baseline: Baseline | None, tried: Figures | None, others: Figures | None) -> str | None:
    """A sentence when the trying pod serves clearly worse than the others do, compared with before; else None."""
    now = Baseline.of(tried, others)
    if baseline is None or now is None or tried is None or others is None:
        return None
    if min(tried.requests, others.requests) < FEWEST_REQUESTS:
        return None
    errors = (now.tried_errors - now.others_errors) - (baseline.tried_errors - baseline.others_errors)
    if errors > MORE_ERRORS and tried.errors * tried.requests >= 3:
        return f"{tried.errors:.0%} of its requests fail, {others.errors:.0%} of the other pods'"
    longer = math.log(now.tried_s / baseline.tried_s) - math.log(now.others_s / baseline.others_s)
    if longer > HURTS and now.tried_s > baseline.tried_s * 1.1:
        return (
            f"requests spend {now.tried_s * 1000:.0f} ms in it ({baseline.tried_s * 1000:.0f} ms before), "
            f"{now.others_s * 1000:.0f} ms in the other pods ({baseline.others_s * 1000:.0f} ms before)"
        )
    return None


def hurt_now(figures: Figures | None) -> bool:
    """Requests wait longer than anyone should: over a second, and over five times what serving them takes."""
    if figures is None or figures.queue < 5:
        return False
    if figures.rps <= 0:
        return True
    return figures.queue / figures.rps > max(1.0, 5.0 * (figures.service_s or 0.0))
