"""What a change of shape adds to memory, and whether that fits. Pure: the agent and the tuner plan with the same sums.

Other threads need a second generation beside the first: all of its workers and a master of its own. More processes of
the same threads join the generation that serves; fewer add nothing.
"""

from dataclasses import dataclass

from uwsgi_autopilot.api.shape import Shape

# Share of the limit that may be planned. The rest is for what nobody counts beforehand: page cache that does not shrink
# in time, the exit of workers, a spike.
BUDGET = 0.9
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Added:
    """Processes that run beside what runs already, at the height of a change."""

    workers: int
    masters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryUse:
    """Bytes. `used`: by everything that counts towards `limit` (the cgroup's working set, or the generations' PSS
    under a budget). `worker`: the worst PSS seen of a worker. `master`: PSS of a master, 0 while it is not known."""

    used: int
    limit: int
    worker: int
    master: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Bytes. `used`: what cannot be had back while its owner lives, of all that counts towards `limit`. `age`: seconds,
    how old that is at most when it is looked at. `of`: whose limit it is."""

    used: int
    limit: int
    age: float
    of: str


def added_by(here: Shape, to: Shape, *, swap: bool | None = None) -> Added:
    """`here`: live workers and their threads. `swap`: a second generation even though the threads are the same, as
    above the ceiling; None: only where the threads differ."""
    if here.threads != to.threads if swap is None else swap:
        return Added(workers=to.processes, masters=1)
    return Added(workers=max(0, to.processes - here.processes), masters=0)


def why_not(use: MemoryUse, added: Added, what: str) -> str | None:
    """One sentence about `what` (a change, such as "2x4 to 4x4") that does not fit; None: it does."""
    need = added.workers * use.worker + added.masters * use.master
    if added.workers == 0 or use.used + need <= BUDGET * use.limit:
        return None
    parts = f"{added.workers} workers of {use.worker / MIB:.0f} MiB"
    if added.masters:
        parts += f", a master of {use.master / MIB:.0f} MiB"
    beside = " beside the generation that serves" if added.masters else ""
    return (
        f"{what} needs {need / MIB:.0f} MiB{beside} ({parts}), {use.used / MIB:.0f} MiB are in use, "
        f"the limit is {use.limit / MIB:.0f} MiB ({BUDGET:.0%} may be planned)"
    )
