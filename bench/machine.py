"""Who uses the CPUs of this machine while something is measured: we, the hypervisor, or others."""

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from uwsgi_autopilot.kernel.process import children_of, command_of, machine_cpu

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """CPU seconds since boot. ours: of this process and everything below it, ended ones included.

    helpers: of those, nginx and the load generator, as far as they run now.
    """

    busy_s: float
    steal_s: float
    total_s: float
    ours_s: float
    helpers_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Shares of all CPU time between two moments, 0..1. foreign: used by what we did not start."""

    foreign: float
    steal: float
    helpers: float


def read_use() -> Use | None:
    """None where /proc/stat cannot be read."""
    cpu = machine_cpu()
    if cpu is None:
        return None
    ours = helpers = 0.0
    todo = [os.getpid()]
    while todo:
        pid = todo.pop()
        todo += children_of(pid)
        own, with_ended = _seconds(pid)
        ours += with_ended
        command = command_of(pid) or ""
        if "nginx" in command or "autopilot.loadgen" in command or command.startswith("wrk"):
            helpers += own
    return Use(busy_s=cpu.busy_s, steal_s=cpu.steal_s, total_s=cpu.total_s, ours_s=ours, helpers_s=helpers)


def share_between(before: Use, after: Use) -> Share:
    total = max(after.total_s - before.total_s, 1e-9)
    foreign = (after.busy_s - before.busy_s) - (after.ours_s - before.ours_s)
    return Share(
        foreign=max(0.0, foreign / total),
        steal=(after.steal_s - before.steal_s) / total,
        helpers=max(0.0, (after.helpers_s - before.helpers_s) / total),
    )


def mean_share(shares: Sequence[Share]) -> Share | None:
    """None of nothing."""
    if not shares:
        return None
    return Share(
        foreign=fmean(each.foreign for each in shares),
        steal=fmean(each.steal for each in shares),
        helpers=fmean(each.helpers for each in shares),
    )


def _seconds(pid: int) -> tuple[float, float]:
    """CPU of the process, and with what its ended children used; (0, 0) when it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return 0.0, 0.0
    user, system, ended_user, ended_system = (int(each) for each in text[text.rfind(b")") + 2 :].split()[11:15])
    return (user + system) / _TICKS, (user + system + ended_user + ended_system) / _TICKS


def cpu_ns(pid: int) -> int:
    """CPU time of the threads that it has now: of what ends none meanwhile."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with suppress(OSError):
            total += int(Path(f"/proc/{pid}/task/{thread}/schedstat").read_text(encoding="ascii").split()[0])
    return total
