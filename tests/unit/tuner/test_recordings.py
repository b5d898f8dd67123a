"""Samples of real runs (uWSGI 2.0.31, nginx, two cores that others used too), replayed through the tuner of today.

A replay shows what was measured, not what another decision would have led to: it is true up to the first decision
that differs from the recorded run's.
"""

import json
from pathlib import Path

from tests.simulator.lonepod import LonePod, Pending
from tests.simulator.story import WIDE
from uwsgi_autopilot.api.sample import Sample
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.report.reasons import Reason
from uwsgi_autopilot.tuner.load import load_of
from uwsgi_autopilot.tuner.point import Point
from uwsgi_autopilot.tuner.proposal import Proposal
from uwsgi_autopilot.tuner.propose import propose

RECORDINGS = Path(__file__).parent / "recordings"


def recorded(name):
    return [Sample.from_json(json.loads(line)) for line in (RECORDINGS / f"{name}.jsonl").read_text().splitlines()]


def replay(samples, pending=None, first=1):
    fleet = LonePod(law=propose, limits=WIDE, pending=pending)
    return [fleet.second(samples[max(0, count - 120) : count]) for count in range(first, len(samples) + 1)]


def asked_for(decisions):
    return [each.to_shape for each in decisions if each.kind == "change"]


def test_a_neighbour_wakes_during_the_trial():
    """16x64 at 283 requests/s, 4x1 at 192: others used 0.15 cores before and 0.9 after. The first law went back."""
    samples = recorded("neighbour-wakes-during-the-trial")
    load = load_of(samples[:6])
    trial = Proposal(
        shape=Shape(4, 1), before=Point.of(load), at=load.at, reason=Reason.FIRST_JUMP, message="", better=True,
        expected=300.0,
    )  # fmt: skip
    pending = Pending(proposal=trial, asked_at=load.at)
    assert asked_for(replay(samples, pending, first=7)) == []


def test_a_pool_beside_neighbours_is_one_workload():
    """0.16 ms of CPU per request became 0.12 beside a busy machine: a third less of next to nothing."""
    decisions = replay(recorded("pool-beside-neighbours"))
    assert "WorkloadChanged" not in {each.reason.value for each in decisions}


def test_mixed_from_1x2_takes_one_change_and_stays():
    decisions = replay(recorded("mixed-from-1x2"))
    assert asked_for(decisions) == [Shape(4, 13)]
    assert decisions[-1].reason.value == "CpuLimited"
