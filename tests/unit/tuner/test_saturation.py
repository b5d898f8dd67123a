"""How busy a pod is, compared with its best shape: whatever shape it has at the moment."""

from dataclasses import replace

import pytest

from tests.unit.tuner.making import WIDE, nobody, seconds
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.tuner.limits import Limits
from uwsgi_autopilot.tuner.load import Load, load_of
from uwsgi_autopilot.tuner.memory import Memory
from uwsgi_autopilot.tuner.saturation import WAITING, best_of, of_few, saturation

LIMITS = replace(WIDE, max_slots=256)
BASE = load_of(seconds(8))
assert BASE is not None
# Requests that wait 200 ms, of clients that wait for their answers: 2x4 is full, 56 of 64 queue.
IO = replace(
    BASE, shape=Shape(2, 4), throughput=40.0, in_service=8.0, queued=56.0, service_s=0.2, wait_s=0.2, cpu_s=0.0003,
    lock_s=0.0, pool_s=0.0, runqueue_s=0.0, worker_cpu=0.01, cores_used=0.02, closed=True, queue_growth=0.0,
    error_share=0.0,
)  # fmt: skip
# Requests that compute 20 ms, on two cores: 100 a second at most. They come at random.
CPU = replace(
    IO, shape=Shape(3, 1), throughput=50.0, in_service=1.1, queued=0.2, service_s=0.021, wait_s=0.0, cpu_s=0.02,
    cores_used=1.0, worker_cpu=0.4, closed=False,
)  # fmt: skip


def of(load: Load, *, settled: bool = False, changeable: bool = True, limits: Limits = LIMITS) -> float:
    memory = Memory(settled=settled)
    return saturation(load, best_of(memory, load, limits, changeable=changeable))


def test_it_does_not_depend_on_how_badly_the_shape_is_tuned():
    """The same 64 clients, before and after 2x4 became 2x32."""
    tuned = replace(IO, shape=Shape(2, 32), throughput=320.0, in_service=64.0, queued=0.0)
    assert of(IO) == pytest.approx(of(tuned, settled=True), rel=0.1)
    assert 0.2 < of(IO) < 0.3, "64 requests at once of 256 slots"


def test_it_is_the_share_of_what_can_be_computed_however_the_requests_come():
    assert of(CPU) == pytest.approx(0.5, abs=0.05)
    assert of(replace(CPU, throughput=90.0, in_service=2.4, queued=4.0)) == pytest.approx(0.9, abs=0.06)


@pytest.mark.parametrize(
    "load",
    [
        pytest.param(replace(CPU, throughput=98.0, in_service=3.0, queued=30.0, closed=True), id="clients that wait"),
        pytest.param(
            replace(CPU, throughput=98.0, in_service=3.0, queued=30.0, queue_growth=30.0), id="more come than go"
        ),
        pytest.param(replace(CPU, throughput=49.0, error_share=0.5, in_service=3.0, queued=30.0, queue_growth=30.0),
                     id="more come than go, and half of them fail"),
    ],
)  # fmt: skip
def test_it_is_above_one_while_requests_queue_that_no_shape_could_serve(load):
    assert of(load) > 1.0
    assert of(replace(load, queued=300.0)) > of(load) + 0.2, "and the more the longer the queue"


@pytest.mark.parametrize(
    ("settled", "changeable"),
    [pytest.param(True, True, id="nothing better was found"), pytest.param(False, False, id="a pin, or mode Disabled")],
)
def test_where_the_shape_stays_a_queue_is_a_queue(settled: bool, changeable: bool):
    assert of(IO, settled=settled, changeable=changeable) > 1.0


def test_what_limits_the_shape_limits_what_it_could_serve():
    """16 connections: 16 slots at most, for 64 requests at once."""
    assert of(IO, limits=replace(WIDE, max_connections=24)) > 1.0


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        pytest.param([], None, id="nothing was seen"),
        pytest.param(nobody(3), None, id="for three seconds"),
        pytest.param(nobody(8), 0.0, id="nobody comes"),
        pytest.param(nobody(8, busy=8.0), 8 / 256, id="8 requests that do not end, of 256 slots"),
        pytest.param(nobody(8, cpu_s=1.0), 0.5, id="one of two cores computes"),
        pytest.param(nobody(8, busy=8.0, queue_mean=900.0), WAITING, id="requests wait"),
    ],
)
def test_where_too_few_requests_end_for_a_model(samples, expected):
    assert of_few(samples, LIMITS, changeable=True) == expected


def test_a_shape_that_stays_has_its_own_slots():
    assert of_few(nobody(8, busy=4.0), LIMITS, changeable=False) == 0.5
