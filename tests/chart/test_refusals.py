"""What Helm refuses, and with which words: by the schema, and by validate.yaml where values contradict each other."""

from typing import Any

import pytest

from tests.chart.helm import ChartError


@pytest.mark.parametrize(
    ("values", "says"),
    [
        pytest.param({"operater": {}}, ["operater"], id="a component misspelt"),
        pytest.param({"pod": {"nginx": {"stopDelay": 5}}}, ["/pod/nginx", "stopDelay"], id="a value misspelt"),
        pytest.param({"pod": {"app": {"startupSeconds": "5m"}}}, ["startupSeconds"], id="a text for a number"),
        pytest.param({"pod": {"nginx": {"stopDelaySeconds": 0}}}, ["stopDelaySeconds"], id="no delay at all"),
        pytest.param({"operator": {"watchNamespaces": "shop"}}, ["watchNamespaces"], id="a text for a list"),
        pytest.param({"operator": {"watchNamespaces": ["Shop"]}}, ["watchNamespaces"], id="no namespace's name"),
        pytest.param({"operator": {"image": {"pullPolicy": "always"}}}, ["pullPolicy"], id="an unknown pull policy"),
        pytest.param({"operator": {"image": {"digest": "0123"}}}, ["digest"], id="half a digest"),
        pytest.param({"operator": {"resources": {"limit": {}}}}, ["limit"], id="limits in the singular"),
        pytest.param({"pod": {"labels": {"tier": 1}}}, ["/pod/labels/tier"], id="a label that is a number"),
        pytest.param({"pod": {"volumes": {"tmpSize": "1GB"}}}, ["tmpSize"], id="a size of another world"),
        pytest.param({"rollout": {"maxSurge": "a few"}}, ["maxSurge"], id="a share in words"),
        pytest.param({"rollout": {"maxSurge": -1}}, ["maxSurge"], id="fewer than no pods"),
        pytest.param({"crds": {"upgrade": "yes"}}, ["upgrade"], id="a text for a truth value"),
        pytest.param({"firstApp": {"name": "Hello"}}, ["/firstApp/name"], id="a name with capitals"),
        pytest.param({"monitoring": {"podMonitor": {"interval": "15"}}}, ["interval"], id="a time without a unit"),
        pytest.param({"pod": {"agent": {"image": {"tag": 1.5}}}}, ["tag"], id="a tag that YAML reads as a number"),
    ],
)
def test_the_schema_refuses(render: Any, values: dict[str, Any], says: list[str]) -> None:
    with pytest.raises(ChartError) as caught:
        render(values)
    for word in says:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        pytest.param(
            {"operator": {"serviceAccount": {"create": False}}},
            ["operator.serviceAccount.create", "operator.serviceAccount.name"],
            id="no ServiceAccount at all",
        ),
        pytest.param(
            {"operator": {"watchNamespaces": ["shop"]}, "firstApp": {"enabled": True}},
            ["firstApp.enabled", "operator.watchNamespaces", "autopilot-system"],
            id="a first application that nobody looks after",
        ),
        pytest.param(
            {"scope": "Cluster", "firstApp": {"enabled": True}},
            ["firstApp.enabled", "scope is Cluster"],
            id="a first application without an operator",
        ),
        pytest.param(
            {"rollout": {"maxUnavailable": "0%", "maxSurge": 0}},
            ["rollout.maxUnavailable", "rollout.maxSurge"],
            id="a rollout that cannot begin",
        ),
        pytest.param(
            {"monitoring": {"podMonitor": {"enabled": True}}},
            ["monitoring.podMonitor.enabled", "monitoring.coreos.com/v1"],
            id="monitors without the Prometheus operator",
        ),
        pytest.param(
            {"rollout": {"minReadySeconds": 600}},
            ["rollout.progressDeadlineSeconds", "rollout.minReadySeconds"],
            id="a rollout that ends before it may",
        ),
        pytest.param(
            {"disruption": {"maxUnavailable": "0%"}}, ["disruption.maxUnavailable"], id="no node to be emptied"
        ),
        pytest.param({"fullnameOverride": "1shop"}, ["1shop", "fullnameOverride"], id="no name of a Service"),
        pytest.param({"pod": {"nginx": {"image": {"tag": ""}}}}, ["pod.nginx.image"], id="an image of no version"),
        pytest.param(
            {"operator": {"image": {"tag": "latest"}}}, ["operator.image.tag"], id="an operator of any version"
        ),
        pytest.param(
            {"pod": {"agent": {"image": {"tag": "latest"}}}}, ["pod.agent.image.tag"], id="an agent of any version"
        ),
    ],
)
def test_a_contradiction_is_named(render: Any, values: dict[str, Any], says: list[str]) -> None:
    with pytest.raises(ChartError) as caught:
        render(values)
    for word in says:
        assert word in str(caught.value)


def test_what_is_nearly_a_contradiction_is_none(render: Any) -> None:
    render({"operator": {"serviceAccount": {"create": False, "name": "mine"}}})
    render({"operator": {"watchNamespaces": ["autopilot-system"]}, "firstApp": {"enabled": True}})
    render({"rollout": {"maxUnavailable": 1, "maxSurge": 0}})
