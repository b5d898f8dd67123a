"""May the shape change now? Questions asked in order; the first objection wins.

To add one, write a function from a Situation to a Hold or None and put it into GUARDS. Taking a bad change back asks
none of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from uwsgi_autopilot.api.sample import Sample
from uwsgi_autopilot.report.reasons import Reason
from uwsgi_autopilot.tuner.load import ENOUGH, FEW, Load
from uwsgi_autopilot.tuner.memory import Memory
from uwsgi_autopilot.tuner.proposal import Hold
from uwsgi_autopilot.tuner.times import MANY_LOOKS
from uwsgi_autopilot.tuner.window import SETTLE_S, of_one_load, window

LONG_ENOUGH = 8  # samples: what is not known by then will take too long
STALE_S = 5.0
# Share of the answers in the LAST samples, or by how much it has risen over what is known; and how many that are.
ERRORS_HIGH, FEWEST_ERRORS, LAST = 0.1, 5, 5
NEARLY_ALL = 0.9
KNOWN = 15  # samples: what has failed for so long is usual
FOREIGN_STEP = 0.25  # share of the cores: by how much others' use may change
DRIFTING = 0.3  # ln of the growth of the load within the window


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """`samples` is not empty. `load`: None when it cannot be estimated."""

    memory: Memory
    samples: Sequence[Sample]
    load: Load | None

    @property
    def newest(self) -> Sample:
        return self.samples[-1]


Guard = Callable[[Situation], Hold | None]


def change_in_progress(seen: Situation) -> Hold | None:
    if seen.newest.settled:
        return None
    return Hold(
        reason=Reason.CHANGE_IN_PROGRESS, message=f"the agent is changing the shape; {seen.newest.shape} serves now"
    )


def parked(seen: Situation) -> Hold | None:
    away, shape = seen.newest.parked, seen.newest.shape
    if not away:
        return None
    message = f"{away} of {shape.processes} workers are put away: the load does not even need {shape}"
    return Hold(reason=Reason.PARKED, message=message)


def stale_readings(seen: Situation) -> Hold | None:
    if seen.newest.seconds <= STALE_S:
        return None
    message = f"the newest reading spans {seen.newest.seconds:.0f} s instead of 1 s: too coarse to judge by"
    return Hold(reason=Reason.STALE_READINGS, message=message)


def settling(seen: Situation) -> Hold | None:
    if seen.load is not None or window(seen.samples, since=seen.memory.since or 0.0):
        return None
    message = f"readings count from {SETTLE_S:.0f} s after the last change"
    return Hold(reason=Reason.SETTLING, message=message)


def too_few_requests(seen: Situation) -> Hold | None:
    if seen.load is not None:
        return None
    known = sum(each.requests for each in of_one_load(window(seen.samples, since=seen.memory.since or 0.0)))
    wanted = f"{ENOUGH} in at least 3 s, or {FEW} in 5 s for a rough estimate"
    message = f"{known:.0f} requests of this load seen; needed are {wanted}"
    return Hold(reason=Reason.TOO_FEW_REQUESTS, message=message)


def thin_census(seen: Situation) -> Hold | None:
    """Among a thousand threads few looks find a busy one: the shares of the first seconds would be chance."""
    load = seen.load
    if load is None or load.looks == 0 or load.looks >= MANY_LOOKS or load.samples >= LONG_ENOUGH:
        return None
    message = f"{load.looks:.0f} looks at busy threads so far; needed are {MANY_LOOKS:.0f}, or {LONG_ENOUGH} s"
    return Hold(reason=Reason.OBSERVING, message=message)


def errors_high(seen: Situation) -> Hold | None:
    """Goodput leaves failures out, so a share of them that lasts is no objection: only one that has risen, or that is
    too new to be known, which ends by itself within KNOWN seconds; and that of nearly all, where nothing is to gain."""
    recent = seen.samples[-LAST:]
    errors, requests = _errors(recent)
    if errors < FEWEST_ERRORS or errors < ERRORS_HIGH * requests:
        return None
    figures = f"{errors:.0f} of {requests:.0f} requests failed in the last {len(recent)} s"
    if errors >= NEARLY_ALL * requests:
        message = f"{figures}: while nearly all fail, no shape serves more"
        return Hold(reason=Reason.ERRORS_HIGH, message=message)
    known = _usual_errors(seen)
    if known is None:
        return Hold(reason=Reason.ERRORS_HIGH, message=f"{figures}: no search before it is known whether that lasts")
    if errors / requests < known + ERRORS_HIGH:
        return None
    message = f"{figures}, {known:.0%} before: no search while more requests fail than usual"
    return Hold(reason=Reason.ERRORS_HIGH, message=message)


def _usual_errors(seen: Situation) -> float | None:
    """The largest share known: of the seconds before the last ones, and of this workload's points. None: too few."""
    before = [each for each in seen.samples[-KNOWN:-LAST] if each.requests]
    shares = [each.error_share for each in seen.memory.of_this_workload]
    errors, requests = _errors(before)
    if len(before) >= LAST and requests >= FEW:
        shares.append(errors / requests)
    return max(shares, default=None)


def _errors(samples: Sequence[Sample]) -> tuple[float, float]:
    """Answers that are errors, and all. A time-out in the queue is no answer of the application."""
    requests = sum(each.requests for each in samples)
    return min(sum(each.errors for each in samples), requests), requests


def noisy_neighbor(seen: Situation) -> Hold | None:
    if seen.load is None:
        return None
    recent = seen.samples[-2:]
    now = sum(each.foreign_cpu for each in recent) / len(recent)
    if abs(now - seen.load.foreign_cpu) <= FOREIGN_STEP * seen.load.cores:
        return None
    message = f"others now use {now:.1f} cores of this machine, {seen.load.foreign_cpu:.1f} a moment ago"
    return Hold(reason=Reason.NOISY_NEIGHBOR, message=message)


def load_changing(seen: Situation) -> Hold | None:
    load = seen.load
    if load is None or load.overrun:
        return None  # waiting only makes the queue longer
    now = seen.newest.inside
    if load.changing:
        message = (
            f"the workload is changing: the last {load.samples} s mix two kinds of requests; {now:.0f} in the pod now"
        )
        return Hold(reason=Reason.LOAD_CHANGING, message=message)
    if max(load.inside, now) < 8 or abs(load.drift) <= DRIFTING:
        return None
    word = "growing" if load.drift > 0 else "shrinking"
    return Hold(reason=Reason.LOAD_CHANGING, message=f"the load is {word}: {now:.0f} requests in the pod now")


# First what cannot be judged at all, then what makes the figures doubtful, then what limits our own haste.
GUARDS: Sequence[Guard] = (
    change_in_progress,
    parked,
    stale_readings,
    settling,
    too_few_requests,
    thin_census,
    errors_high,
    noisy_neighbor,
    load_changing,
)
# Of requests that hold all slots (held.py): they wait, whatever others use of the CPU.
GUARDS_OF_HELD: Sequence[Guard] = tuple(each for each in GUARDS if each is not noisy_neighbor)


def first_objection(seen: Situation, guards: Sequence[Guard] = GUARDS) -> Hold | None:
    return next((hold for guard in guards if (hold := guard(seen)) is not None), None)
