"""Whatever UwsgiApp the API server holds: objects that are the same each time, or sentences. No other exception."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import event, given

from tests.unit.fuzz.manifests import ANYTHING, body, specs
from tests.unit.resources.making import SETTINGS, SKELETONS, TEMPLATE
from uwsgi_autopilot.api.agentconfig import AgentConfig, read_agent_config
from uwsgi_autopilot.api.desired import parse_desired
from uwsgi_autopilot.errors import SpecError
from uwsgi_autopilot.resources.app import App
from uwsgi_autopilot.resources.configmaps import promoted_map
from uwsgi_autopilot.resources.objects import CHILDREN, desired
from uwsgi_autopilot.resources.unwritten import cause_of_spec
from uwsgi_autopilot.uwsgi.ini import generation_ini


def made_of(manifest: dict[str, Any]) -> tuple[App, list[dict[str, Any]]] | None:
    """None: refused, in words that fit into a condition."""
    try:
        app = App.from_body(manifest)
        return app, desired(app, template=TEMPLATE, skeletons=SKELETONS, settings=SETTINGS)
    except SpecError as error:
        problems, cause = error.problems, cause_of_spec(error)
    assert problems
    for path, sentence in problems:
        assert path.startswith("spec")
        assert sentence.strip()
        assert sentence.isprintable()
        assert "Traceback" not in sentence
    assert cause.reason in ("ImageMissing", "OverlayRefused", "SpecInvalid")
    assert cause.message.isprintable()
    assert len(cause.message.encode()) <= 1024
    return None


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("m") / "agent.json"


@given(spec=specs())
def test_a_manifest_is_sentences_or_objects_that_a_pod_can_use(file, spec):
    manifest = body(spec)
    before = deepcopy(manifest)
    made, again = made_of(manifest), made_of(deepcopy(manifest))
    event("objects" if made else "sentences")
    assert manifest == before, "it belongs to a cache"
    assert (made is None) == (again is None)
    if made is None or again is None:
        return
    app, objects = made
    assert json.dumps(objects) == json.dumps(again[1])
    assert [each["kind"] for each in objects] == list(CHILDREN)
    for each in objects:
        assert each["metadata"]["namespace"] == "team"
        assert each["metadata"]["ownerReferences"][0]["uid"] == "u-1"
    # The agent's side of it.
    file.write_text(objects[1]["data"]["agent.json"], encoding="utf-8")
    config = read_agent_config(file)
    ini = ini_of(config)
    assert not set(ini) & set("\0\r")
    assert ini_of(config) == ini
    start = parse_desired(promoted_map(app, None)["data"]["desired"])
    assert app.settings.tuning.processes.clamp(start.shape.processes) == start.shape.processes
    assert app.settings.tuning.threads.clamp(start.shape.threads) == start.shape.threads


@given(ANYTHING)
def test_a_spec_that_is_anything(spec):
    made_of(body(spec))


def ini_of(config: AgentConfig) -> str:
    return generation_ini(
        config,
        shape=config.start,
        ceiling=config.ceiling,
        fds=[3],
        fifo="/p/fifo",
        stats="/p/stats",
        shim="/p/shim.py",
        file=False,
    )
