"""Why no shape is proposed, in a sentence with the numbers."""

import math
from collections.abc import Sequence

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.report.reasons import Reason
from uwsgi_autopilot.tuner.candidates import Candidate
from uwsgi_autopilot.tuner.load import Load
from uwsgi_autopilot.tuner.memory import ALTERNATING_S, ALTERNATIONS, REFILL_S
from uwsgi_autopilot.tuner.proposal import Hold


def nothing(load: Load | None, others: Sequence[Candidate] = ()) -> Hold:
    """Nothing better is known. others: the shapes that were considered; none while a settled shape is only watched."""
    if load is None:
        return Hold(settled=True, reason=Reason.SETTLED, message="no shape is known to be better")
    here = load.shape
    if not load.pressed:
        message = (
            f"{load.in_service:.1f} of {here.slots} slots are busy and {load.queued:.1f} requests queue: "
            f"another shape would gain nothing"
        )
        return Hold(settled=True, reason=Reason.APPLICATION_LIMITED, message=message)
    best = max(others, key=lambda each: each.gain, default=None)
    rest = "no other shape promises more"
    if best is not None:
        rest = f"of the others {best.shape} comes nearest, at {expected(best)}"
    if load.cpu_full:
        whose = f", others {load.foreign_cpu:.1f}," if load.foreign_cpu >= 0.1 * load.cores else ""
        used = f"{here} uses {load.cores_used:.1f} of {load.cores:.1f} cores{whose} at {load.throughput:.0f} requests/s"
        return Hold(settled=True, reason=Reason.CPU_LIMITED, message=f"{used}; {rest}")
    return Hold(settled=True, reason=Reason.SETTLED, message=f"{here} serves {load.throughput:.0f} requests/s; {rest}")


def too_dear(load: Load, found: Candidate) -> Hold:
    return _no_budget(f"{found.shape} may serve more than {load.shape} ({expected(found)})")


def no_room_in_budget(load: Load, shape: Shape) -> Hold:
    return _no_budget(f"{load.shape.slots} threads are busy, {load.queued:.0f} requests queue, and {shape} has more")


def _no_budget(what: str) -> Hold:
    message = (
        f"{what}, but as many changes were made for this workload as it may cause; one comes back every "
        f"{REFILL_S / 60:.0f} min"
    )
    return Hold(settled=True, reason=Reason.CHANGE_BUDGET_EXHAUSTED, message=message)


def alternates(load: Load) -> Hold:
    message = (
        f"the workload has changed {ALTERNATIONS} times in {ALTERNATING_S:.0f} s, so {load.shape} serves all of them, "
        f"until one lasts or another shape promises much more"
    )
    return Hold(settled=True, reason=Reason.WORKLOADS_ALTERNATE, message=message)


def expected(found: Candidate) -> str:
    return f"{math.expm1(found.gain):+.1%} ± {100 * found.error:.0f} %"
