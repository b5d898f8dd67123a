"""When the pod that tries is worse off than the others, and when all are overloaded."""

import pytest

from uwsgi_autopilot.fleet.compare import Baseline, overloaded, worse_off
from uwsgi_autopilot.fleet.pod import Figures


def figures(*, rps=100.0, inside=10.0, queue=2.0, service_s=0.08, errors=0.0, seconds=5.0):
    return Figures(
        rps=rps, inside=inside, queue=queue, service_s=service_s, errors=errors, requests=rps * seconds, seconds=seconds
    )


BEFORE = Baseline.of(figures(), figures())


@pytest.mark.parametrize(
    ("tried", "others", "expected"),
    [
        pytest.param(figures(), figures(), False, id="nothing changed"),
        pytest.param(figures(inside=20.0), figures(), True, id="requests stay twice as long in it"),
        pytest.param(figures(inside=20.0), figures(inside=20.0), False, id="and in all others too: it is the load"),
        pytest.param(figures(inside=4.0), figures(), False, id="requests leave it sooner, at the same rate"),
        pytest.param(figures(errors=0.1), figures(), True, id="a tenth of its requests fail"),
        pytest.param(figures(errors=0.1), figures(errors=0.1), False, id="the others fail as well"),
        pytest.param(figures(inside=20.0, rps=5.0), figures(), False, id="too few requests to say"),
    ],
)
def test_worse_off(tried, others, expected):
    assert (worse_off(BEFORE, tried, others) is not None) is expected


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param(None, False, id="nobody knows"),
        pytest.param(figures(queue=4.0, rps=1.0), False, id="four wait"),
        pytest.param(figures(queue=90.0), False, id="they wait for 0.9 s"),
        pytest.param(figures(queue=110.0), True, id="they wait for 1.1 s"),
        pytest.param(figures(queue=110.0, service_s=0.5), False, id="1.1 s is little where serving takes 0.5 s"),
        pytest.param(figures(queue=20.0, rps=0.0, service_s=None), True, id="nothing is answered at all"),
    ],
)
def test_overloaded(now, expected):
    assert overloaded(now) is expected
