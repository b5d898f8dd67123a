"""Does a swap fit into memory? Pure. A swap has two generations in memory at once."""

from dataclasses import dataclass

# The rest is for what nobody counts beforehand: page cache that does not shrink in time, the exit of workers.
BUDGET = 0.9
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryUse:
    """Bytes. `used`: by everything that counts towards `limit` (the cgroup's working set, or the generations' PSS
    under a budget). `worker`: the worst PSS seen of a worker. `master`: PSS of a master."""

    used: int
    limit: int
    worker: int
    master: int


def does_not_fit(use: MemoryUse | None, *, processes: int, what: str, extra_workers: bool = False) -> str | None:
    """Why `processes` more workers do not fit beside what runs, or None when they do.

    extra_workers: they join the generation that runs, so no second master is needed.
    None for `use` means that there is no limit or that nothing was measured yet: nothing to object.
    """
    if use is None or use.worker <= 0:
        return None
    need = processes * use.worker + (0 if extra_workers else use.master)
    budget = int(use.limit * BUDGET)
    if use.used + need <= budget:
        return None
    beside = "" if extra_workers else " beside the generation that serves"
    return (
        f"{what} needs {need / MIB:.0f} MiB{beside} ({processes} workers of {use.worker / MIB:.0f} MiB), "
        f"{use.used / MIB:.0f} MiB are in use, the limit is {use.limit / MIB:.0f} MiB ({BUDGET:.0%} may be planned)"
    )
