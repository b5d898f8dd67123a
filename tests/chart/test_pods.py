"""Every pod of the chart: what Pod Security asks for, what the operator looks for, and what its name is made of."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.helm import CHART, Object, Render, name_of
from uwsgi_autopilot.resources.app import App
from uwsgi_autopilot.resources.objects import Settings, desired

FULL = Path(__file__).parents[1] / "unit/api/full.yaml"


def pods_in(objects: list[Object]) -> dict[str, Object]:
    """kind of what makes it -> spec of the pod."""
    specs: dict[str, Object] = {}
    for each in objects:
        if each["kind"] in ("Deployment", "Job"):
            specs[each["kind"]] = each["spec"]["template"]["spec"]
        elif each["kind"] == "PodTemplate":
            specs[each["kind"]] = each["template"]["spec"]
        elif each["kind"] == "Pod":
            specs[each["kind"]] = each["spec"]
    return specs


def template_of(objects: list[Object]) -> Object:
    (template,) = (each for each in objects if each["kind"] == "PodTemplate")
    return template


def skeletons_of(objects: list[Object]) -> dict[str, str]:
    (skeletons,) = (each for each in objects if each["kind"] == "ConfigMap")
    data: dict[str, str] = skeletons["data"]
    return data


@pytest.mark.parametrize("kind", ["Deployment", "Job", "Pod", "PodTemplate"])
def test_a_namespace_that_enforces_restricted_takes_it(defaults: list[Object], kind: str) -> None:
    """kubernetes.io/docs/concepts/security/pod-security-standards, profile Restricted, by hand; e2e asks the server."""
    pod = pods_in(defaults)[kind]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in [*pod.get("initContainers", ()), *pod["containers"]]:
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert "memory" in container.get("resources", {}).get("limits", {}) or container["name"] == "app"
    kinds = {key for volume in pod.get("volumes", ()) for key in volume if key != "name"}
    assert kinds <= {"configMap", "downwardAPI", "emptyDir", "projected"}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)


def test_every_volume_that_can_grow_has_a_bound(defaults: list[Object]) -> None:
    volumes = pods_in(defaults)["PodTemplate"]["volumes"]
    growing = [each["name"] for each in volumes if "emptyDir" in each]
    assert len(growing) == 6
    assert [each["name"] for each in volumes if "emptyDir" in each and "sizeLimit" not in each["emptyDir"]] == []


def test_the_private_folder_is_private(defaults: list[Object]) -> None:
    """uWSGI's stats carry cookies and authorization headers; its FIFO takes orders."""
    pod = pods_in(defaults)["PodTemplate"]
    mounted = {
        container["name"]
        for container in [*pod["initContainers"], *pod["containers"]]
        if any(mount["name"] == "private" for mount in container["volumeMounts"])
    }
    assert mounted == {"app"}


def test_the_desired_shape_is_a_file_that_follows_its_annotation(defaults: list[Object]) -> None:
    """With a subPath the kubelet would write it once and never again."""
    pod = pods_in(defaults)["PodTemplate"]
    mounts = [mount for container in pod["containers"] for mount in container["volumeMounts"]]
    assert [mount["name"] for mount in mounts if "subPath" in mount] == []
    (desired,) = (each["downwardAPI"] for each in pod["volumes"] if each["name"] == "desired")
    assert desired["items"][0]["fieldRef"]["fieldPath"] == "metadata.annotations['uwsgi-autopilot.dev/desired']"


WITH_OPERATOR = sorted(path for path in (CHART / "ci").glob("*.yaml") if path.stem != "cluster-values")


@pytest.mark.parametrize("values", WITH_OPERATOR, ids=lambda path: path.stem)
def test_the_operator_can_work_with_it(render: Render, values: Path) -> None:
    """The operator's own builders take template and skeletons, for an application that uses every field."""
    objects = render(yaml.safe_load(values.read_text(encoding="utf-8")))
    body = yaml.safe_load(FULL.read_text(encoding="utf-8"))
    body["metadata"] |= {"namespace": "shop", "uid": "1234", "generation": 1}
    made = desired(
        App.from_body(body),
        template=template_of(objects),
        skeletons=skeletons_of(objects),
        settings=Settings(agent_image="agent:1"),
    )
    (deployment,) = (each for each in made if each["kind"] == "Deployment")
    text = yaml.safe_dump(made)
    assert "set-by-the-operator" not in text
    assert deployment["spec"]["revisionHistoryLimit"] > 0
    assert "replicas" not in deployment["spec"]


@pytest.mark.parametrize(
    ("values", "another"),
    [
        pytest.param({"operator": {"image": {"tag": "2.0"}}}, False, id="a new operator restarts no application"),
        pytest.param({"operator": {"podLabels": {"a": "b"}}}, False, id="neither does a label of its pod"),
        pytest.param({"rollout": {"maxSurge": 1}}, False, id="nor how pods are replaced"),
        pytest.param({"pod": {"agent": {"image": {"tag": "2.0"}}}}, True, id="another agent"),
        pytest.param({"pod": {"nginx": {"stopDelaySeconds": 11}}}, True, id="a longer delay"),
        pytest.param({"pod": {"labels": {"a": "b"}}}, True, id="a label of every pod"),
    ],
)
def test_the_name_is_made_of_the_content(render: Render, defaults: list[Object], values: Any, another: bool) -> None:
    assert (name_of(template_of(render(values))) != name_of(template_of(defaults))) is another


def test_a_new_version_of_the_chart_restarts_no_application(
    render: Render, defaults: list[Object], tmp_path: Path
) -> None:
    shutil.copytree(CHART, tmp_path / "chart")
    about = tmp_path / "chart/Chart.yaml"
    about.write_text(about.read_text(encoding="utf-8").replace("ersion: 0.1.0", "ersion: 0.2.0"), encoding="utf-8")
    later = render({}, chart=tmp_path / "chart")
    assert template_of(later)["metadata"]["labels"] != template_of(defaults)["metadata"]["labels"]
    assert name_of(template_of(later)) == name_of(template_of(defaults))


def test_another_comment_in_the_pod_template_restarts_no_application(
    render: Render, defaults: list[Object], tmp_path: Path
) -> None:
    shutil.copytree(CHART, tmp_path / "chart")
    template = tmp_path / "chart/templates/pod/_template.tpl"
    text = template.read_text(encoding="utf-8")
    assert "\nspec:\n" in text
    template.write_text(text.replace("\nspec:\n", "\n# Another comment.\nspec:\n"), encoding="utf-8")
    assert name_of(template_of(render({}, chart=tmp_path / "chart"))) == name_of(template_of(defaults))


def test_the_operator_is_given_the_names_that_the_chart_makes(defaults: list[Object]) -> None:
    args = pods_in(defaults)["Deployment"]["containers"][0]["args"]
    assert f"--template={name_of(template_of(defaults))}" in args
    assert "--skeletons=autopilot-skeletons" in args
    assert "--agent-image=uwsgi-autopilot:dev" in args


def test_one_operator_stands_by_on_another_node_and_an_update_leaves_one(defaults: list[Object]) -> None:
    (operator,) = (each for each in defaults if each["kind"] == "Deployment")
    spec, labels = operator["spec"], operator["spec"]["template"]["metadata"]["labels"]
    assert (spec["replicas"], spec["strategy"]["rollingUpdate"]["maxUnavailable"]) == (2, 0)
    (spread,) = spec["template"]["spec"]["topologySpreadConstraints"]
    (budget,) = (each for each in defaults if each["kind"] == "PodDisruptionBudget")
    assert budget["spec"]["maxUnavailable"] == 1
    for selector in (spread["labelSelector"], budget["spec"]["selector"], spec["selector"]):
        assert selector["matchLabels"].items() <= labels.items()


def test_one_alone_may_be_evicted(render: Render) -> None:
    kinds = {each["kind"] for each in render({"operator": {"replicas": 1}})}
    assert "PodDisruptionBudget" not in kinds
