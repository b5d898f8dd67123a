"""The manifests for autoscalers name what the operator writes and what a UwsgiApp has; their fields exist."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes.aio import client

from uwsgi_autopilot.api.crd import crd
from uwsgi_autopilot.controller.autoscalers import targets_of
from uwsgi_autopilot.controller.counters import AppMoment, Counters, Moment, page
from uwsgi_autopilot.controller.workqueue import Key
from uwsgi_autopilot.fleet.state import Autoscaler

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "examples/autoscaling"
METRIC = "uwsgi_autopilot_saturation"


def read(name: str) -> Any:
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))


def unknown(data: Any, model: str, path: str = "") -> list[str]:
    """Fields that the Kubernetes client's model of the API does not have, or of another type."""
    if match := re.fullmatch(r"List\[(.+)\]", model):
        return [each for number, item in enumerate(data) for each in unknown(item, match[1], f"{path}[{number}]")]
    if model.startswith("Dict[") or model == "object":
        return []
    if model in ("str", "int", "bool", "float"):
        return [] if type(data).__name__ == model else [f"{path}: {data!r} is no {model}"]
    kind = getattr(client, model)
    fields = {written: name for name, written in kind.attribute_map.items()}
    found = []
    for written, value in data.items():
        if written not in fields:
            found.append(f"{path}.{written}")
        else:
            found += unknown(value, kind.openapi_types[fields[written]], f"{path}.{written}")
    return found


def test_the_autoscaler_has_only_fields_that_the_api_has():
    assert unknown(read("hpa.yaml"), "V2HorizontalPodAutoscaler") == []


def test_the_check_finds_a_misspelt_field():
    body = read("hpa.yaml")
    body["spec"]["metrics"][0]["external"]["target"]["averagevalue"] = "1"
    body["spec"]["maxReplicas"] = "10"
    assert unknown(body, "V2HorizontalPodAutoscaler") == [
        ".spec.maxReplicas: '10' is no int",
        ".spec.metrics[0].external.target.averagevalue",
    ]


def test_what_it_scales_is_what_the_definition_says_and_what_the_operator_looks_for():
    version = crd()["spec"]["versions"][0]
    target = read("hpa.yaml")["spec"]["scaleTargetRef"]
    assert target["apiVersion"] == f"{crd()['spec']['group']}/{version['name']}"
    assert target["kind"] == crd()["spec"]["names"]["kind"]
    assert "scale" in version["subresources"]
    assert read("keda.yaml")["spec"]["scaleTargetRef"] == target
    body = read("hpa.yaml")
    body["metadata"]["namespace"] = "default"
    assert targets_of([body]) == {Key("default", "shop"): Autoscaler(name="shop", most=10)}


BUSY = AppMoment(pods=2, unreachable=0, reconciled=True, processes=2, threads=16, saturation=0.75)


def lines_of(*apps: Key) -> list[str]:
    moment = Moment(
        applications=dict.fromkeys(apps, BUSY), due=0, statuses_due=0, polls=0, poll_failures=0, incompatible=0,
        wrong_pods=0, rollouts={}, writes={}, events_dropped=0,
    )  # fmt: skip
    return [each for each in page(Counters(), moment).splitlines() if each.startswith(METRIC)]


def test_the_metric_has_the_labels_that_the_manifests_select():
    (line,) = lines_of(Key("default", "shop"))
    assert line == f'{METRIC}{{app="shop",namespace="default"}} 0.75'
    query = read("keda.yaml")["spec"]["triggers"][0]["metadata"]["query"]
    assert query == f'max({METRIC}{{namespace="default",app="shop"}})'
    metric = read("hpa.yaml")["spec"]["metrics"][0]["external"]["metric"]
    assert metric == {"name": METRIC, "selector": {"matchLabels": {"app": "shop"}}}
    (rule,) = read("prometheus-adapter.yaml")["rules"]["external"]
    assert rule["seriesQuery"] == f'{METRIC}{{namespace!="",app!=""}}'
    assert rule["resources"]["overrides"] == {"namespace": {"resource": "namespace"}}


def test_an_application_of_which_it_is_not_known_has_no_line():
    assert lines_of() == []


def test_keda_takes_silence_for_silence():
    """Its default takes an empty answer for 0, and would remove pods while the operator is away."""
    (trigger,) = read("keda.yaml")["spec"]["triggers"]
    assert trigger["metadata"]["ignoreNullValues"] == "false"
    assert set(trigger) == {"type", "metricType", "metadata"}
    assert all(isinstance(value, str) for value in trigger["metadata"].values()), "KEDA's metadata are strings"


@pytest.mark.parametrize("name", ["hpa.yaml", "keda.yaml"])
def test_both_want_the_same(name: str):
    spec = read(name)["spec"]
    assert (spec.get("minReplicas") or spec["minReplicaCount"]) == 2
    assert (spec.get("maxReplicas") or spec["maxReplicaCount"]) == 10


def test_a_vertical_autoscaler_names_the_application_and_containers_that_it_has():
    spec = read("vpa.yaml")["spec"]
    assert spec["targetRef"] == read("hpa.yaml")["spec"]["scaleTargetRef"]
    containers = {each["containerName"] for each in spec["resourcePolicy"]["containerPolicies"]}
    golden = yaml.safe_load_all((ROOT / "tests/chart/golden/default.yaml").read_text(encoding="utf-8"))
    (template,) = (each["template"] for each in golden if each and each["kind"] == "PodTemplate")
    assert containers <= {each["name"] for each in template["spec"]["containers"]}
