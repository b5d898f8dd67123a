"""An agent that says a secret, because the pod answered in its place: where the operator repeats it, it is hidden."""

import asyncio
import json
import logging
from datetime import datetime, timezone

import pytest

from tests.unit.controller.loop import Loop, app_body, sample, state
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.controller.main import MaskedFormatter
from uwsgi_autopilot.controller.report import told_of
from uwsgi_autopilot.report.reasons import Reason, WishReason
from uwsgi_autopilot.resources.app import App
from uwsgi_autopilot.resources.conditions import Seen
from uwsgi_autopilot.resources.status import status_of
from uwsgi_autopilot.tuner.memory import Asked, Memory, Point
from uwsgi_autopilot.tuner.phases import Phase

WANTED = Shape(2, 16)
MESSAGE = """the new generation ended with status 22 before it accepted requests: Traceback (most recent call last):
  File "/app/wsgi.py", line 3, in <module>
    connect(password="hunter2", token='hunter2')
RuntimeError: cannot connect to postgres://app:hunter2@db/shop: {"api_key": "hunter2", "Cookie": "sid=hunter2"}"""


def refused_with(message: str) -> Loop:
    """The pod was asked for another shape, took the wish, and gave it up."""

    async def story() -> Loop:
        loop = Loop("shop")
        await loop.turn()
        pilot = loop.tuned("shop").pilot
        before = Point(
            shape=Shape(2, 4), throughput=100.0, demand=8.0, in_service=8.0, service_s=0.08, cpu_s=0.001, wait_s=0.079,
            error_share=0.0, samples=10, spread=0.01, foreign_cpu=0.0, cores=2.0, cpu_full=False,
        )  # fmt: skip
        asked = Asked(shape=WANTED, before=before, at=1.0, reason=Reason.FIRST_JUMP, better=True)
        pilot.memory = Memory(asked=asked, phase=Phase.VERIFY)
        pilot.subject = "shop-1"
        refusal = {"reason": WishReason.START_FAILED.value, "message": message, "seq": None, "shape": WANTED.to_json()}
        loop.agents.answers["shop-1"] = state("shop-1", refused=refusal, samples=[sample(seq=5, at=5.0)])
        told = asyncio.create_task(loop.tuning.events.run())
        await loop.turns(5)
        told.cancel()
        return loop

    return asyncio.run(story())


@pytest.mark.parametrize("message", [MESSAGE, MESSAGE + "x" * 200_000], ids=["a traceback", "a very long one"])
def test_it_is_in_no_event_no_log_line_no_configmap_and_no_status(message, caplog):
    with caplog.at_level(logging.DEBUG):
        loop = refused_with(message)
    events = [each["note"] for (kind, *_), each in loop.kube.objects.items() if kind == "Event"]
    lines = [each.getMessage() for each in caplog.records]
    stored = json.dumps(loop.kube.objects["ConfigMap", "web", "shop-tuning"])
    body = app_body("shop")
    told = told_of(loop.tuned("shop").pilot, loop.now)
    seen = Seen(deployment=None, problem=None)
    status = json.dumps(status_of(body, App.from_body(body), seen, told, now=datetime.now(timezone.utc)))
    for place in ("\n".join(events), "\n".join(lines), stored, status):
        assert "the new generation ended with status 22" in place
        assert "hunter2" not in place
    assert len(loop.tuned("shop").pilot.history[-1].message) <= 256


def test_the_operators_log_hides_the_api_servers_words_too():
    words = 'Deployment "shop" is invalid: env[0]: Invalid value: "postgres://app:hunter2@db/shop"'
    record = logging.LogRecord("x", logging.WARNING, __file__, 1, "not written error=%s", (words,), None)
    told = MaskedFormatter("%(levelname)s %(message)s").format(record)
    assert told == f"WARNING not written error={words.replace('hunter2', '***')}"
