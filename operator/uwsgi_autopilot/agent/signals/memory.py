"""Memory: what is in use, what one more worker or master takes, and what is held until whoever has it ends."""

from typing import Any

from uwsgi_autopilot.agent.signals.collector import Collector, Window
from uwsgi_autopilot.api.headroom import Held, MemoryUse
from uwsgi_autopilot.kernel.cgroup import Cgroup
from uwsgi_autopilot.kernel.process import pss_bytes

PSS_SECONDS = 10.0
# How old a figure is at most when the next one is looked at: a cgroup is read at once, once a second.
CGROUP_SECONDS = 1.0


class Memory(Collector):
    """limit: bytes of a budget that the generations may use together; None: the cgroup's limit counts.

    worker_bytes: the worst seen of any worker; None: none was measured yet.

    The cgroup is looked at once for each Sample; `use` and `held` answer from that look, or from a `look_again`.
    """

    def __init__(self, cgroup: Cgroup, limit: int | None) -> None:
        self.cgroup, self.limit = cgroup, limit
        self.worker_bytes: int | None = None
        self.master_bytes: int | None = None
        self._pss: dict[int, int] = {}
        self._whole = False  # every process was measured
        self._next = 0.0
        self._turn = 0
        self._seen = cgroup.memory()

    def look_again(self) -> None:
        """At the cgroup, where no Sample is taken: nothing serves."""
        self._seen = self.cgroup.memory()

    def collect(self, window: Window) -> dict[str, Any]:
        self.look_again()
        self._measure_one(window)
        found = {
            "memory_bytes": self._used(),
            "memory_limit": self._limit(),
            "worker_bytes": self.worker_bytes,
            "master_bytes": self.master_bytes,
        }
        return {name: value for name, value in found.items() if value is not None}

    def use(self) -> MemoryUse | None:
        """For the arithmetic of a change; None: there is no limit, or nothing was measured yet."""
        limit, used = self._limit(), self._used()
        if limit is None or used is None or not self.worker_bytes:
            return None
        return MemoryUse(used=used, limit=limit, worker=self.worker_bytes, master=self.master_bytes or 0)

    def held(self) -> Held | None:
        """What cannot be had back while its owner lives, and the limit that is nearest: the cgroup's, where the kernel
        kills, or the budget's. None: there is no limit, or nothing was measured yet."""
        found = []
        limit, used = self._seen.limit, self._seen.held
        if limit is not None and used is not None:
            found.append(Held(used=used, limit=limit, age=CGROUP_SECONDS, of="cgroup"))
        if self.limit is not None and self._whole:
            found.append(Held(used=sum(self._pss.values()), limit=self.limit, age=PSS_SECONDS, of="budget"))
        return min(found, key=lambda each: each.limit - each.used, default=None)

    def _limit(self) -> int | None:
        return self.limit or self._seen.limit

    def _used(self) -> int | None:
        """Under a budget from the manifest, the generations' own PSS; otherwise what the cgroup counts."""
        if self.limit is None:
            return self._seen.usage
        return sum(self._pss.values()) if self._pss else None

    def _measure_one(self, window: Window) -> None:
        """One process at a time: the kernel walks all of its pages."""
        workers = window.running.pids
        masters = [each.instance.pid for each in window.running.all]
        if window.now < self._next and len(self._pss) >= len(workers):
            return
        self._pss = {pid: size for pid, size in self._pss.items() if pid in workers or pid in masters}
        missing = [pid for pid in (*masters, *workers) if pid not in self._pss]
        self._whole = not missing
        turn = missing or workers
        if not turn:
            return
        self._turn += 1
        pid = turn[self._turn % len(turn)]
        size = pss_bytes(pid)
        if size is not None:
            self._pss[pid] = size
            if pid in masters:
                self.master_bytes = size
            else:
                self.worker_bytes = max(self.worker_bytes or 0, size)
        if not missing:
            self._next = window.now + PSS_SECONDS / max(1, len(workers))
