"""An agent that says a secret, because the pod answered in its place: where the operator repeats it, it is hidden."""

import asyncio
import json
import logging
from dataclasses import replace
from datetime import datetime, timezone

import pytest

from tests.unit.controller.making import PROMOTED, answer, app_body, promoted_map
from tests.unit.controller.world import Quiet
from tests.unit.resources.making import status_of
from uwsgi_autopilot.api.desired import Version
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.controller.logs import MaskedFormatter
from uwsgi_autopilot.fleet.change import Change, Stage
from uwsgi_autopilot.report.reasons import RefusalReason
from uwsgi_autopilot.resources.app import App
from uwsgi_autopilot.resources.conditions import Seen

TRIED, TRIAL = Shape(2, 16), Version(2, 1)
MESSAGE = """the new generation ended with status 22 before it accepted requests: Traceback (most recent call last):
  File "/app/wsgi.py", line 3, in <module>
    connect(password="hunter2", token='hunter2')
RuntimeError: cannot connect to postgres://app:hunter2@db/shop: {"api_key": "hunter2", "Cookie": "sid=hunter2"}"""


def refused_with(message: str) -> Quiet:
    """The pod was given another shape on trial, accepted it, and gave it up."""
    scene = Quiet(promoted_map(PROMOTED))
    scene.answers["shop-0"] = answer("shop-0", shape=PROMOTED.shape, accepted=PROMOTED.version)
    scene.step(2)
    assert scene.runner.state is not None
    change = Change(
        stage=Stage.STARTING, shape=TRIED, before=PROMOTED.shape, version=TRIAL, issued_at=scene.now, pod="shop-0"
    )
    scene.runner.state = replace(scene.runner.state, change=change, last=TRIAL)
    refusal = {"reason": RefusalReason.START_FAILED.value, "message": message, "at": 1.0, "shape": TRIED.to_json()}
    refusal |= TRIAL._asdict()
    scene.answers["shop-0"] = answer("shop-0", shape=PROMOTED.shape, accepted=TRIAL, refused=refusal)
    scene.step()

    async def told() -> None:
        writing = asyncio.create_task(scene.runner.events.run())
        for _ in range(100):
            await asyncio.sleep(0)
        writing.cancel()

    asyncio.run(told())
    return scene


@pytest.mark.parametrize("message", [MESSAGE, MESSAGE + "x" * 200_000], ids=["a traceback", "a very long one"])
def test_it_is_in_no_event_no_log_line_no_configmap_and_no_status(message, caplog):
    with caplog.at_level(logging.DEBUG):
        scene = refused_with(message)
    events = [each["note"] for (kind, *_), each in scene.kube.objects.items() if kind == "Event"]
    lines = [each.getMessage() for each in caplog.records]
    stored = json.dumps(scene.kube.objects["ConfigMap", "web", "shop-tuning"])
    body = app_body()
    seen = Seen(deployment=None, problem=None)
    status = json.dumps(
        status_of(body, App.from_body(body), seen, scene.runner.status(), now=datetime.now(timezone.utc))
    )
    for place in ("\n".join(events), "\n".join(lines), stored, status):
        assert "the new generation ended with status 22" in place
        assert "hunter2" not in place
    assert len(scene.runner.state.history[-1].message) <= 256


def test_the_operators_log_hides_the_api_servers_words_too():
    words = 'Deployment "shop" is invalid: env[0]: Invalid value: "postgres://app:hunter2@db/shop"'
    record = logging.LogRecord("x", logging.WARNING, __file__, 1, "not written error=%s", (words,), None)
    told = MaskedFormatter("%(levelname)s %(message)s").format(record)
    assert told == f"WARNING not written error={words.replace('hunter2', '***')}"
