"""What the operator counts, and its page. The names are in report/operatormetrics.py."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from uwsgi_autopilot.controller.workqueue import Key
from uwsgi_autopilot.report.metrics import Page
from uwsgi_autopilot.report.operatormetrics import OPERATOR_METRICS

PAGE_BYTES = 4096


@dataclass(slots=True)
class Counters:
    """Updated by the parts as they work. loop_lag: of the runners' last turn, seconds."""

    reconciles: dict[str, int] = field(default_factory=dict)
    reconcile_seconds: float = 0.0
    decisions: dict[tuple[str, str], int] = field(default_factory=dict)
    loop_lag: float = 0.0
    tuning_errors: int = 0

    def reconciled(self, result: str, seconds: float) -> None:
        self.reconciles[result] = self.reconciles.get(result, 0) + 1
        self.reconcile_seconds += seconds

    def decision(self, kind: str, reason: str) -> None:
        self.decisions[kind, reason] = self.decisions.get((kind, reason), 0) + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What other parts count or hold at the moment of the page."""

    applications: int
    pods: int
    due: int
    statuses_due: int
    unreachable: int
    polls: int
    poll_failures: int
    incompatible: int
    wrong_pods: int
    writes: dict[tuple[str, str], int]
    events_dropped: int
    saturations: Mapping[Key, float]


def page(counters: Counters, now: Moment) -> str:
    """Of the operator that leads."""
    out = Page(OPERATOR_METRICS)
    out.value("operator_leader", 1)
    out.value("operator_applications", now.applications)
    out.value("operator_pods", now.pods)
    for result in ("ok", "refused", "failed"):
        out.value("operator_reconciles_total", counters.reconciles.get(result, 0), {"result": result})
    out.value("operator_reconcile_seconds_total", counters.reconcile_seconds)
    out.value("operator_due", now.due, {"lane": "spec"})
    out.value("operator_due", now.statuses_due, {"lane": "status"})
    for (kind, reason), count in sorted(counters.decisions.items()):
        out.value("operator_decisions_total", count, {"kind": kind, "reason": reason})
    out.value("operator_agents_unreachable", now.unreachable)
    out.value(
        "operator_polls_total", now.polls - now.poll_failures - now.incompatible - now.wrong_pods, {"result": "ok"}
    )
    out.value("operator_polls_total", now.poll_failures, {"result": "failed"})
    out.value("operator_polls_total", now.incompatible, {"result": "incompatible"})
    out.value("operator_polls_total", now.wrong_pods, {"result": "other_pod"})
    out.value("operator_loop_lag_seconds", counters.loop_lag)
    for (verb, kind), count in sorted(now.writes.items()):
        out.value("operator_writes_total", count, {"verb": verb, "kind": kind})
    out.value("operator_events_dropped_total", now.events_dropped)
    out.value("operator_tuning_errors_total", counters.tuning_errors)
    for key, value in sorted(now.saturations.items()):
        out.value("saturation", value, {"namespace": key.namespace, "app": key.name})
    _own(out)
    return out.text()


def page_of_follower() -> str:
    out = Page(OPERATOR_METRICS)
    out.value("operator_leader", 0)
    _own(out)
    return out.text()


def _own(out: Page) -> None:
    out.value("operator_cpu_seconds_total", time.process_time())
    out.value("operator_memory_bytes", resident_bytes())


def resident_bytes() -> int | None:
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES
    except (OSError, ValueError, IndexError):
        return None
