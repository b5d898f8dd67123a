"""What some values add: monitors, a network policy, a first application."""

from typing import Any

from tests.chart.helm import NAMESPACE, Object
from uwsgi_autopilot.resources.labels import object_labels

PROMETHEUS = ["monitoring.coreos.com/v1"]


def of_kind(objects: list[Object], kind: str) -> list[Object]:
    return [each for each in objects if each["kind"] == kind]


def test_monitors_for_the_operator_and_for_applications(render: Any) -> None:
    objects = render({"monitoring": {"podMonitor": {"enabled": True, "labels": {"release": "p"}}}}, apis=PROMETHEUS)
    operator, apps = of_kind(objects, "PodMonitor")
    # Autoscalers select uwsgi_autopilot_saturation by its own namespace label, not by that of the operator's pod.
    assert operator["spec"]["podMetricsEndpoints"] == [{"port": "metrics", "honorLabels": True, "interval": "15s"}]
    assert apps["spec"]["namespaceSelector"] == {"any": True}
    assert apps["spec"]["podMetricsEndpoints"] == [{"port": "agent", "interval": "15s"}]
    assert {each["metadata"]["labels"]["release"] for each in (operator, apps)} == {"p"}


def apps_of(objects: list[Object]) -> list[Object]:
    return [each for each in of_kind(objects, "NetworkPolicy") if each["metadata"]["name"].endswith("-apps")]


def test_a_network_policy_for_each_namespace(render: Any) -> None:
    monitoring = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    values = {"networkPolicy": {"enabled": True, "namespaces": ["blog", "shop"], "metricsFrom": [monitoring]}}
    policies = apps_of(render(values))
    assert [each["metadata"]["namespace"] for each in policies] == ["blog", "shop"]
    clients, readers = policies[0]["spec"]["ingress"]
    assert clients == {"ports": [{"port": "http", "protocol": "TCP"}]}
    assert readers["ports"] == [{"port": "agent", "protocol": "TCP"}]
    assert readers["from"][0]["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": NAMESPACE}
    assert readers["from"][1] == monitoring


def test_without_a_namespace_the_policy_is_the_releases_own(render: Any) -> None:
    (policy,) = apps_of(render({"networkPolicy": {"enabled": True}}))
    assert policy["metadata"]["namespace"] == NAMESPACE


def test_the_operator_reaches_agents_dns_and_the_api_server_and_is_read_by_whoever_reads_metrics(render: Any) -> None:
    monitoring = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    objects = render({"networkPolicy": {"enabled": True, "metricsFrom": [monitoring], "apiServerPorts": [8443]}})
    (policy,) = (each for each in of_kind(objects, "NetworkPolicy") if each not in apps_of(objects))
    (operator,) = of_kind(objects, "Deployment")
    (test,) = of_kind(objects, "Pod")
    spec = policy["spec"]
    labels = operator["spec"]["template"]["metadata"]["labels"]
    assert spec["podSelector"]["matchLabels"].items() <= labels.items()
    (read,) = spec["ingress"]
    assert read["from"][0]["podSelector"]["matchLabels"].items() <= test["metadata"]["labels"].items()
    assert read["from"][1] == monitoring
    api_server, dns, agents = spec["egress"]
    assert [each["port"] for each in api_server["ports"]] == [8443]
    assert {each["protocol"] for each in dns["ports"]} == {"UDP", "TCP"}
    (template,) = of_kind(objects, "PodTemplate")
    ports = [port for each in template["template"]["spec"]["containers"] for port in each["ports"]]
    (agent,) = (each for each in ports if each["name"] == "agent")
    assert [each["port"] for each in agents["ports"]] == [agent["containerPort"]]
    assert agents["to"][0]["podSelector"]["matchLabels"].items() <= object_labels("shop").items()


def test_the_first_application_outlives_the_chart(render: Any, defaults: list[Object]) -> None:
    assert of_kind(defaults, "UwsgiApp") == []
    (app,) = of_kind(render({"firstApp": {"enabled": True}}), "UwsgiApp")
    assert app["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert app["spec"]["module"] == "wsgi:app"


def test_the_definition_is_no_template(render: Any) -> None:
    """Helm deletes what it templates: with the definition every application would go."""
    assert of_kind(render({"firstApp": {"enabled": True}}), "CustomResourceDefinition") == []
