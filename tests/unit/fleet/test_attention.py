"""Which pods are polled every second."""

import pytest

from tests.unit.fleet.making import NOW, OTHER, START, a_fleet, a_pod
from uwsgi_autopilot.api.desired import Version
from uwsgi_autopilot.fleet.attention import is_hot
from uwsgi_autopilot.fleet.change import Change, Stage


@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        pytest.param(Stage.STARTING, True, id="it is compared with the pod that is given a shape"),
        pytest.param(Stage.TRYING, True, id="it is compared with the pod that tries one"),
        pytest.param(Stage.REVERTING, False, id="that pod returns"),
        pytest.param(None, False, id="nothing is pending"),
    ],
)
def test_a_pod_without_load_that_keeps_its_shape(stage, expected):
    change = stage and Change(stage=stage, shape=OTHER, before=START, version=Version(2, 1), issued_at=NOW, pod="a")
    state = a_fleet(a_pod("a"), a_pod("b"), change=change)
    assert is_hot(state, state.pods["b"]) is expected
