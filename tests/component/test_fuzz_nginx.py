"""nginx itself about the nginx.conf of manifests that were drawn: what the operator accepts, nginx starts with."""

import subprocess

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings

from tests.unit.fuzz.manifests import body, specs
from tests.unit.resources.making import SETTINGS, SKELETONS, TEMPLATE
from uwsgi_autopilot.errors import SpecError
from uwsgi_autopilot.resources.app import App
from uwsgi_autopilot.resources.objects import desired

pytestmark = [pytest.mark.component, pytest.mark.fuzz]

# `nginx -t` takes 20 ms, and more where others use the machine.
A_TENTH = settings(
    max_examples=max(1, settings().max_examples // 10),
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@A_TENTH
@given(spec=specs(of=("nginx", "uwsgi", "health")))
def test_what_the_operator_accepts_nginx_starts_with(spec, nginx_program, tmp_path):
    if isinstance(spec.get("nginx"), dict):
        spec["nginx"].pop("snippet", None)  # whether nginx knows its words, only nginx can say
    try:
        made = desired(App.from_body(body(spec)), template=TEMPLATE, skeletons=SKELETONS, settings=SETTINGS)
    except SpecError:
        assume(False)
    (tmp_path / "run").mkdir(exist_ok=True)
    text = made[1]["data"]["nginx.conf"].replace("/run/uwsgi-autopilot/", f"{tmp_path}/run/")
    (tmp_path / "nginx.conf").write_text(text.replace('"/tmp/', f'"{tmp_path}/'), encoding="utf-8")
    command = [nginx_program, "-t", "-q", "-p", tmp_path, "-c", tmp_path / "nginx.conf", "-e", "stderr"]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
