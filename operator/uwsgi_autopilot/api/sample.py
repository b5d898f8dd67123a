"""What one pod did in about one second: all that the tuner ever sees.

The agent makes one Sample a second (agent/observe.py) and serves them as JSON; the operator and
local mode read them back. The simulator and the tests make their own.
"""

from dataclasses import asdict, dataclass, fields
from typing import Any

from uwsgi_autopilot.api.shape import Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Census:
    """Mean number of threads of the live workers in each class, over the looks taken in this second.

    running: on a CPU or ready for one. io: asleep in a system call that is no lock: poll, recv, nanosleep, ...
    interpreter_lock: waiting for the GIL. application_lock: waiting for another lock, such as a connection pool's.
    idle: waiting for a request. Scaled up when only some of the threads were looked at; `looks` counts thread looks.
    """

    running: float
    io: float
    interpreter_lock: float
    application_lock: float
    idle: float
    looks: int

    @property
    def busy(self) -> float:
        return self.running + self.io + self.interpreter_lock + self.application_lock


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Amounts are sums over `seconds` and include nothing from other windows.

    seq: grows by one each sample; the cursor of /v1/state?since=. at: seconds on a clock that only grows.
    shape: workers, live or put away, and threads at the end of the window. settled: nothing was changing in the window.
    parked: workers of the shape that were put away in the window, so that it says nothing about the whole shape.
    requests: finished requests. errors: answers with 5xx and upstream timeouts, as far as nginx's log shows them.
    queue_mean, queue_max: requests that wait in the kernel for a worker; None where it cannot be seen.
    busy: mean number of requests in service. service_s: seconds spent in service by the finished requests
    (uWSGI's running_time: credited at the end of a request).
    cpu_s: CPU seconds of the workers. worker_cpu: the busiest worker's CPU cores (1.0 = bound by its interpreter
    lock). runqueue_s: seconds that worker threads were ready but waited for a CPU; None where it cannot be seen.
    throttled_s: seconds the cgroup's quota stopped us. foreign_cpu: of the cores that the application may use, those
    used by others than it, nginx and the agent. steal: share of the machine's CPU time that the hypervisor took.
    cores: CPU cores the application may use. oldest_s: age of the oldest request in service.
    memory_bytes: what the application uses of memory_limit. worker_bytes: the worst PSS of a worker seen so far;
    master_bytes: PSS of a master, which a swap has twice.
    """

    seq: int
    at: float
    seconds: float
    generation: int
    shape: Shape
    settled: bool
    requests: float
    parked: int = 0
    errors: float = 0.0
    queue_mean: float | None = None
    queue_max: int | None = None
    busy: float = 0.0
    service_s: float = 0.0
    cpu_s: float = 0.0
    worker_cpu: float = 0.0
    runqueue_s: float | None = None
    throttled_s: float = 0.0
    foreign_cpu: float = 0.0
    steal: float = 0.0
    cores: float = 1.0
    oldest_s: float = 0.0
    memory_bytes: int | None = None
    memory_limit: int | None = None
    worker_bytes: int | None = None
    master_bytes: int | None = None
    census: Census | None = None
    latency: tuple[tuple[int, int], ...] = ()  # (bucket, count) of nginx's request times, report/histogram.py
    upstream: tuple[tuple[int, int], ...] = ()  # the same for the time between nginx and uWSGI
    latency_lost: float = 0.0  # share of the log's datagrams that never arrived, 0..1

    @property
    def inside(self) -> float:
        """Requests in the pod, in service and queued; those that wait count as none where the queue cannot be seen."""
        return self.busy + (self.queue_mean or 0.0)

    def to_json(self) -> dict[str, Any]:
        # Not asdict(), which copies each part of each value: 0.4 ms, once a second.
        data = {name: getattr(self, name) for name in _NAMES}
        data["shape"] = self.shape.to_json()
        data["census"] = None if self.census is None else asdict(self.census)
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any], *, later: float = 0.0, **instead: Any) -> "Sample":
        """Drops unknown fields, so that an older reader understands a newer agent. Raises on missing ones.

        later: seconds added to `at`. instead: values for fields as they are in `data`, in place of what it has. An
        operator with 3,000 pods reads as many of these a second.
        """
        kept = {name: value for name, value in data.items() if name in _KNOWN}
        kept.update(instead)
        kept["shape"] = Shape.from_json(kept["shape"])
        kept["at"] += later
        census = kept.get("census")
        if census is not None:
            kept["census"] = Census(**{name: value for name, value in census.items() if name in _KNOWN_OF_CENSUS})
        for name in ("latency", "upstream"):
            found = kept.get(name)
            kept[name] = tuple((int(bucket), int(count)) for bucket, count in found) if found else ()
        return cls(**kept)


_NAMES = tuple(each.name for each in fields(Sample))
_KNOWN = frozenset(_NAMES)
_KNOWN_OF_CENSUS = frozenset(each.name for each in fields(Census))
