"""What reaches beyond the pod is refused, each by itself, and allowed by the one value that the sentence names."""

import re
from pathlib import Path

import pytest
import yaml

from tests.unit.resources.making import SKELETONS, TEMPLATE, app
from uwsgi_autopilot.errors import SpecError
from uwsgi_autopilot.resources.objects import Settings, desired
from uwsgi_autopilot.resources.privileges import CAPABILITIES, PRIVILEGES, SELINUX_TYPES, SYSCTLS, refused

CHART = Path(__file__).parents[3] / "chart"


def pod(**spec) -> dict:
    return {"spec": spec}


def of_app(**context) -> dict:
    return pod(containers=[{"name": "app", "securityContext": context}])


ASKED = [
    ("hostNamespaces", pod(hostNetwork=True), "spec.hostNetwork: found true"),
    ("hostNamespaces", pod(hostPID=True), "spec.hostPID: found true"),
    ("hostNamespaces", pod(hostIPC=True), "spec.hostIPC: found true"),
    ("hostPath", pod(volumes=[{"name": "x", "hostPath": {"path": "/"}}]), 'spec.volumes[x].hostPath: found "/"'),
    (
        "hostPorts",
        pod(containers=[{"name": "app", "ports": [{"containerPort": 9000, "hostPort": 80}]}]),
        "spec.containers[app].ports[9000].hostPort: found 80",
    ),
    ("privileged", of_app(privileged=True), "spec.containers[app].securityContext.privileged: found true"),
    (
        "privileged",
        pod(initContainers=[{"name": "x", "securityContext": {"capabilities": {"add": ["KILL", "SYS_ADMIN"]}}}]),
        'spec.initContainers[x].securityContext.capabilities.add: found "SYS_ADMIN"',
    ),
    ("privileged", of_app(procMount="Unmasked"), "procMount"),
    ("privileged", of_app(seccompProfile={"type": "Unconfined"}), "securityContext.seccompProfile.type"),
    ("privileged", pod(securityContext={"appArmorProfile": {"type": "Unconfined"}}), "appArmorProfile.type"),
    ("privileged", of_app(seLinuxOptions={"type": "spc_t"}), 'seLinuxOptions.type: found "spc_t"'),
    ("privileged", of_app(seLinuxOptions={"role": "sysadm_r"}), "seLinuxOptions.role"),
    ("root", pod(securityContext={"runAsNonRoot": False}), "spec.securityContext.runAsNonRoot: found false"),
    (
        "privileged",
        pod(securityContext={"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}),
        'spec.securityContext.sysctls: found "kernel.msgmax"',
    ),
    ("privileged", of_app(windowsOptions={"hostProcess": True}), "windowsOptions.hostProcess"),
    (
        "privileged",
        {"metadata": {"annotations": {"container.apparmor.security.beta.kubernetes.io/app": "unconfined"}}},
        "metadata.annotations[container.apparmor",
    ),
    (
        "privileged",
        pod(containers=[{"name": "x", "image": "x", "livenessProbe": {"tcpSocket": {"host": "192.0.2.1", "port": 1}}}]),
        'spec.containers[x].livenessProbe.tcpSocket.host: found "192.0.2.1"',
    ),
    (
        "privileged",
        pod(containers=[{"name": "x", "image": "x", "lifecycle": {"postStart": {"httpGet": {"host": "db"}}}}]),
        'spec.containers[x].lifecycle.postStart.httpGet.host: found "db"',
    ),
    ("root", of_app(runAsUser=0), "spec.containers[app].securityContext.runAsUser: found 0"),
    ("root", pod(securityContext={"runAsUser": 0}), "spec.securityContext.runAsUser: found 0"),
    ("root", of_app(runAsNonRoot=False), "spec.containers[app].securityContext.runAsNonRoot: found false"),
    ("root", pod(securityContext={"runAsNonRoot": None}), "spec.securityContext.runAsNonRoot: found nothing"),
    ("nodeName", pod(nodeName="control-plane"), 'spec.nodeName: found "control-plane"'),
    ("systemPriority", pod(priorityClassName="system-node-critical"), "spec.priorityClassName"),
]
HARMLESS = [
    pod(hostNetwork=False),
    pod(volumes=[{"name": "x", "emptyDir": {"sizeLimit": "1Mi"}}]),
    pod(containers=[{"name": "app", "ports": [{"containerPort": 9000, "hostPort": 0}]}]),
    of_app(capabilities={"add": ["NET_BIND_SERVICE"]}),
    of_app(seLinuxOptions={"level": "s0:c1", "type": "container_t"}),
    pod(securityContext={"sysctls": [{"name": "net.ipv4.tcp_fin_timeout", "value": "30"}]}),
    of_app(runAsUser=10001),
    pod(priorityClassName="high"),
    pod(nodeSelector={"disk": "ssd"}),
]


def made(overlay: dict, *allowed: str) -> list[dict]:
    settings = Settings(agent_image="uwsgi-autopilot:dev", allowed=frozenset(allowed))
    return desired(app(template=overlay), template=TEMPLATE, skeletons=SKELETONS, settings=settings)


@pytest.mark.parametrize(("privilege", "overlay", "says"), ASKED)
def test_it_is_refused_with_its_path_and_allowed_by_the_value_that_is_named(privilege, overlay, says):
    with pytest.raises(SpecError) as refusal:
        made(overlay)
    assert f"spec.template.{says}" in str(refusal.value) or says in str(refusal.value)
    named = re.findall(r"refused unless the chart's value policy\.allow\.(\w+) is true", str(refusal.value))
    assert named == [privilege]
    with pytest.raises(SpecError):
        made(overlay, *(PRIVILEGES.keys() - {privilege}))
    made(overlay, privilege)


@pytest.mark.parametrize("overlay", HARMLESS)
def test_what_stays_in_the_pod_is_not_refused(overlay):
    made(overlay)


def test_what_the_chart_itself_asks_for_its_administrator_has_decided():
    chart = {"spec": {"securityContext": {"runAsUser": 0}, "nodeName": "one", "hostPID": True}}
    assert refused(chart, chart, frozenset()) == []
    assert [path for path, _ in refused(chart, {"spec": {**chart["spec"], "nodeName": "two"}}, frozenset())] == [
        "spec.nodeName"
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"spec": {"securityContext": [1], "volumes": "x", "containers": [None, 1, {"securityContext": "x"}]}},
        {"spec": {"containers": [{"ports": {"hostPort": 1}, "securityContext": {"capabilities": {"add": "ALL"}}}]}},
        {"spec": {"securityContext": {"seLinuxOptions": 1, "sysctls": [1], "seccompProfile": []}}},
        {"metadata": {"annotations": 1}, "spec": None},
        {"metadata": None},
    ],
)
def test_wrong_types_are_left_to_the_api_server(wrong):
    refused({}, wrong, frozenset())


def test_the_chart_has_a_value_for_each_and_no_other():
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    assert list(values["policy"]["allow"]) == list(PRIVILEGES)
    policy = (CHART / "templates/operator/policy.yaml").read_text(encoding="utf-8")
    assert set(re.findall(r"not \$allow\.(\w+)", policy)) == set(PRIVILEGES)


def test_the_policy_has_the_same_lists():
    policy = (CHART / "templates/operator/policy.yaml").read_text(encoding="utf-8")
    lists = [set(re.findall(r"'(.*?)'", each)) for each in re.findall(r" in\s+\[(.*?)\]", policy, re.DOTALL)]
    assert lists == [CAPABILITIES, SYSCTLS, SELINUX_TYPES]
