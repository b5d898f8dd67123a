"""The page at /metrics, made from the agent's state."""

import time

from uwsgi_autopilot.agent.state import State
from uwsgi_autopilot.report.metrics import Page


def metrics_page(state: State) -> str:
    page = Page()
    told = state.told
    sample = state.samples[-1] if state.samples else None
    page.value("up", float(told.serving))
    page.value("ready", float(told.ready))
    if told.shape is not None:
        page.value("processes", told.shape.processes - told.parked)
        page.value("parked", told.parked)
        page.value("threads", told.shape.threads)
        page.value("processes_ceiling", told.ceiling)
    page.value("target_processes", told.target.processes)
    page.value("target_threads", told.target.threads)
    for name in ("swaps", "resizes", "restarts", "failed_starts", "recycles"):
        page.value(f"{name}_total", getattr(told.counts, name))
    page.value("refusals_total", told.counts.refused)
    if told.refused is not None:
        page.value("desired_refused", 1, {"reason": told.refused.reason.value})
    page.value("requests_total", told.requests_total)
    page.value("errors_total", state.errors_total)
    page.value("service_seconds_total", state.service_total)
    page.value("cpu_seconds_total", state.cpu_total)
    if sample is not None:
        page.value("queue_requests", sample.queue_mean)
        page.value("in_service_requests", sample.busy)
        page.value("memory_bytes", sample.memory_bytes)
        page.value("memory_limit_bytes", sample.memory_limit)
        page.value("worker_memory_bytes", sample.worker_bytes)
        page.value("cpu_throttled_seconds", sample.throttled_s)
        page.value("access_log_lost_ratio", sample.latency_lost)
        if sample.census is not None:
            for name in ("running", "io", "interpreter_lock", "application_lock", "idle"):
                page.value("threads_waiting", getattr(sample.census, name), {"on": name})
    page.histogram("request_duration_seconds", state.latency.items())
    page.histogram("upstream_duration_seconds", state.upstream.items())
    page.value("agent_cpu_seconds_total", time.process_time())
    return page.text()
