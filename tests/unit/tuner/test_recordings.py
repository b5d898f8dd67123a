"""Samples of real runs (uWSGI 2.0.31, nginx, two cores that others used too), replayed through the autopilot of today.

A replay shows what was measured, not what another decision would have led to: it is true up to the first decision
that differs from the recorded run's. Of these the samples alone were kept, so an agent
follows the law in place of the recorded one; those that hold decisions, too: tests/unit/replay/test_recordings.py.
"""

from dataclasses import replace

from tests.pages import ROOT
from tests.simulator.agent import ReplayedAgent
from tests.simulator.flight import Flight
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.fleet.change import Change, Stage
from uwsgi_autopilot.replay.reading import recording
from uwsgi_autopilot.report.reasons import Reason
from uwsgi_autopilot.tuner.load import load_of
from uwsgi_autopilot.tuner.point import Point
from uwsgi_autopilot.tuner.proposal import Proposal


def recorded(name):
    with recording(ROOT / "tests" / "recordings" / f"{name}.jsonl") as found:
        return [sample for line in found for sample in line.samples]


def replay(samples, trial=None):
    """trial: a proposal that is pending from the start."""
    flight = Flight(ReplayedAgent(samples, samples[0].shape))
    if trial is not None:
        state = flight.state.with_next_version()
        change = Change(
            stage=Stage.STARTING, shape=trial.shape, before=trial.before.shape, version=state.last,
            issued_at=samples[0].at, pod=flight.agent.uid, proposal=trial,
        )  # fmt: skip
        flight.autopilot.state = replace(state, change=change)
    for each in samples:
        flight.second(each.at)
    return flight


def asked_for(flight):
    return [each.to_shape for _, each in flight.changes]


def test_a_neighbour_wakes_during_the_trial():
    """16x64 at 283 requests/s, 4x1 at 192: others used 0.15 cores before and 0.9 after. The first law went back."""
    samples = recorded("neighbour-wakes-during-the-trial")
    load = load_of(samples[:6])
    trial = Proposal(
        shape=Shape(4, 1), before=Point.of(load), at=load.at, reason=Reason.FIRST_JUMP, message="", better=True,
        expected=300.0, gain=0.0, doubt=1.0,
    )  # fmt: skip
    flight = replay(samples, trial)
    assert asked_for(flight) == []
    assert flight.state.change.stage is Stage.TRYING


def test_a_pool_beside_neighbours_is_one_workload():
    """0.16 ms of CPU per request became 0.12 beside a busy machine: a third less of next to nothing."""
    assert "WorkloadChanged" not in replay(recorded("pool-beside-neighbours")).reasons


def test_mixed_from_1x2_is_given_the_threads_that_it_can_use():
    flight = replay(recorded("mixed-from-1x2"))
    assert asked_for(flight)[0].slots >= 30
