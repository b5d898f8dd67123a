"""Every metric of the agent: name, type, help text. Prometheus text format, base units."""

from collections.abc import Iterable, Mapping

from uwsgi_autopilot.report.histogram import GROWTH, upper_bound

PREFIX = "uwsgi_autopilot_"
# Buckets of the exposed histogram: every tenth of ours, so each bound is about twice the one before.
EXPOSED_STEP = 10
EXPOSED_LAST = 180

# name: (type, help). The one list: a name that is not here cannot be written.
METRICS: dict[str, tuple[str, str]] = {
    "up": ("gauge", "1 while a generation of uWSGI is serving, else 0."),
    "ready": ("gauge", "1 while requests are answered, else 0."),
    "processes": ("gauge", "Live uWSGI workers."),
    "parked": ("gauge", "Workers of the shape that are put away while the load does not need them."),
    "threads": ("gauge", "Threads of each worker."),
    "processes_ceiling": ("gauge", "Workers that the generation may have without being replaced."),
    "target_processes": ("gauge", "Processes of the shape that should be serving."),
    "target_threads": ("gauge", "Threads of the shape that should be serving."),
    "queue_requests": ("gauge", "Requests waiting in the kernel for a worker: the true accept queue."),
    "in_service_requests": ("gauge", "Requests in service: busy threads."),
    "requests_total": ("counter", "Requests that uWSGI finished."),
    "errors_total": ("counter", "Answers with status 500 and above, from nginx's log."),
    "service_seconds_total": ("counter", "Time spent in service by finished requests."),
    "cpu_seconds_total": ("counter", "CPU time of the workers."),
    "memory_bytes": ("gauge", "Memory in use that counts towards the limit."),
    "memory_limit_bytes": ("gauge", "Memory limit of the application."),
    "worker_memory_bytes": ("gauge", "The largest proportional set size of a worker seen so far."),
    "cpu_throttled_seconds": ("gauge", "Time in the last second that the CPU quota stopped the application."),
    "threads_waiting": ("gauge", "Threads in the last second by what they do: running, io, interpreter_lock, ..."),
    "swaps_total": ("counter", "Generations replaced by another, with overlap."),
    "resizes_total": ("counter", "Changes of the number of live workers."),
    "restarts_total": ("counter", "Generations that died and were started again."),
    "failed_starts_total": ("counter", "Generations that never accepted requests."),
    "recycles_total": ("counter", "Generations that the memory guard replaced, because the application leaks."),
    "refusals_total": ("counter", "Desired shapes that were refused or given up."),
    "desired_refused": ("gauge", "1 while the latest desired shape is refused; the reason is a label."),
    "request_duration_seconds": ("histogram", "Time from the first byte of a request at nginx to its answer, sampled."),
    "upstream_duration_seconds": ("histogram", "Time from nginx to uWSGI and back, queue included, sampled."),
    "access_log_lost_ratio": ("gauge", "Share of nginx's log lines that never arrived in the last second."),
    "agent_cpu_seconds_total": ("counter", "CPU time of the agent itself."),
}

Labels = Mapping[str, str]


class Page:
    """Collects lines; `text` is the page. `known`: the list of names that may be written."""

    def __init__(self, known: Mapping[str, tuple[str, str]] = METRICS) -> None:
        self._known = known
        self._lines: dict[str, list[str]] = {}

    def value(self, name: str, value: float | None, labels: Labels | None = None) -> None:
        """None is not zero: what cannot be seen has no line."""
        if value is None:
            return
        kept = self._lines.setdefault(name, [])
        kept.append(f"{PREFIX}{name}{_labels(labels or {})} {_number(value)}")

    def histogram(self, name: str, counts: Iterable[tuple[int, int]]) -> None:
        """counts: (bucket of report/histogram.py, count)."""
        found = sorted(counts)
        total = sum(count for _, count in found)
        # The middle of each bucket stands for its requests: right within 3.5 %.
        seconds = sum(upper_bound(bucket) / GROWTH**0.5 * count for bucket, count in found)
        lines = self._lines.setdefault(name, [])
        for last in range(0, EXPOSED_LAST + 1, EXPOSED_STEP):
            below = sum(count for bucket, count in found if bucket <= last)
            lines.append(f'{PREFIX}{name}_bucket{{le="{upper_bound(last):.6g}"}} {below}')
        lines.append(f'{PREFIX}{name}_bucket{{le="+Inf"}} {total}')
        lines.append(f"{PREFIX}{name}_sum {_number(seconds)}")
        lines.append(f"{PREFIX}{name}_count {total}")

    def text(self) -> str:
        out: list[str] = []
        for name, lines in self._lines.items():
            kind, help_text = self._known[name]
            out.append(f"# HELP {PREFIX}{name} {help_text}")
            out.append(f"# TYPE {PREFIX}{name} {kind}")
            out += lines
        return "\n".join(out) + "\n"


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    told = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{told}}}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _number(value: float) -> str:
    return f"{value:.10g}"
