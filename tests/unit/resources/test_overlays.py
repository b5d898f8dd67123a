"""What an overlay may change of a pod, and how everything else is refused: with its path and a sentence."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.resources.making import SETTINGS, SKELETONS, TEMPLATE, app, named, objects, pod_of
from uwsgi_autopilot.errors import SpecError, TemplateError
from uwsgi_autopilot.resources.objects import desired
from uwsgi_autopilot.resources.unwritten import cause_of_spec


def test_an_overlay_changes_the_pod():
    spec = pod_of(
        template={
            "spec": {
                "nodeSelector": {"disk": "ssd"},
                "containers": [
                    {"name": "nginx", "image": "mine/nginx:1", "resources": {"limits": {"memory": "64Mi"}}},
                    {"name": "sidecar", "image": "s:1"},
                ],
                "volumes": [{"name": "data", "emptyDir": {}}],
            }
        }
    )
    assert spec["nodeSelector"] == {"disk": "ssd"}
    assert named(spec["containers"], "nginx")["image"] == "mine/nginx:1"
    assert named(spec["containers"], "sidecar")["image"] == "s:1"
    assert named(spec["volumes"], "data")


def of_container(name, field="containers", **fields):
    return {"spec": {field: [{"name": name, **fields}]}}


def test_one_port_of_two_protocols_is_no_port_twice():
    ports = [{"containerPort": 53, "protocol": each} for each in ("TCP", "UDP")]
    spec = pod_of(template=of_container("sidecar", image="s:1", ports=ports))
    assert len(named(spec["containers"], "sidecar")["ports"]) == 2


REFUSED = [
    (
        of_container("sidecar", image="s:1", env=[{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]),
        "spec.template.spec.containers[sidecar].env[A]",
        "expected each name once, found it twice",
    ),
    (
        of_container("sidecar", image="s:1", ports=[{"containerPort": 53}, {"containerPort": 53, "protocol": "TCP"}]),
        "spec.template.spec.containers[sidecar].ports[53]",
        "expected each containerPort once",
    ),
    (
        {"spec": {"hostAliases": [{"ip": "10.0.0.1"}, {"ip": "10.0.0.1"}]}},
        "spec.template.spec.hostAliases[10.0.0.1]",
        "expected each ip once",
    ),
    (of_container("app", image="x:1"), "spec.template.spec.containers[app].image", "set spec.image"),
    (of_container("app", command=["sh"]), "spec.template.spec.containers[app].command", "it is the agent's"),
    (of_container("app", args=["x"]), "spec.template.spec.containers[app].args", "set spec.uwsgi.options"),
    (of_container("app", **{"$patch": "delete"}), "spec.template.spec.containers[app]", "cannot be removed"),
    (of_container("nginx", **{"$patch": "delete"}), "spec.template.spec.containers[nginx]", "cannot be removed"),
    (
        of_container("app", volumeMounts=[{"mountPath": "/run/uwsgi-autopilot", "readOnly": True}]),
        "spec.template.spec.containers[app].volumeMounts[/run/uwsgi-autopilot]",
        "the autopilot's files",
    ),
    (
        of_container("nginx", ports=[{"containerPort": 8080, "name": "web"}]),
        "spec.template.spec.containers[nginx].ports[8080]",
        "set spec.service",
    ),
    (
        of_container("app", env=[{"name": "AUTOPILOT_POD_UID", "$patch": "delete"}]),
        "spec.template.spec.containers[app].env[AUTOPILOT_POD_UID]",
        "choose another name",
    ),
    (
        of_container("agent", "initContainers", command=["sh"]),
        "spec.template.spec.initContainers[agent].command",
        "add an init container of your own",
    ),
    (
        {"spec": {"volumes": [{"name": "run", "emptyDir": {"medium": "Memory"}}]}},
        "spec.template.spec.volumes[run]",
        "the autopilot's files",
    ),
    ({"spec": {"volumes": [{"$patch": "replace"}]}}, "spec.template.spec.volumes[run]", "the autopilot's files"),
    ({"spec": {"serviceAccountName": "admin"}}, "spec.template.spec.serviceAccountName", 'expected "shop"'),
    (
        {"metadata": {"labels": {"uwsgi-autopilot.dev/app": "x"}}},
        "spec.template.metadata.labels[uwsgi-autopilot.dev/app]",
        "belongs to the autopilot",
    ),
    (
        {"metadata": {"labels": {"app.kubernetes.io/managed-by": "Helm"}}},
        "spec.template.metadata.labels[app.kubernetes.io/managed-by]",
        "belongs to the autopilot",
    ),
    (
        {"metadata": {"annotations": {"uwsgi-autopilot.dev/desired": "{}"}}},
        "spec.template.metadata.annotations[uwsgi-autopilot.dev/desired]",
        "belongs to the autopilot",
    ),
    ({"metadata": {"name": "x"}}, "spec.template.metadata.name", "expected labels or annotations"),
    ({"replicas": 3}, "spec.template.replicas", "expected metadata or spec"),
    (
        of_container("app", env=[{"name": "UWSGI_HARAKIRI", "value": "1"}]),
        "spec.template.spec.containers[app].env[UWSGI_HARAKIRI]",
        "write it under spec.uwsgi.options",
    ),
    (
        of_container("app", volumeMounts=[{"mountPath": "/run/uwsgi-autopilot/", "name": "mine"}]),
        "spec.template.spec.containers[app].volumeMounts[/run/uwsgi-autopilot/]",
        "the autopilot's files",
    ),
    (
        of_container("nginx", volumeMounts=[{"mountPath": "/etc/uwsgi-autopilot/config/x", "name": "mine"}]),
        "spec.template.spec.containers[nginx].volumeMounts[/etc/uwsgi-autopilot/config/x]",
        "the autopilot's files",
    ),
    (
        of_container("agent", "initContainers", restartPolicy="Always"),
        "spec.template.spec.initContainers[agent].restartPolicy",
        "it cannot be changed",
    ),
    ({"metadata": {"$patch": "delete"}}, "spec.template.metadata.$patch", "expected labels or annotations"),
    ({"spec": {"containers": {"name": "x"}}}, "spec.template.spec.containers", "expected a list, found a mapping"),
    (
        {"spec": {"terminationGracePeriodSeconds": 30}},
        "spec.template.spec.terminationGracePeriodSeconds",
        "at least 85 seconds (10 of nginx's preStop sleep, 60 of spec.nginx.readTimeout and 15 more), found 30",
    ),
]


@pytest.mark.parametrize(("overlay", "path", "words"), REFUSED, ids=[row[1] for row in REFUSED])
def test_an_overlay_that_touches_what_is_ours_is_refused_with_path_and_sentence(overlay, path, words):
    with pytest.raises(SpecError) as error:
        objects(template=overlay)
    assert path in dict(error.value.problems)
    assert words in dict(error.value.problems)[path]


PRE_STOP = "spec.template.spec.containers[nginx].lifecycle.preStop"
NGINX_SLEEPS = "expected a sleep of at least 10 seconds and nothing else, found"
IMAGES = [{"name": "app", "image": "shop:1.4"}, {"name": "nginx", "image": "n:1"}]
# What costs requests at the next rollout, whichever way it is written.
LOSES = [
    pytest.param(of_container("nginx", lifecycle=None), PRE_STOP, f"{NGINX_SLEEPS} none", id="lifecycle null"),
    pytest.param(
        of_container("nginx", lifecycle={"preStop": None}), PRE_STOP, f"{NGINX_SLEEPS} none", id="preStop null"
    ),
    pytest.param(
        of_container("nginx", lifecycle={"$patch": "delete"}), PRE_STOP, f"{NGINX_SLEEPS} none", id="lifecycle deleted"
    ),
    pytest.param(
        of_container("nginx", lifecycle={"$patch": "replace", "postStart": {"sleep": {"seconds": 1}}}),
        PRE_STOP,
        f"{NGINX_SLEEPS} none",
        id="lifecycle replaced",
    ),
    pytest.param(
        of_container("nginx", lifecycle={"$retainKeys": ["postStart"]}),
        PRE_STOP,
        f"{NGINX_SLEEPS} none",
        id="lifecycle not retained",
    ),
    pytest.param(
        {"spec": {"containers": [{"$patch": "replace"}, *IMAGES]}},
        PRE_STOP,
        f"{NGINX_SLEEPS} none",
        id="all containers replaced",
    ),
    pytest.param(
        of_container("nginx", lifecycle={"preStop": {"sleep": {"seconds": 9}}}),
        PRE_STOP,
        f"{NGINX_SLEEPS} one of 9",
        id="a shorter sleep",
    ),
    pytest.param(
        of_container("nginx", lifecycle={"preStop": {"sleep": None, "exec": {"command": ["sleep", "60"]}}}),
        PRE_STOP,
        f"{NGINX_SLEEPS} none",
        id="a command whose length nobody knows",
    ),
    pytest.param(
        of_container("nginx", lifecycle={"stopSignal": "SIGTERM"}),
        "spec.template.spec.containers[nginx].lifecycle.stopSignal",
        "expected SIGQUIT",
        id="a signal at which nginx drops its requests",
    ),
    pytest.param(
        of_container("app", lifecycle={"preStop": {"sleep": {"seconds": 5}}}),
        "spec.template.spec.containers[app].lifecycle.preStop",
        "the agent must learn at once",
        id="the agent hears of the stop too late",
    ),
    pytest.param(
        of_container("app", lifecycle={"stopSignal": "SIGQUIT"}),
        "spec.template.spec.containers[app].lifecycle.stopSignal",
        "expected SIGTERM",
        id="a signal that the agent does not follow",
    ),
    pytest.param(
        of_container("nginx", readinessProbe=None),
        "spec.template.spec.containers[nginx].readinessProbe",
        "change its numbers",
        id="no readiness probe",
    ),
    pytest.param(
        of_container("nginx", readinessProbe={"httpGet": {"path": "/"}}),
        "spec.template.spec.containers[nginx].readinessProbe",
        "change its numbers",
        id="a readiness probe that waits behind requests",
    ),
    pytest.param(
        of_container("app", readinessProbe={"httpGet": {"path": "/", "port": 8080}}),
        "spec.template.spec.containers[app].readinessProbe",
        "leave it out",
        id="one more readiness probe",
    ),
    pytest.param(
        of_container("app", startupProbe={"$patch": "replace", "tcpSocket": {"port": 9117}}),
        "spec.template.spec.containers[app].startupProbe",
        "change its numbers",
        id="a startup probe that asks nobody",
    ),
    pytest.param(
        of_container("exporter", image="e:1", ports=[{"name": "http", "containerPort": 9100}]),
        "spec.template.spec.containers[exporter].ports[0].name",
        'expected something other than "http"',
        id="the Service would find the port of another container",
    ),
    pytest.param(
        of_container(
            "exporter", "initContainers", image="e:1", restartPolicy="Always", ports=[{"containerPort": 8080}]
        ),
        "spec.template.spec.initContainers[exporter].ports[0].containerPort",
        "expected something other than 8080",
        id="a sidecar with nginx' port",
    ),
]


@pytest.mark.parametrize(("overlay", "path", "words"), LOSES)
def test_an_overlay_that_would_lose_requests_is_refused(overlay, path, words):
    with pytest.raises(SpecError) as error:
        objects(template=overlay)
    assert words in dict(error.value.problems)[path]


def test_what_loses_no_request_may_be_changed():
    numbers = {"periodSeconds": 1, "failureThreshold": 5}
    spec = pod_of(
        template={
            "spec": {
                "containers": [
                    {"name": "app", "startupProbe": numbers, "livenessProbe": {"timeoutSeconds": 9}},
                    {
                        "name": "nginx",
                        "readinessProbe": numbers,
                        "lifecycle": {
                            "stopSignal": "SIGQUIT",
                            "postStart": {"sleep": {"seconds": 1}},
                            "preStop": {"sleep": {"seconds": 20}},
                        },
                    },
                    {"name": "exporter", "image": "e:1", "ports": [{"name": "metrics", "containerPort": 9100}]},
                ]
            }
        }
    )
    assert named(spec["containers"], "nginx")["readinessProbe"]["periodSeconds"] == 1
    assert spec["terminationGracePeriodSeconds"] == 20 + 60 + 15


def deep(levels):
    found: Any = {"a": 1}
    for _ in range(levels - 1):
        found = {"a": found}
    return found


# Whatever the API server lets through as a mapping. Each of these once ended with an exception and no condition.
WRONG_TYPES = [
    ({"spec": None}, "spec", "expected a mapping, found null"),
    ({"spec": []}, "spec", "expected a mapping, found a list"),
    ({"spec": "x"}, "spec", "expected a mapping, found a text"),
    ({"$patch": "delete"}, "$patch", "expected metadata or spec"),
    ({"spec": {"$patch": "delete"}}, "spec.containers[app]", "it cannot be removed"),
    ({"metadata": None}, "metadata", "expected a mapping, found null"),
    ({"metadata": {"labels": None}}, "metadata.labels", "expected a mapping, found null"),
    ({"metadata": {"annotations": ["x"]}}, "metadata.annotations", "expected a mapping, found a list"),
    ({"spec": {"containers": None}}, "spec.containers", "expected a list, found null"),
    ({"spec": {"containers": {}}}, "spec.containers", "expected a list, found a mapping"),
    ({"spec": {"containers": [None]}}, "spec.containers[0]", "expected a mapping, found null"),
    ({"spec": {"containers": [["app"]]}}, "spec.containers[0]", "expected a mapping, found a list"),
    ({"spec": {"containers": [{"name": {}}]}}, "spec.containers[0].name", "expected a text, found an empty mapping"),
    ({"spec": {"containers": [{"name": None}]}}, "spec.containers[0]", "expected name, by which"),
    ({"spec": {"initContainers": 7}}, "spec.initContainers", "expected a list, found a number"),
    ({"spec": {"volumes": None}}, "spec.volumes", "expected a list, found null"),
    ({"spec": {"volumes": [{"name": ["run"]}]}}, "spec.volumes[0].name", "expected a text, found a list of 1"),
    (of_container("app", env={}), "spec.containers[0].env", "expected a list, found a mapping"),
    (of_container("nginx", env=["A=1"]), "spec.containers[0].env[0]", "expected a mapping, found a text"),
    (of_container("nginx", env=[{"name": 7}]), "spec.containers[0].env[0].name", "expected a text, found 7"),
    (of_container("nginx", ports=["http"]), "spec.containers[0].ports[0]", "expected a mapping, found a text"),
    (
        of_container("nginx", ports=[{"containerPort": {}}]),
        "spec.containers[0].ports[0].containerPort",
        "expected a whole number, found an empty mapping",
    ),
    (of_container("app", volumeMounts={}), "spec.containers[0].volumeMounts", "expected a list, found a mapping"),
    (of_container("nginx", lifecycle=[]), "spec.containers[0].lifecycle", "expected a mapping, found a list"),
    (
        of_container("nginx", lifecycle={"preStop": {"sleep": 20}}),
        "spec.containers[0].lifecycle.preStop.sleep",
        "expected a mapping, found a number",
    ),
    (
        of_container("nginx", lifecycle={"preStop": {"sleep": {"seconds": "20"}}}),
        "spec.containers[0].lifecycle.preStop.sleep.seconds",
        'expected a whole number, found "20"',
    ),
    (
        of_container("app", startupProbe={"failureThreshold": "150"}),
        "spec.containers[0].startupProbe.failureThreshold",
        'expected a whole number, found "150"',
    ),
    (of_container("nginx", readinessProbe=[]), "spec.containers[0].readinessProbe", "expected a mapping, found a list"),
    (
        {"spec": {"terminationGracePeriodSeconds": "90"}},
        "spec.terminationGracePeriodSeconds",
        'expected a whole number, found "90"',
    ),
    (
        {"spec": {"terminationGracePeriodSeconds": True}},
        "spec.terminationGracePeriodSeconds",
        "expected a whole number, found true",
    ),
    ({"spec": deep(2000)}, "spec.a.a.a", "expected at most 32 levels of mappings and lists"),
    ({"spec": {"a": [[[[deep(40)]]]]}}, "spec.a[0][0]", "expected at most 32 levels of mappings and lists"),
    ({"spec": {"tolerations": [{"key": "x"}] * 3000}}, "", "expected at most 5000 values in all"),
]


@pytest.mark.parametrize(
    ("overlay", "path", "words"), [pytest.param(*row, id=f"{row[1]}: {row[2]}") for row in WRONG_TYPES]
)
def test_a_wrong_type_is_a_sentence_with_its_path(overlay, path, words):
    with pytest.raises(SpecError) as error:
        objects(template=overlay)
    assert words in dict(error.value.problems)[f"spec.template.{path}".rstrip(".")]
    assert cause_of_spec(error.value).reason == "OverlayRefused"


KEYS = (
    "$patch $retainKeys name env ports volumeMounts mountPath containerPort image lifecycle preStop sleep seconds "
    "startupProbe httpGet resources command"
)
FIELDS = (
    "$patch containers initContainers volumes terminationGracePeriodSeconds tolerations securityContext nodeSelector "
    "serviceAccountName imagePullSecrets topologySpreadConstraints"
)
ANYTHING = st.recursive(
    st.sampled_from([None, True, 0, 7.5, "x", "delete", "replace", "app", "nginx", "run"]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS.split()), inner, max_size=4)
    ),
    max_leaves=12,
)
OVERLAYS = st.fixed_dictionaries(
    {},
    optional={
        "metadata": ANYTHING,
        "spec": st.one_of(ANYTHING, st.dictionaries(st.sampled_from(FIELDS.split()), ANYTHING, max_size=3)),
    },
)


@given(overlay=OVERLAYS)
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
def test_no_overlay_ends_with_anything_but_a_pod_or_sentences(overlay):
    try:
        json.dumps(objects(template=overlay))
    except SpecError as error:
        if not all(path.startswith("spec.template") for path, _ in error.problems):
            raise


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("service", "spec: []", id="a list for a mapping"),
        pytest.param("service", "spec: {ports: {name: http}}", id="a mapping for a list"),
        pytest.param("service", "spec: {ports: [http]}", id="a port that is a text"),
        pytest.param("service", "spec: {selector: []}", id="labels that are a list"),
        pytest.param("deployment", "metadata: []", id="metadata that is a list"),
        pytest.param("deployment", "spec: {template: []}", id="a pod that is a list"),
        pytest.param("poddisruptionbudget", "7", id="a number"),
    ],
)
def test_a_skeleton_of_a_wrong_type_is_the_charts_fault(name, text):
    with pytest.raises(TemplateError, match=f"skeleton {name} "):
        desired(app(), template=TEMPLATE, skeletons={**SKELETONS, name: text}, settings=SETTINGS)
