"""When the autopilot is content: the demo goes on then."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from tests.unit.fleet.making import NOW, OTHER, PROMOTED, START, an_app
from uwsgi_autopilot.api.uwsgiapp import Mode
from uwsgi_autopilot.fleet.change import Change, Stage
from uwsgi_autopilot.fleet.state import Word
from uwsgi_autopilot.local.autopilot import Autopilot
from uwsgi_autopilot.report.reasons import Reason

CHANGE = Change(stage=Stage.STARTING, shape=OTHER, before=START, version=PROMOTED.version, issued_at=NOW, pod="a")


@pytest.mark.parametrize(
    ("settled", "change", "reason", "busy"),
    [
        pytest.param(False, None, Reason.NOISY_NEIGHBOR, True, id="a guard holds it: it has not decided anything"),
        pytest.param(True, None, Reason.SETTLED, False, id="nothing better is known"),
        pytest.param(True, CHANGE, Reason.FIRST_JUMP, True, id="a change is pending"),
    ],
)
def test_it_is_busy_until_nothing_better_is_known(settled, change, reason, busy):
    autopilot = Autopilot(SimpleNamespace(app=an_app(), start_shape=START), mode=Mode.AUTO)
    assert autopilot.busy
    memory = replace(autopilot.state.memory, settled=settled)
    word = Word(reason=reason, message="…")
    autopilot.state = replace(autopilot.state, memory=memory, change=change, word=word)
    assert autopilot.busy is busy
