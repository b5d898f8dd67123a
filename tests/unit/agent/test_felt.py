"""How much of what others use on the machine is taken from us."""

import pytest

from uwsgi_autopilot.agent.signals.cpu import felt


@pytest.mark.parametrize(
    ("foreign", "cores", "machine", "expected"),
    [
        pytest.param(1.5, 2.0, 2.0, 1.5, id="no limit: all of it"),
        pytest.param(0.8, 1.0, 2.0, 0.0, id="one core for us, others use most of the other"),
        pytest.param(1.5, 1.0, 2.0, 0.5, id="one core for us, others want more than theirs"),
        pytest.param(10.0, 1.0, 64.0, 0.0, id="a small pod on a large busy node"),
    ],
)
def test_felt(foreign, cores, machine, expected):
    assert felt(foreign, cores, machine) == pytest.approx(expected)
