"""What a cluster gets for a UwsgiApp. golden/*.yaml show it whole: run with UPDATE_GOLDEN=1 to write them again, and
read the difference."""

import os
from copy import deepcopy
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.resources.making import SETTINGS, SKELETONS, TEMPLATE, app, named, objects, pod_of
from uwsgi_autopilot.api.desired import UNVERSIONED, DesiredShape, Version, parse_desired
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.errors import SpecError, TemplateError
from uwsgi_autopilot.resources.objects import desired

HERE = Path(__file__).parent
MANIFESTS = HERE.parent / "api"


@pytest.mark.parametrize("name", ["full", "smallest"])
def test_the_objects_of_a_manifest(name):
    spec = yaml.safe_load((MANIFESTS / f"{name}.yaml").read_text(encoding="utf-8"))["spec"]
    made = yaml.safe_dump_all(objects(**spec).values(), sort_keys=False, width=120)
    golden = HERE / "golden" / f"{name}.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(made, encoding="utf-8")
    assert made == golden.read_text(encoding="utf-8")


def test_every_object_is_the_applications_own():
    for kind, each in objects().items():
        assert each["metadata"]["namespace"] == "team", kind
        assert (
            each["metadata"]["labels"].items()
            >= {
                "app.kubernetes.io/managed-by": "uwsgi-autopilot",
                "uwsgi-autopilot.dev/app": "shop",
            }.items()
        ), kind
        owner = each["metadata"]["ownerReferences"]
        assert [(one["kind"], one["uid"], one["controller"]) for one in owner] == [("UwsgiApp", "u-1", True)], kind


def test_selectors_find_the_pods():
    made = objects(template={"metadata": {"labels": {"tier": "front"}}})
    labels = made["Deployment"]["spec"]["template"]["metadata"]["labels"]
    for selector in (
        made["Deployment"]["spec"]["selector"]["matchLabels"],
        made["Service"]["spec"]["selector"],
        made["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
    ):
        assert selector.items() <= labels.items()
        assert "tier" not in selector, "a selector that follows a person's labels could never change again"


@pytest.mark.parametrize("replicas", [None, 0, 5])
def test_replicas_are_never_in_what_is_applied(replicas):
    spec = {} if replicas is None else {"replicas": replicas}
    assert "replicas" not in objects(**spec)["Deployment"]["spec"]


def test_the_service_has_one_port_whatever_the_skeleton_says():
    ports = objects(service={"type": "NodePort", "port": 8000, "nodePort": 30088})["Service"]["spec"]["ports"]
    assert ports == [
        {
            "name": "http",
            "port": 8000,
            "targetPort": "http",
            "protocol": "TCP",
            "appProtocol": "http",
            "nodePort": 30088,
        }
    ]


def test_labels_and_annotations_for_all_are_on_each_object_and_on_the_pods():
    common = {"labels": {"team": "web", "app.kubernetes.io/name": "other"}, "annotations": {"note": "all"}}
    made = objects(commonMetadata=common, service={"annotations": {"note": "service"}, "labels": {"team": "edge"}})
    of = {kind: made[kind]["metadata"] for kind in ("Deployment", "Service", "ServiceAccount", "PodDisruptionBudget")}
    of["pod"] = made["Deployment"]["spec"]["template"]["metadata"]
    assert {kind: each["labels"]["team"] for kind, each in of.items()} == {
        **dict.fromkeys(of, "web"),
        "Service": "edge",
    }
    notes = {kind: each["annotations"]["note"] for kind, each in of.items()}
    assert notes == {**dict.fromkeys(of, "all"), "Service": "service"}
    assert {each["labels"]["app.kubernetes.io/name"] for each in of.values()} == {"shop"}, "ours stay"
    assert made["Deployment"]["spec"]["selector"] == objects()["Deployment"]["spec"]["selector"]
    overlay = {"metadata": {"labels": {"team": "mine"}}}
    pods = objects(commonMetadata=common, template=overlay)["Deployment"]["spec"]["template"]
    assert pods["metadata"]["labels"]["team"] == "mine", "spec.template has the last word about pods"


@pytest.mark.parametrize("where", ["commonMetadata", "service"])
@pytest.mark.parametrize("field", ["labels", "annotations"])
@pytest.mark.parametrize("name", ["uwsgi-autopilot.dev/desired", "app.kubernetes.io/managed-by"])
def test_what_is_the_autopilots_own_is_refused(where, field, name):
    with pytest.raises(SpecError, match="it belongs to the autopilot") as caught:
        objects(**{where: {field: {name: "x"}}})
    assert f"spec.{where}.{field}[{name}]" in str(caught.value)


def test_details_of_the_service_are_the_manifests_and_absent_ones_are_left_to_the_api_server():
    details = {
        "externalTrafficPolicy": "Local", "internalTrafficPolicy": "Local", "ipFamilyPolicy": "RequireDualStack",
        "ipFamilies": ["IPv6", "IPv4"], "sessionAffinity": "ClientIP", "loadBalancerClass": "example.com/internal",
    }  # fmt: skip
    assert objects(service={"type": "LoadBalancer", **details})["Service"]["spec"].items() >= details.items()
    assert set(objects()["Service"]["spec"]) == {"type", "selector", "ports"}


def test_annotations_of_the_service_join_those_of_the_chart():
    skeletons = SKELETONS | {"service": "metadata: {annotations: {a: chart, b: chart}}"}
    made = desired(
        app(service={"annotations": {"b": "own"}}),
        template=TEMPLATE,
        skeletons=skeletons,
        settings=SETTINGS,
    )
    service = next(each for each in made if each["kind"] == "Service")
    assert service["metadata"]["annotations"] == {"a": "chart", "b": "own"}


PROMOTED = DesiredShape(version=Version(2, 7), shape=Shape(4, 16))


@pytest.mark.parametrize(
    ("tuning", "promoted", "expected"),
    [
        pytest.param({}, None, Shape(2, 4), id="the default"),
        pytest.param({"start": {"processes": 3, "threads": 2}}, None, Shape(3, 2), id="start"),
        pytest.param({"processes": {"max": 1}}, None, Shape(1, 4), id="in the bounds"),
        pytest.param({"pin": {"processes": 5, "threads": 1}}, None, Shape(5, 1), id="a pin"),
        pytest.param({}, PROMOTED, Shape(4, 16), id="what was promoted, whose version is kept"),
    ],
)
def test_the_shape_that_a_new_pod_starts_from(tuning, promoted, expected):
    found = parse_desired(objects(promoted, tuning=tuning)["promoted"]["data"]["desired"])
    assert found == promoted or (found.version, found.shape) == (UNVERSIONED, expected)


def test_tuning_restarts_no_pod():
    """Neither a promoted shape nor anything of the manifest's `tuning` is part of the pod, but for `memoryGuard`,
    `parking` and whether connections are limited."""
    before = objects(tuning={"maxConnections": 100})
    tuning = {
        "start": {"processes": 3, "threads": 3},
        "pin": {"processes": 3, "threads": 3},
        "mode": "Disabled",
        "processes": {"min": 3, "max": 200},
        "threads": {"min": 3, "max": 500},
        "maxConnections": 900,
        "connectionsPerProcess": 3,
    }
    after = objects(tuning=tuning)
    assert before["Deployment"] == after["Deployment"]
    assert before["promoted"] != after["promoted"]


@pytest.mark.parametrize(
    "change",
    [
        {"module": "other:app"},
        {"nginx": {"bodySize": "1Mi"}},
        {"uwsgi": {"options": [{"name": "lazy-apps"}]}},
        {"tuning": {"memoryGuard": False, "mode": "Disabled"}},
        {"tuning": {"parking": True, "mode": "Disabled"}},
        {"tuning": {"maxConnections": 100}},
    ],
    ids=str,
)
def test_another_configuration_has_another_name_and_the_pods_read_it(change):
    before, after = objects(), objects(**change)
    name = after["config"]["metadata"]["name"]
    assert name != before["config"]["metadata"]["name"]
    assert after["config"]["immutable"] is True
    volumes = after["Deployment"]["spec"]["template"]["spec"]["volumes"]
    assert named(volumes, "config")["configMap"]["name"] == name


@pytest.mark.parametrize(
    ("skeletons", "words"),
    [
        ({}, "have no service"),
        (SKELETONS | {"service": "[1"}, "skeleton service is not YAML"),
        (SKELETONS | {"service": "text"}, "skeleton service is not a mapping"),
    ],
)
def test_a_skeleton_that_cannot_be_used_is_named(skeletons, words):
    with pytest.raises(TemplateError, match=words):
        desired(app(), template=TEMPLATE, skeletons=skeletons, settings=SETTINGS)


SPECS = st.fixed_dictionaries(
    {},
    optional={
        "image": st.sampled_from(["shop:1", "registry.example/shop@sha256:ab"]),
        "python": st.sampled_from(["python3", "/venv/bin/python"]),
        "chdir": st.sampled_from(["/app", "/srv/x y"]),
        "env": st.lists(
            st.builds(lambda name, value: {"name": name, "value": value}, st.sampled_from("ABC"), st.text(max_size=5)),
            unique_by=lambda each: each["name"],
            max_size=3,
        ).map(lambda env: [each for each in env if "\0" not in each["value"]]),
        "resources": st.sampled_from([{}, {"limits": {"cpu": 2, "memory": "1Gi"}}, {"requests": {"cpu": "100m"}}]),
        "nginx": st.sampled_from(
            [{}, {"readTimeout": "5m", "static": [{"path": "/a", "dir": "x"}, {"path": "/b/", "dir": "/y"}]}]
        ),
        "template": st.sampled_from(
            [{}, {"spec": {"nodeSelector": {"disk": "ssd"}}}, {"metadata": {"labels": {"a": "b"}}}]
        ),
    },
)


@settings(deadline=None)
@given(spec=SPECS)
def test_the_same_manifest_gives_the_same_bytes_and_changes_none_of_its_sources(spec):
    template = deepcopy(TEMPLATE)
    first, second = (yaml.safe_dump_all(objects(**deepcopy(spec)).values()) for _ in range(2))
    assert first == second
    assert template == TEMPLATE


def test_a_pod_has_what_its_agent_and_its_nginx_look_for():
    spec = pod_of()
    mounts = {mount["mountPath"] for mount in named(spec["containers"], "app")["volumeMounts"]}
    config = objects()["config"]["data"]
    for path in ("/run/uwsgi-autopilot", "/run/uwsgi-autopilot-private", "/etc/uwsgi-autopilot/promoted"):
        assert path in mounts
        assert path in config["agent.json"]
    assert "/run/uwsgi-autopilot/app.sock" in config["nginx.conf"]
    assert named(spec["containers"], "app")["command"][-1] == "/etc/uwsgi-autopilot/config/agent.json"
