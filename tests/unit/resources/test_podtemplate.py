"""The pod: the chart's template, the application's fields, its overlay, and what no overlay may touch."""

import json
import subprocess
import sys
from copy import deepcopy

import pytest

from tests.unit.resources.making import SETTINGS, SKELETONS, TEMPLATE, app, body, named, objects, pod_of
from uwsgi_autopilot.api.agentconfig import read_agent_config
from uwsgi_autopilot.errors import SpecError, TemplateError
from uwsgi_autopilot.resources.app import App
from uwsgi_autopilot.resources.objects import desired
from uwsgi_autopilot.resources.protected import INIT_CONTAINERS, VOLUMES
from uwsgi_autopilot.resources.staticfiles import COPY


def test_the_applications_fields_reach_its_container():
    spec = pod_of(
        python="/venv/bin/python",
        imagePullPolicy="Always",
        imagePullSecrets=[{"name": "registry"}],
        env=[{"name": "MODE", "value": "x"}],
        envFrom=[{"secretRef": {"name": "s"}}],
    )
    container = named(spec["containers"], "app")
    assert (container["image"], container["imagePullPolicy"]) == ("shop:1.4", "Always")
    assert container["command"][:3] == ["/venv/bin/python", "-I", "/opt/uwsgi-autopilot/agent.pyz"]
    assert {each["name"] for each in container["env"]} == {"MODE", "AUTOPILOT_POD_UID"}
    assert container["envFrom"] == [{"secretRef": {"name": "s"}}]
    assert spec["imagePullSecrets"] == [{"name": "registry"}]
    assert spec["serviceAccountName"] == "shop"
    assert named(spec["initContainers"], "agent")["image"] == "uwsgi-autopilot:dev"


def test_resources_are_the_applications_own_or_the_templates():
    """Half of each could ask for more than the limit."""
    assert named(pod_of()["containers"], "app")["resources"] == {"requests": {"cpu": "100m", "memory": "128Mi"}}
    found = named(pod_of(resources={"limits": {"cpu": 2, "memory": "64Mi"}})["containers"], "app")["resources"]
    assert found == {"requests": {}, "limits": {"cpu": "2", "memory": "64Mi"}}


def test_without_an_image_nothing_is_made():
    manifest = body()
    del manifest["spec"]["image"]
    with pytest.raises(SpecError) as error:
        desired(App.from_body(manifest), template=TEMPLATE, skeletons=SKELETONS, settings=SETTINGS)
    assert error.value.problems[0][0] == "spec.image"


def test_a_manifest_that_breaks_a_rule_is_refused_with_its_path():
    with pytest.raises(SpecError) as error:
        app(tuning={"processes": {"min": 4, "max": 2}}, uwsgi={"options": [{"name": "threads", "value": "2"}]})
    assert [path for path, _ in error.value.problems] == ["spec.uwsgi.options[0].name", "spec.tuning.processes.max"]


# --- the template


@pytest.mark.parametrize(
    ("field", "name"),
    [("containers", "app"), ("containers", "nginx")]
    + [("initContainers", name) for name in INIT_CONTAINERS]
    + [("volumes", name) for name in VOLUMES],
)
def test_a_template_without_one_of_our_pieces_is_refused_by_name(field, name):
    chart = deepcopy(TEMPLATE)
    chart["template"]["spec"][field] = [each for each in chart["template"]["spec"][field] if each["name"] != name]
    with pytest.raises(TemplateError, match=f"uwsgi-autopilot-template-0a1b2c3d has no [a-z ]* {name}:"):
        objects(chart=chart)


# --- the time to stop

LONGER = {"preStop": {"sleep": {"seconds": 30}}}


@pytest.mark.parametrize(
    ("spec", "grace"),
    [
        pytest.param({}, 85, id="10 s sleep, 60 s timeout, 15 s"),
        pytest.param({"nginx": {"readTimeout": "5m"}}, 325, id="a longer request"),
        pytest.param(
            {"template": {"spec": {"containers": [{"name": "nginx", "lifecycle": LONGER}]}}},
            105,
            id="a longer sleep",
        ),
        pytest.param({"template": {"spec": {"terminationGracePeriodSeconds": 600}}}, 600, id="asked for"),
    ],
)
def test_the_agent_is_done_before_the_kubelet_kills(spec, grace, tmp_path):
    made = objects(**spec)
    assert made["Deployment"]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == grace
    file = tmp_path / "agent.json"
    file.write_text(made["config"]["data"]["agent.json"], encoding="utf-8")
    config = read_agent_config(file)
    assert config.drain_seconds == grace - 5
    assert config.start_seconds == 300


def test_the_agent_waits_for_a_start_as_long_as_the_probe_does(tmp_path):
    slow = {"containers": [{"name": "app", "startupProbe": {"periodSeconds": 2, "failureThreshold": 450}}]}
    (tmp_path / "agent.json").write_text(objects(template={"spec": slow})["config"]["data"]["agent.json"])
    assert read_agent_config(tmp_path / "agent.json").start_seconds == 900


# --- static files


def test_static_files_are_copied_by_the_applications_own_image(tmp_path):
    static = [{"path": "/static", "dir": "assets"}, {"path": "/media", "dir": "/srv/media"}]
    made = objects(chdir="/app", nginx={"static": static})
    container = named(made["Deployment"]["spec"]["template"]["spec"]["initContainers"], "static")
    assert container["image"] == "shop:1.4"
    assert container["command"][-4:] == ["/app/assets", "/srv/static/0", "/srv/media", "/srv/static/1"]
    conf = made["config"]["data"]["nginx.conf"]
    assert 'alias "/srv/static/0/";' in conf
    assert 'alias "/srv/static/1/";' in conf


def test_without_static_files_there_is_no_such_init_container():
    assert [each["name"] for each in pod_of()["initContainers"]] == ["agent"]


def test_the_copy_can_be_read_by_another_user(tmp_path):
    source, target = tmp_path / "assets", tmp_path / "static" / "0"
    (source / "css").mkdir(parents=True)
    (source / "css" / "a.css").write_text("a {}")
    (source / "css" / "a.css").chmod(0o600)
    (source / "link.css").symlink_to(source / "css" / "a.css")
    (source / "dangling").symlink_to("/nowhere")
    (source / "css").chmod(0o700)
    for _ in range(2):  # a container that starts again
        subprocess.run([sys.executable, "-I", "-c", COPY, str(source), str(target)], check=True, timeout=30)
    assert (target / "link.css").read_text() == "a {}"
    assert {oct(path.stat().st_mode)[-3:] for path in target.rglob("*.css")} == {"644"}
    assert oct((target / "css").stat().st_mode)[-3:] == "755"


def test_agent_json_holds_only_what_is_not_a_default():
    """A field that a later operator adds must not change the hash, and so restart every pod."""
    told = json.loads(objects()["config"]["data"]["agent.json"])
    assert {"backlog", "min_processes", "extra", "cores", "health_path"}.isdisjoint(told)
