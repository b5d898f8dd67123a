"""The operator's page as Prometheus reads it."""

from dataclasses import replace
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from uwsgi_autopilot.controller.counters import RESULTS, AppMoment, Counters, Moment, page, page_of_follower
from uwsgi_autopilot.controller.workqueue import Key
from uwsgi_autopilot.report.metrics import PREFIX
from uwsgi_autopilot.report.operatormetrics import OPERATOR_METRICS

SHOP, BLOG = Key("team", "shop"), Key("other", "blog")
SERVED = AppMoment(pods=3, unreachable=1, reconciled=True, processes=2, threads=32, saturation=0.75)
NEW = AppMoment(pods=0, unreachable=0, reconciled=None, processes=None, threads=None, saturation=None)
NOW = Moment(
    applications={SHOP: SERVED, BLOG: NEW}, due=1, statuses_due=2, polls=10, poll_failures=1, incompatible=2,
    wrong_pods=3, rollouts={"waiting": 3, "held": 1}, writes={("apply", "Deployment"): 4}, events_dropped=0,
)  # fmt: skip


def read(text: str) -> dict[str, list[tuple[dict[str, str], float]]]:
    """name of a sample, without the prefix -> (labels, value) of each"""
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name.removeprefix(PREFIX), []).append((sample.labels, sample.value))
    return found


def counted() -> Counters:
    counters = Counters()
    counters.reconciled("ok", 0.004)
    counters.reconciled("ok", 0.3)
    counters.reconciled("failed", 100.0)
    counters.decision(SHOP, "promote", "FirstJump")
    counters.decision(SHOP, "promote", "FirstJump")
    return counters


def test_every_metric_of_the_list_is_there_with_its_type_and_no_other() -> None:
    families = {each.name: each for each in text_string_to_metric_families(page(counted(), NOW))}
    expected = {PREFIX + name.removesuffix("_total"): kind for name, (kind, _) in OPERATOR_METRICS.items()}
    assert {name: each.type for name, each in families.items()} == expected
    assert all(each.documentation for each in families.values())


def test_times_of_reconciles_are_a_histogram_by_result() -> None:
    samples = read(page(counted(), NOW))
    counts = {labels["result"]: value for labels, value in samples["operator_reconcile_seconds_count"]}
    assert counts == {"ok": 2, "refused": 0, "failed": 1}, "0 and not absent, for alerts"
    assert set(counts) == set(RESULTS)
    below = {
        labels["le"]: value
        for labels, value in samples["operator_reconcile_seconds_bucket"]
        if labels["result"] == "ok"
    }
    assert (below["0.005"], below["0.25"], below["0.5"], below["+Inf"]) == (1, 1, 2, 2)
    sums = {labels["result"]: value for labels, value in samples["operator_reconcile_seconds_sum"]}
    assert sums["ok"] == 0.304


def test_each_application_has_its_own_series_and_what_is_not_known_has_none() -> None:
    samples = read(page(counted(), NOW))
    shop = {"namespace": "team", "app": "shop"}
    assert (shop, 3.0) in samples["operator_application_pods"]
    for name, value in (("agents_unreachable", 1), ("reconciled", 1), ("processes", 2), ("threads", 32)):
        assert dict(read_one(samples, f"operator_application_{name}")) == {("team", "shop"): value} | (
            {("other", "blog"): 0} if name == "agents_unreachable" else {}
        )
    assert samples["operator_decisions_total"] == [({**shop, "kind": "promote", "reason": "FirstJump"}, 2)]
    assert samples["operator_pods"] == [({}, 3)]
    assert samples["operator_agents_unreachable"] == [({}, 1)]


def read_one(samples: dict[str, Any], name: str) -> list[tuple[tuple[str, str], float]]:
    return [((labels["namespace"], labels["app"]), value) for labels, value in samples[name]]


def test_an_application_that_is_gone_takes_its_series_along() -> None:
    counters = counted()
    samples = read(page(counters, replace(NOW, applications={BLOG: NEW})))
    assert [labels for rows in samples.values() for labels, _ in rows if labels.get("app") == "shop"] == []
    assert counters.decisions == {}, "nor is it kept"


def test_polls_are_divided_by_what_came_of_them() -> None:
    rows = read(page(counted(), NOW))["operator_polls_total"]
    assert {labels["result"]: value for labels, value in rows} == {
        "ok": 4, "failed": 1, "incompatible": 2, "other_pod": 3,
    }  # fmt: skip


def test_one_that_waits_has_no_figures_but_its_own() -> None:
    samples = read(page_of_follower())
    assert samples.keys() == {"operator_leader", "operator_cpu_seconds_total", "operator_memory_bytes"}
    assert samples["operator_leader"] == [({}, 0)]
    assert read(page(counted(), NOW))["operator_leader"] == [({}, 1)]
