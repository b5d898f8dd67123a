"""Has the workload changed? CPU and wait per request, never how many come."""

import random
from dataclasses import replace

import pytest

from tests.unit.tuner.making import BASE, seconds
from uwsgi_autopilot.api.sample import Census
from uwsgi_autopilot.tuner.drift import drift
from uwsgi_autopilot.tuner.load import load_of
from uwsgi_autopilot.tuner.point import Point

USUAL = Point.of(load_of(seconds(8)))
IO_NOW = Census(running=0.1, io=7.9, interpreter_lock=0.0, application_lock=0.0, idle=0.0, looks=160)


@pytest.mark.parametrize(
    "now",
    [
        pytest.param({}, id="as ever"),
        pytest.param({"queue_mean": 200.0}, id="ten times the clients"),
        pytest.param({"requests": 36.0, "busy": 0.8, "service_s": 0.8, "cpu_s": 0.072}, id="a tenth of the load"),
        pytest.param({"cpu_s": 0.86}, id="20 % more CPU per request: a neighbour"),
    ],
)
def test_load_is_not_workload(now):
    assert drift(seconds(20, after=seconds(30), **now), USUAL, since=0.0) is None


@pytest.mark.parametrize(
    ("now", "within"),
    [
        pytest.param({"cpu_s": 1.8}, 3, id="CPU per request times 2.5"),
        pytest.param({"cpu_s": 1.0}, 10, id="CPU per request 40 % up"),
        pytest.param({"requests": 78.0, "census": IO_NOW, "cpu_s": 0.05}, 3, id="five times the wait"),
        pytest.param({"requests": 1440.0, "cpu_s": 2.88}, 4, id="a quarter of the wait"),
    ],
)
def test_a_change_is_noticed_soon(now, within):
    samples = seconds(within, after=seconds(30), **now)
    found = drift(samples, USUAL, since=0.0)
    assert found is not None
    assert found.since == samples[-1].at


def test_noise_for_an_hour_is_no_change():
    rng = random.Random(5)
    samples = []
    for second in range(3600):
        cpu_s, requests = 0.72 * rng.gauss(1, 0.06), 360 * rng.gauss(1, 0.06)
        samples.append(replace(BASE, seq=second, at=1000.0 + second, cpu_s=cpu_s, requests=requests))
        if second % 30 == 29:
            assert drift(samples[-120:], USUAL, since=0.0) is None


def test_a_few_requests_are_gathered_before_they_count():
    """Three requests a second with waits that vary by half: no alarm in ten minutes."""
    rng = random.Random(6)
    samples = [
        replace(
            BASE,
            seq=n,
            at=1000.0 + n,
            requests=3.0,
            busy=0.07,
            cpu_s=0.006,
            runqueue_s=0.0,
            service_s=0.0667 * rng.uniform(0.5, 1.5),
        )
        for n in range(600)
    ]
    assert not any(drift(samples[n : n + 120], USUAL, since=0.0) for n in range(0, 480, 20))
