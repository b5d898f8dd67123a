"""CPU: of the workers, and of the machine around them."""

import os
import time
from typing import Any

from uwsgi_autopilot.agent.signals.collector import Collector, Growth, Window
from uwsgi_autopilot.kernel.cgroup import Cgroup, usable_cores
from uwsgi_autopilot.kernel.process import MachineCpu, cpu_seconds, machine_cpu, runqueue_seconds

# schedstat of one thread costs about 0.02 ms.
SCHEDSTAT_THREADS = 64


class WorkerCpu(Collector):
    def __init__(self) -> None:
        self._cpu, self._runqueue = Growth(), Growth()

    def collect(self, window: Window) -> dict[str, Any]:
        pids = window.running.pids
        busiest, runqueue_seen = 0.0, True
        threads_each = max(1, SCHEDSTAT_THREADS // max(1, len(pids)))
        for pid in pids:
            used = cpu_seconds(pid)
            if used is None:
                continue
            # The first figure of a worker includes its start-up, which is no sign of load.
            known = self._cpu.knows(pid)
            grown = self._cpu.saw(pid, used)
            busiest = max(busiest, grown if known else 0.0)
            waited = runqueue_seconds(pid, threads_each)
            runqueue_seen = waited is not None
            if waited is not None:
                self._runqueue.saw(pid, waited)
        for growth in (self._cpu, self._runqueue):
            growth.forget_all_but(set(pids))
        found = {"cpu_s": self._cpu.take(), "worker_cpu": busiest / window.seconds}
        runqueue = self._runqueue.take()
        return found | {"runqueue_s": runqueue} if runqueue_seen else found


class Machine(Collector):
    """cores: how many the application may use, where that is configured; None: what the cgroup and the affinity give.

    Must come after WorkerCpu, whose cpu_s is not foreign; nor is the CPU of the agent itself, which has more to look at
    the more threads there are.
    """

    def __init__(self, cgroup: Cgroup, cores: float | None) -> None:
        self.cgroup, self.cores = cgroup, cores
        self._machine: MachineCpu | None = None
        self._throttled: float | None = None
        self._own = 0.0

    def collect(self, window: Window) -> dict[str, Any]:
        cores = usable_cores(self.cores or self.cgroup.cpu_quota())
        found: dict[str, Any] = {"cores": cores}
        throttled, before = self.cgroup.throttled_seconds(), self._throttled
        self._throttled = throttled
        if throttled is not None and before is not None:
            found["throttled_s"] = max(0.0, throttled - before)
        machine, earlier = machine_cpu(), self._machine
        own, own_before = time.process_time(), self._own
        self._machine, self._own = machine, own
        if machine is not None and earlier is not None:
            total = max(1e-9, machine.total_s - earlier.total_s)
            ours = window.fields.get("cpu_s", 0.0) + own - own_before
            others = machine.busy_s - earlier.busy_s - ours
            found["foreign_cpu"] = felt(max(0.0, others) / window.seconds, cores)
            found["steal"] = (machine.steal_s - earlier.steal_s) / total
        return found


def felt(foreign: float, cores: float, machine: float | None = None) -> float:
    """How many of the application's `cores` others take when they use `foreign` cores of the machine.

    They are taken to use first what we may not: with a limit of 1 core on a node of 64, neighbours that use 10 are not
    felt.
    """
    return max(0.0, foreign - max(0.0, (machine or os.cpu_count() or 1) - cores))
