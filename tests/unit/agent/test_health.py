"""When an application is ready, from signs of life and a clock alone."""

import pytest

from uwsgi_autopilot.agent.health import Health, Signs
from uwsgi_autopilot.api.agentconfig import AgentConfig
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.uwsgi.request import NoAnswer

CONFIG = AgentConfig(
    name="shop", uwsgi=("uwsgi",), module="wsgi:app", chdir="/", socket="/s", private="/p", desired="/w",
    start=Shape(1, 1), listen=(), hang_seconds=60.0,
)  # fmt: skip
SILENT = Signs(serving=True)
ANSWERED = Signs(serving=True, answer=200)


def after(*story):
    """The health after (seconds, signs of each of them), one step a second."""
    health, now = Health(CONFIG), 1000.0
    for seconds, signs in story:
        for _ in range(seconds):
            now += 1
            health.step(now, signs)
    return health


@pytest.mark.parametrize(
    ("story", "ready", "why"),
    [
        pytest.param([(5, Signs(serving=False))], False, "no generation of uWSGI accepts", id="still importing"),
        pytest.param([(5, SILENT)], False, "has not answered yet", id="nobody asked yet"),
        pytest.param([(1, ANSWERED)], True, "requests are answered", id="an answer below 500"),
        pytest.param([(1, Signs(serving=True, answer=400))], True, "are answered",
                     id="a Host that Django does not know"),
        pytest.param([(9, Signs(serving=True, answer=500, finished=1))], False, "/ was answered with status 500",
                     id="finished requests alone do not make it ready"),
        pytest.param([(9, Signs(serving=True, answer=NoAnswer.HUNG_UP))], False, "closed without an answer",
                     id="a callable that is none"),
        pytest.param([(9, Signs(serving=True, answer=NoAnswer.LATE))], False, "has not answered yet",
                     id="too slow yet"),
        pytest.param([(9, Signs(serving=True, answer=500)), (1, ANSWERED)], True, "are answered", id="after failures"),
        pytest.param([(1, ANSWERED), (59, SILENT)], True, "are answered", id="silent, one second short"),
        pytest.param([(1, ANSWERED), (60, SILENT)], False, "the application hangs: for 60 s", id="silent for too long"),
        pytest.param([(1, ANSWERED), (900, Signs(serving=True, queue=9, in_service=2))], False,
                     "2 in service and 9 in the queue", id="a queue does not hide it"),
        pytest.param([(1, ANSWERED), (900, Signs(serving=True, answer=NoAnswer.LATE))], False, "/ got no answer",
                     id="its own question gets no answer either"),
        pytest.param([(1, ANSWERED), (900, Signs(serving=True, answer=NoAnswer.HUNG_UP))], False, "hangs",
                     id="workers killed with every request in hand"),
        pytest.param([(1, ANSWERED), (900, Signs(serving=True, finished=1, queue=2000))], True, "are answered",
                     id="overloaded"),
        pytest.param([(1, ANSWERED), (900, Signs(serving=True, wrote=True))], True, "are answered",
                     id="a long answer that moves"),
        pytest.param([(1, ANSWERED), (900, Signs(serving=True, answer=503))], True, "/ was answered with status 503",
                     id="a database that is away takes no replica out"),
        pytest.param([(1, ANSWERED), (300, SILENT), (1, Signs(serving=True, finished=1))], True, "are answered",
                     id="it lives again"),
        pytest.param([(1, ANSWERED), (9, Signs(serving=False)), (1, SILENT)], True, "are answered",
                     id="a generation that died was replaced"),
    ],
)  # fmt: skip
def test_ready_or_not_and_why(story, ready, why):
    health = after(*story)
    assert why in health.why
    assert health.ready is ready


def test_time_that_nobody_watched_is_no_silence():
    """A machine that was suspended for an hour, between two steps."""
    health = Health(CONFIG)
    health.step(1000.0, ANSWERED)
    health.step(4600.0, SILENT)
    assert health.ready


@pytest.mark.parametrize(
    ("story", "asks"),
    [
        pytest.param([(1, SILENT)], True, id="not ready yet"),
        pytest.param([(1, ANSWERED), (9, SILENT)], False, id="answered a moment ago"),
        pytest.param([(1, ANSWERED), (10, SILENT)], True, id="idle"),
        pytest.param([(1, ANSWERED), (50, Signs(serving=True, finished=1))], False, id="never beside requests"),
    ],
)
def test_when_it_asks_itself(story, asks):
    assert after(*story).should_ask is asks


def test_failures_are_counted_until_an_answer_comes():
    failed = Signs(serving=True, answer=500)
    assert after((4, failed), (3, SILENT)).failing == 4
    assert after((4, failed), (1, ANSWERED)).failing == 0
    assert after((1, ANSWERED), (4, failed)).failing == 0, "it is ready, and stays it"
