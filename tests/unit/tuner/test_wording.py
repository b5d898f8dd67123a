"""What is said of a load, where a sentence with a quotient could end in an error."""

import math
from dataclasses import replace

from tests.unit.tuner.making import seconds
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.tuner.candidates import Candidate
from uwsgi_autopilot.tuner.load import load_of
from uwsgi_autopilot.tuner.model import Work
from uwsgi_autopilot.tuner.wording import nature, proposal

LOAD = load_of(seconds(5), since=-1.0, seconds=5.0)
WORK = Work(wait_s=0.02, cpu_s=0.002, lock_s=0.0, inside=10.0, cores=2.0)


def test_the_share_of_waiting_is_said():
    assert nature(LOAD, WORK).startswith("waits 91% of the time for I/O (W 20.0 ms, CPU 2.0 ms")


def test_requests_too_short_to_be_measured_have_no_share():
    nothing = replace(LOAD, wait_s=0.0, cpu_s=0.0)
    assert nature(nothing, replace(WORK, wait_s=0.0, cpu_s=0.0)) == "answers faster than can be measured"


def test_where_the_arrivals_limit_the_throughput_the_time_in_the_pod_is_promised_and_no_more_requests():
    found = Candidate(shape=Shape(4, 8), gain=math.log(2), error=0.05, measured=False)
    closed, arriving = replace(LOAD, closed=True), replace(LOAD, closed=False)
    assert "should serve 720 requests/s ± 5 %, now 360" in proposal(closed, WORK, found)
    assert "should answer after 25.0 ms in the pod, now 50.0 ms ± 5 %" in proposal(arriving, WORK, found)
