"""The life of the chart's definition: installed, brought along by an upgrade, never taken away.

A release of its own, whose operator looks at its own empty namespace only. It is installed, tested, upgraded and
uninstalled by the commands of the pages, but for its name and for the values that keep it to itself.
"""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.place import Place
from tests.e2e.release import Release
from tests.e2e.shell import Shell
from tests.pages import commands
from uwsgi_autopilot.api.crd import COLUMNS, NAME, WIDE, crd
from uwsgi_autopilot.resources.labels import FIELD_MANAGER

CHART = str(Path(__file__).parents[2] / "chart")
SPACE = "e2e-upgrade"
VALUES = ("--namespace", SPACE, "--set", f"operator.watchNamespaces={{{SPACE}}}", "--set", "operator.allowOverlap=true")
INSTEAD = {
    "uwsgi-autopilot chart/": "spare chart/",
    "helm test uwsgi-autopilot": "helm test spare",
    "helm uninstall uwsgi-autopilot": "helm uninstall spare",
    "--namespace uwsgi-autopilot": f"--namespace {SPACE}",
}
INSTALL, TEST = commands("chart/README.md", "helm test")


@pytest.fixture(scope="module")
def typed(cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    return Shell(cluster, SPACE, tmp_path_factory.mktemp("upgrade"), INSTEAD)


@pytest.fixture(scope="module")
def release(cluster: Any, release: Release, typed: Shell) -> Iterator[str]:
    """Installed into a namespace that enforces Pod Security `restricted`, when the tests' own release is there, which
    would be refused afterwards."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    cluster.kubectl("delete", "namespace", SPACE, "--ignore-not-found")
    cluster.kubectl("create", "namespace", SPACE)
    cluster.kubectl("label", "namespace", SPACE, *(f"{key}={value}" for key, value in labels.items()))
    assert INSTALL.startswith(commands("README.md", "helm install")[1])
    typed(f"{INSTALL} --timeout 2m {' '.join(VALUES[2:])}")
    yield "spare"
    cluster.helm("uninstall", "spare", "--namespace", SPACE, "--ignore-not-found")
    cluster.kubectl("delete", "namespace", SPACE, "--wait=false")


def columns(cluster: Any) -> list[str]:
    (version,) = cluster.json("get", "crd", NAME)["spec"]["versions"]
    return [column["name"] for column in version["additionalPrinterColumns"]]


def test_helm_test_is_content(typed: Shell, release: str) -> None:
    assert "Phase:          Succeeded" in typed(TEST)


def test_the_notes_say_what_to_type_next(cluster: Any, release: str) -> None:
    notes = cluster.helm("get", "notes", release, "--namespace", SPACE)
    assert f"kubectl apply --namespace {SPACE} --filename app/uwsgiapp.yaml" in notes
    assert f"kubectl get uwsgiapps --namespace {SPACE} --watch" in notes


def make_older(cluster: Any) -> None:
    older = '[{"op": "remove", "path": "/spec/versions/0/additionalPrinterColumns/0"}]'
    cluster.kubectl("patch", "crd", NAME, "--type=json", f"--patch={older}")
    assert columns(cluster) != [name for name, _, _ in (*COLUMNS, *WIDE)]


@pytest.mark.parametrize("page", ["chart/README.md", "docs/kubernetes.md"])
def test_an_upgrade_brings_the_definition_along(cluster: Any, typed: Shell, release: str, page: str) -> None:
    make_older(cluster)
    upgrades = {
        "chart/README.md": commands("chart/README.md", "helm upgrade"),
        "docs/kubernetes.md": commands("docs/kubernetes.md", "helm upgrade"),
    }

    typed(f"{upgrades[page][0]} --wait --timeout 2m")

    assert columns(cluster) == [name for name, _, _ in (*COLUMNS, *WIDE)]
    left = cluster.kubectl("get", "job,clusterrole,clusterrolebinding", "--all-namespaces", "-o", "name")
    assert f"{release}-{SPACE}-crd" not in left


def test_the_upgrade_may_be_left_out(cluster: Any, release: str) -> None:
    before = cluster.json("get", "crd", NAME)["metadata"]["resourceVersion"]
    cluster.helm("upgrade", release, CHART, *VALUES, "--set", "crds.upgrade=false", "--wait", "--timeout", "2m")
    assert cluster.json("get", "crd", NAME)["metadata"]["resourceVersion"] == before


@pytest.mark.parametrize("scenario", sorted((Path(CHART) / "ci").glob("*-values.yaml")), ids=lambda path: path.stem)
def test_the_api_server_takes_what_the_chart_makes(cluster: Any, release: str, scenario: Path) -> None:
    """As a dry run in namespaces that exist; unknown fields are refused."""
    here = ("--set", f"networkPolicy.namespaces={{{SPACE}}}", "--set", f"operator.watchNamespaces={{{SPACE}}}")
    text = cluster.helm("template", "other", CHART, "--namespace", SPACE, "--values", str(scenario), *here)
    made = cluster.kubectl("apply", "--dry-run=server", "--validate=strict", "--filename=-", input=text)
    assert made.count("created (server dry run)") == text.count("\nkind: ")


def test_an_older_chart_takes_no_field_away_and_its_operator_serves_all_the_same(
    cluster: Any, release: str, namespace: Place
) -> None:
    """A release of tomorrow has been here: its definition has a field more, and the API server fills its default in."""
    newer = copy.deepcopy(crd())
    fields = newer["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    fields["future"] = {"type": "string", "default": "bright"}
    _define(cluster, newer)
    try:
        namespace.make(wait=False, future="dark")
        cluster.helm("upgrade", release, CHART, *VALUES, "--wait", "--timeout", "2m")
        namespace.ready()
        assert namespace.app()["spec"]["future"] == "dark"
    finally:
        _define(cluster, crd())


def _define(cluster: Any, definition: dict[str, Any]) -> None:
    """By the name that the chart's Job has, too."""
    apply = ("apply", "--server-side", "--force-conflicts", f"--field-manager={FIELD_MANAGER}", "--filename=-")
    cluster.kubectl(*apply, input=json.dumps(definition))


def test_uninstalling_leaves_the_definition(cluster: Any, typed: Shell, release: str) -> None:
    uid = cluster.json("get", "crd", NAME)["metadata"]["uid"]
    (uninstall,) = commands("chart/README.md", "helm uninstall")
    typed(f"{uninstall} --wait")
    assert cluster.json("get", "crd", NAME)["metadata"]["uid"] == uid
    left = cluster.kubectl("get", "clusterrole,clusterrolebinding,podtemplate", "--namespace", SPACE, "-o", "name")
    assert release not in left


def test_installing_over_a_definition_that_was_left_brings_it_along(cluster: Any, release: str) -> None:
    make_older(cluster)
    cluster.helm("upgrade", "--install", release, CHART, *VALUES, "--wait", "--timeout", "2m")
    assert columns(cluster) == [name for name, _, _ in (*COLUMNS, *WIDE)]


def test_a_second_release_for_the_same_namespaces_is_refused(cluster: Any, release: str) -> None:
    with pytest.raises(AssertionError, match="already manages e2e-upgrade"):
        cluster.helm(
            "install", "third", CHART, "--namespace", "default", "--set", f"operator.watchNamespaces={{{SPACE}}}"
        )


def test_a_release_for_one_namespace(cluster: Any, typed: Shell, release: str) -> None:
    """The tests' own operator looks after all of them, so this one has to be told that it may, too."""
    (install,) = commands("docs/kubernetes.md", "helm install autopilot-a")
    cluster.kubectl("delete", "namespace", "team-a", "--ignore-not-found")
    try:
        typed(f"{install} --set operator.allowOverlap=true --wait --timeout 2m")
        roles = cluster.kubectl("get", "roles", "--namespace", "team-a", "-o", "name")
        assert "autopilot-a" in roles
    finally:
        cluster.helm("uninstall", "autopilot-a", "--namespace", "team-a", "--ignore-not-found")
        cluster.kubectl("delete", "namespace", "team-a", "--wait=false")
