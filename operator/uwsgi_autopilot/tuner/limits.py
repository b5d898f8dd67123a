"""What a shape may be: the manifest's bounds, and the memory and database connections that the change to it needs.

Another number of threads means a swap, in which the old and the new generation run at once. More processes with the
same threads only add their own share; fewer add nothing.
"""

import math
from dataclasses import dataclass, replace

from uwsgi_autopilot.api.headroom import BUDGET, MIB, added_by
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import Bounds, UwsgiApp
from uwsgi_autopilot.report.reasons import Reason
from uwsgi_autopilot.tuner.load import Load
from uwsgi_autopilot.tuner.proposal import Refusal

# Slots of a pod where nobody has said how many there may be. Chosen: 16 for each process that such a pod may have. The
# best shape of the scoreboard's workloads has at most 128; while their requests take a second, 256 answer 256 a second.
# Without it, three pods whose database was ten times slower for a minute ended with 2,304 slots, of which 30 were used.
SLOTS_PER_CORE, LEAST_SLOTS = 64, 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """follows_cores: the greatest number of processes does, because nobody has set one.
    `cores`, `memory_limit` (bytes): None where the manifest sets none; the samples then tell.

    max_connections: how many connections to a database the whole pod may open; None: no such limit.
    shared: the sentence about it: what the application may open, and by how many pods that is divided.
    max_slots: of shapes with more slots than the present one; None: the manifest has a limit of its own.
    connections_per_process: how many one process opens; None: one for each thread.
    """

    processes: Bounds
    threads: Bounds
    follows_cores: bool = False
    cores: float | None = None
    memory_limit: int | None = None
    max_connections: int | None = None
    connections_per_process: int | None = None
    shared: str = ""
    max_slots: int | None = None

    @classmethod
    def of(cls, app: UwsgiApp, pods: int = 1, cores: float | None = None, *, why: str = "") -> "Limits":
        """Of one pod: `maxConnections` counts for all of them together. cores: as its samples tell. why: where there
        are so many pods; it ends a sentence."""
        tuning = app.tuning
        most = tuning.max_connections
        usable = cores or app.limits.cpu or 1.0
        unsaid = most is None and tuning.processes.max is None
        return cls(
            processes=tuning.processes.on(usable),
            follows_cores=tuning.processes.max is None,
            threads=tuning.threads,
            cores=app.limits.cpu,
            memory_limit=app.limits.memory,
            max_connections=None if most is None else max(1, most // max(1, pods)),
            connections_per_process=tuning.connections_per_process,
            shared="" if most is None else _shared(most, pods, why),
            max_slots=max(LEAST_SLOTS, math.ceil(SLOTS_PER_CORE * usable)) if unsaid else None,
        )

    def widened(self) -> "Limits":
        """With twice the bounds: what would be wished for is known only where it may be named."""
        processes = Bounds(min=self.processes.min, max=2 * self.processes.max)
        threads = Bounds(min=self.threads.min, max=2 * self.threads.max)
        return replace(self, processes=processes, threads=threads)

    def clamp(self, shape: Shape) -> Shape:
        return Shape(self.processes.clamp(shape.processes), self.threads.clamp(shape.threads))

    def connected(self, shape: Shape) -> Shape:
        """With as few processes as `max_connections` demands, but no fewer than the bounds allow.

        For the shape that pods start with: nothing else is open then, and running pods get here by fewer processes,
        which opens nothing either. So its connections count once, and 10x4 is kept where 40 are allowed. From there
        only the processes can change, since a second generation has no room beside it (`why_not`).
        """
        if self.max_connections is None:
            return shape
        most = self.max_connections // self.connections(Shape(1, shape.threads))
        return Shape(max(self.processes.min, min(shape.processes, most), 1), shape.threads)

    def connections(self, shape: Shape, beside: Shape | None = None) -> int:
        """How many may be open while `shape` serves, or while it replaces `beside`.

        With the same threads no second generation is needed: where both have no room, the agent is told so
        (fleet/delivery.py).
        """
        own = shape.processes * (self.connections_per_process or shape.threads)
        return own + (self.connections(beside) if beside is not None and beside.threads != shape.threads else 0)

    def why_not(self, shape: Shape, load: Load) -> Refusal | None:
        """The first reason why the pod must not change from `load.shape` to `shape`; None: it may."""
        return (
            _bounds(self, shape)
            or _slots(self, shape, load)
            or _connections(self, shape, load)
            or _memory(self, shape, load)
        )

    def fits(self, shape: Shape, load: Load) -> bool:
        return self.why_not(shape, load) is None


def _shared(most: int, pods: int, why: str) -> str:
    if pods <= 1:
        return f"maxConnections is {most}"
    return f"maxConnections ({most}) leaves {max(1, most // pods)} to each of {pods} pods{why}"


def _bounds(limits: Limits, shape: Shape) -> Refusal | None:
    for name, value, bounds in (
        ("processes", shape.processes, limits.processes),
        ("threads", shape.threads, limits.threads),
    ):
        if not bounds.min <= value <= bounds.max:
            message = f"{shape} needs {value} {name}, the manifest allows {bounds.min} to {bounds.max}"
            if name == "processes" and limits.follows_cores:
                message += "; where processes.max is absent, that is 4 for each core and at least 16"
            return Refusal(shape=shape, reason=Reason.BOUNDS_REACHED, message=message)
    return None


def _slots(limits: Limits, shape: Shape, load: Load) -> Refusal | None:
    """A shape that a person has started with may have more; nobody adds to it unasked."""
    if limits.max_slots is None or shape.slots <= max(limits.max_slots, load.shape.slots):
        return None
    message = (
        f"{shape} has {shape.slots} slots; where neither maxConnections nor processes.max is set, a pod has at most "
        f"{limits.max_slots}: {SLOTS_PER_CORE} for each core and at least {LEAST_SLOTS}"
    )
    return Refusal(shape=shape, reason=Reason.BOUNDS_REACHED, message=message)


def _connections(limits: Limits, shape: Shape, load: Load) -> Refusal | None:
    needed = limits.connections(shape, beside=load.shape)
    if limits.max_connections is None or added_by(load.shape, shape).workers == 0 or needed <= limits.max_connections:
        return None
    own = limits.connections(shape)
    both = "" if own == needed else f", including {needed - own} of {load.shape}, which still serves"
    allowed = limits.shared or f"maxConnections is {limits.max_connections}"
    message = f"{shape} may open {needed} connections during the change{both}; {allowed}"
    return Refusal(shape=shape, reason=Reason.CONNECTION_LIMIT, message=message)


def _memory(limits: Limits, shape: Shape, load: Load) -> Refusal | None:
    if load.worker_bytes is None or load.memory_bytes is None:
        return None
    known = [limit for limit in (limits.memory_limit, load.memory_limit) if limit]
    if not known:
        return None
    added = added_by(load.shape, shape)
    needed = load.memory_bytes + added.workers * load.worker_bytes + added.masters * (load.master_bytes or 0)
    budget = BUDGET * min(known)
    if added.workers == 0 or needed <= budget:
        return None
    message = (
        f"{shape} needs {needed / MIB:.0f} MiB during the change ({load.memory_bytes / MIB:.0f} MiB now and "
        f"{added.workers} workers of {load.worker_bytes / MIB:.0f} MiB), the budget is {budget / MIB:.0f} MiB"
    )
    return Refusal(shape=shape, reason=Reason.MEMORY_LIMIT, message=message)
