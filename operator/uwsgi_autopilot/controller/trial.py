"""One pod tries a shape: what ends the trial, and how. Pure.

trying ─► promote       the tuner keeps it, and the pod is not worse off than the others
       ─► back          the tuner takes it back, or the pod is worse off
       ─► undecided     its pod went, a rollout or a change of replicas began: the figures mean nothing
       ─► renew         half of its time is over: a new wish, else the agent ends the trial by itself
"""

from dataclasses import dataclass
from enum import Enum
from typing import Any

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.controller.compare import Baseline
from uwsgi_autopilot.controller.podview import PodView
from uwsgi_autopilot.report.reasons import WishReason
from uwsgi_autopilot.tuner.decision import Decision
from uwsgi_autopilot.tuner.memory import Memory
from uwsgi_autopilot.tuner.phases import Phase

# Long enough for a generation to start and be measured; renewed at half of it, so a longer start does no harm.
TRIAL_SECONDS = 90.0
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
    the newest wish. ended: the agent ended the trial by itself. worse: from `compare.worse_off`."""

    now: float
    there: bool
    verdict: Verdict
    disturbed: str | None = None
    followed: bool = True
    ended: bool = False
    worse: str | None = None

    @classmethod
    def of(
        cls, trial: Trial, view: PodView, now: float, *, verdict: Verdict, disturbed: str | None, worse: str | None
    ) -> "Seen":
        state = view.state
        said = state.refused if state else None
        return cls(
            now=now,
            there=view.seen is not None and not view.seen.leaving,
            verdict=verdict,
            disturbed=disturbed,
            followed=state is not None and state.seq >= trial.seq,
            ended=said is not None and said.reason == WishReason.TRIAL_ENDED and said.seq == trial.seq,
            worse=worse,
        )


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


def verdict_of(before: Memory, after: Memory, decision: Decision | None) -> Verdict:
    """From the tuner's memory before and after its answer; None: it was not asked."""
    if before.asked is None or before.phase is not Phase.VERIFY or decision is None:
        return Verdict.OPEN if after.asked is not None else Verdict.DROPPED
    if after.phase is Phase.BACK:
        return Verdict.TAKEN_BACK
    if after.asked is not None:
        return Verdict.OPEN
    kept = after.phase is Phase.REFINE and after.shape == before.asked.shape
    return Verdict.KEPT if kept else Verdict.DROPPED
