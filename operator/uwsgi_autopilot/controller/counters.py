"""What the operator counts, and its page for Prometheus. The names are in report/operatormetrics.py."""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client import CollectorRegistry, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from uwsgi_autopilot.controller.workqueue import Key
from uwsgi_autopilot.report.metrics import PREFIX
from uwsgi_autopilot.report.operatormetrics import OPERATOR_METRICS

PAGE_BYTES = 4096
RESULTS = ("ok", "refused", "failed")
# Seconds. One that changes nothing takes a few milliseconds; every request to the API server may take 30 s.
RECONCILE_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

# A time of birth for each series, which doubles them.
disable_created_metrics()  # type: ignore[no-untyped-call]


def _reconcile_seconds() -> Histogram:
    name = "operator_reconcile_seconds"
    made = Histogram(PREFIX + name, OPERATOR_METRICS[name][1], ["result"], buckets=RECONCILE_BUCKETS, registry=None)
    for result in RESULTS:
        made.labels(result)  # 0 and not absent, for alerts
    return made


@dataclass(slots=True)
class Counters:
    """Updated by the parts as they work. decisions: by application, kind and reason. loop_lag: of the runners' last
    turn, seconds."""

    reconcile_seconds: Histogram = field(default_factory=_reconcile_seconds)
    decisions: dict[tuple[Key, str, str], int] = field(default_factory=dict)
    loop_lag: float = 0.0
    tuning_errors: int = 0

    def reconciled(self, result: str, seconds: float) -> None:
        self.reconcile_seconds.labels(result).observe(seconds)

    def decision(self, key: Key, kind: str, reason: str) -> None:
        self.decisions[key, kind, reason] = self.decisions.get((key, kind, reason), 0) + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class AppMoment:
    """One application. reconciled: are its objects what its manifest asks for? None: not looked at yet. processes,
    threads: the promoted shape's; None: no shape was promoted. saturation: of its pods; None: not known."""

    pods: int
    unreachable: int
    reconciled: bool | None
    processes: int | None
    threads: int | None
    saturation: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What other parts count or hold at the moment of the page."""

    applications: Mapping[Key, AppMoment]
    due: int
    statuses_due: int
    polls: int
    poll_failures: int
    incompatible: int
    wrong_pods: int
    rollouts: Mapping[str, int]
    writes: Mapping[tuple[str, str], int]
    events_dropped: int


Row = tuple[Mapping[str, str], float | None]


def page(counters: Counters, now: Moment) -> str:
    """Of the operator that leads. What is counted of an application goes with it."""
    for gone in {key for key, _, _ in counters.decisions} - now.applications.keys():
        counters.decisions = {what: count for what, count in counters.decisions.items() if what[0] != gone}
    return _text([*_of_all(counters, now), *_of_each(counters, now.applications), *_own(leads=True)])


def page_of_follower() -> str:
    return _text(_own(leads=False))


def _of_all(counters: Counters, now: Moment) -> Iterator[Metric]:
    apps = now.applications.values()
    asked = {"failed": now.poll_failures, "incompatible": now.incompatible, "other_pod": now.wrong_pods}
    polls = {"ok": now.polls - sum(asked.values()), **asked}
    yield _family("operator_applications", [({}, len(apps))])
    yield _family("operator_pods", [({}, sum(each.pods for each in apps))])
    yield from counters.reconcile_seconds.collect()
    yield _family("operator_due", [({"lane": "spec"}, now.due), ({"lane": "status"}, now.statuses_due)])
    yield _family("operator_agents_unreachable", [({}, sum(each.unreachable for each in apps))])
    yield _family("operator_polls_total", [({"result": result}, count) for result, count in polls.items()])
    yield _family("operator_loop_lag_seconds", [({}, counters.loop_lag)])
    states = [({"state": state}, count) for state, count in now.rollouts.items()]
    yield _family("operator_template_rollout", states)
    writes = sorted(now.writes.items())
    yield _family("operator_writes_total", [({"verb": verb, "kind": kind}, count) for (verb, kind), count in writes])
    yield _family("operator_events_dropped_total", [({}, now.events_dropped)])
    yield _family("operator_tuning_errors_total", [({}, counters.tuning_errors)])


def _of_each(counters: Counters, apps: Mapping[Key, AppMoment]) -> Iterator[Metric]:
    named = [({"namespace": key.namespace, "app": key.name}, each) for key, each in sorted(apps.items())]
    yield _family("operator_application_pods", [(labels, each.pods) for labels, each in named])
    yield _family("operator_application_agents_unreachable", [(labels, each.unreachable) for labels, each in named])
    yield _family("operator_application_reconciled", [(labels, each.reconciled) for labels, each in named])
    yield _family("operator_application_processes", [(labels, each.processes) for labels, each in named])
    yield _family("operator_application_threads", [(labels, each.threads) for labels, each in named])
    yield _family("saturation", [(labels, each.saturation) for labels, each in named])
    yield _family(
        "operator_decisions_total",
        [
            ({"namespace": key.namespace, "app": key.name, "kind": kind, "reason": reason}, count)
            for (key, kind, reason), count in sorted(counters.decisions.items())
        ],
    )


def _own(*, leads: bool) -> Iterator[Metric]:
    yield _family("operator_leader", [({}, leads)])
    yield _family("operator_cpu_seconds_total", [({}, time.process_time())])
    yield _family("operator_memory_bytes", [({}, resident_bytes())])


def _family(name: str, rows: Iterable[Row]) -> Metric:
    """None is not zero: what cannot be seen has no line."""
    kind, help_text = OPERATOR_METRICS[name]
    made = (CounterMetricFamily if kind == "counter" else GaugeMetricFamily)(PREFIX + name, help_text)
    for labels, value in rows:
        if value is not None:
            made.add_sample(PREFIX + name, dict(labels), float(value))
    return made


class _Families(CollectorRegistry):
    """What the library writes as text: these, and nothing that is registered anywhere."""

    def __init__(self, families: Iterable[Metric]) -> None:
        super().__init__()
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        return self._families


def _text(families: Iterable[Metric]) -> str:
    return generate_latest(_Families(families)).decode()


def resident_bytes() -> int | None:
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES
    except (OSError, ValueError, IndexError):
        return None
