"""docs/gitops.md: what it says to Argo CD and Flux, taken from the page. The health check is run by Lua."""

from datetime import datetime, timezone
from typing import Any

import pytest
import yaml
from lupa import lua51

from tests.chart.helm import CHART, Object
from tests.pages import blocks
from tests.unit.resources.making import app, body, status_of
from tests.unit.resources.test_causes import AILING
from uwsgi_autopilot.api.crd import crd
from uwsgi_autopilot.resources.conditions import Seen
from uwsgi_autopilot.resources.tuned import TuningStatus

PAGE = [each for block in blocks("docs/gitops.md", "yaml") for each in yaml.safe_load_all(block.text)]
NOW = datetime(2026, 11, 23, 9, 30, tzinfo=timezone.utc)


def of_kind(kind: str) -> Object:
    (found,) = (each for each in PAGE if each["kind"] == kind)
    return dict(found)


# --- Argo CD


def test_argo_cds_values_are_the_charts_and_leave_no_hook_but_the_test(render: Any) -> None:
    source = of_kind("Application")["spec"]["source"]
    assert source["path"] == CHART.name
    hooks = {
        (each["kind"], each["metadata"]["annotations"]["helm.sh/hook"])
        for each in render(source["helm"]["valuesObject"])
        if "helm.sh/hook" in each["metadata"].get("annotations", {})
    }
    assert hooks == {("Pod", "test")}, "Argo CD does not run tests"


def test_the_definition_outlives_argo_cds_application() -> None:
    options = crd()["metadata"]["annotations"]["argocd.argoproj.io/sync-options"].split(",")
    assert set(options) == {"Prune=false", "Delete=false"}


def health(manifest: Object) -> tuple[str, str]:
    """(status, message), by the script of the page. Argo CD's Lua is 5.1, too."""
    lua = lua51.LuaRuntime()
    script = of_kind("ConfigMap")["data"]["resource.customizations.health.uwsgi-autopilot.dev_UwsgiApp"]
    lua.globals().obj = lua.table_from(manifest, recursive=True)
    found = lua.execute(script)
    return found["status"], found["message"]


def manifest_of(name: str) -> Object:
    """An application as a cluster has it, with the status that the operator writes for what was recorded there."""
    found = body()
    status = status_of(found, app(), Seen(**AILING[name]), TuningStatus(), now=NOW)
    return {**found, "status": {**status, "observedGeneration": found["metadata"]["generation"]}}


@pytest.mark.parametrize("name", sorted(AILING))
def test_health_follows_the_conditions_and_tells_the_cause(name: str) -> None:
    manifest = manifest_of(name)
    of = {each["type"]: each for each in manifest["status"]["conditions"]}
    status, message = health(manifest)
    assert message == f"{of['Ready']['reason']}: {of['Ready']['message']}"
    if of["Ready"]["status"] == "True":
        assert status == "Healthy"
    else:
        assert status == ("Progressing" if of["Progressing"]["status"] == "True" else "Degraded")


def test_all_three_answers_are_given_to_what_a_cluster_showed() -> None:
    answers = {health(manifest_of(name))[0] for name in AILING}
    assert {"Healthy", "Progressing"} <= answers
    assert health(manifest_of("demo"))[0] == "Healthy"


def test_one_that_is_stuck_is_degraded() -> None:
    manifest = manifest_of("bad-image")
    for each in manifest["status"]["conditions"]:
        if each["type"] == "Progressing":
            each["status"] = "False"
    assert health(manifest)[0] == "Degraded"


@pytest.mark.parametrize(
    "status",
    [
        pytest.param(None, id="no status"),
        pytest.param({}, id="an empty one"),
        pytest.param({"observedGeneration": 3, "conditions": []}, id="no conditions"),
        pytest.param({"observedGeneration": 3}, id="none at all"),
    ],
)
def test_before_the_operator_has_looked_it_is_progressing(status: Any) -> None:
    manifest = body() | ({"status": status} if status is not None else {})
    assert health(manifest) == ("Progressing", "the operator has not looked at it yet")


def test_what_is_said_of_an_older_manifest_does_not_count() -> None:
    manifest = manifest_of("demo")
    manifest["metadata"] = manifest["metadata"] | {"generation": 4}
    assert health(manifest)[0] == "Progressing"


# --- Flux


def test_flux_takes_the_chart_from_where_the_page_puts_it_and_brings_the_definition_along(render: Any) -> None:
    source, release = of_kind("OCIRepository"), of_kind("HelmRelease")
    spec = release["spec"]
    assert spec["chartRef"] == {"kind": source["kind"], "name": source["metadata"]["name"]}
    assert source["metadata"]["namespace"] == release["metadata"]["namespace"]
    assert {spec[when]["crds"] for when in ("install", "upgrade")} == {"CreateReplace"}
    assert [each["kind"] for each in render(spec["values"]) if each["kind"] == "Job"] == []
