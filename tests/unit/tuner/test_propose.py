"""What is proposed, and from which readings: samples as an agent makes them, one second after the other."""

from dataclasses import replace

import pytest

from tests.unit.tuner.making import BASE, WIDE, seconds
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.report.reasons import Reason
from uwsgi_autopilot.tuner.memory import Memory
from uwsgi_autopilot.tuner.proposal import Hold, Proposal, Refusal
from uwsgi_autopilot.tuner.propose import propose

# 1x2: one health check a second of 100 ms, then 64 clients, of whose requests it serves 20 a second.
SMALL = {"shape": Shape(1, 2), "queue_max": 62, "worker_cpu": 0.004, "memory_bytes": None}
LOOKS = replace(BASE.census, running=0.0, interpreter_lock=0.0, looks=40)
HEALTH_CHECKS = {
    **SMALL,
    "requests": 1.0,
    "busy": 0.1,
    "service_s": 0.1,
    "cpu_s": 0.0002,
    "queue_mean": 0.0,
    "census": replace(LOOKS, io=0.1, idle=1.9),
}
RUSH = {
    **SMALL,
    "requests": 20.0,
    "busy": 2.0,
    "service_s": 2.0,
    "cpu_s": 0.004,
    "queue_mean": 62.0,
    "census": replace(LOOKS, io=2.0, idle=0.0),
}


def answers(samples, limits=WIDE):
    memory, said = Memory(), []
    for count in range(len(samples) + 1):
        proposed = propose(memory, samples[max(0, count - 120) : count], limits)
        memory = proposed.memory
        said.append(proposed.answer)
        if isinstance(proposed.answer, Proposal):
            break
    return memory, said


def test_nothing_measured_is_a_hold():
    assert propose(Memory(), [], WIDE).answer.reason is Reason.NO_READINGS


def test_what_a_rush_is_compared_with_is_the_rush_not_the_health_checks_before_it():
    _, said = answers(seconds(8, after=seconds(120, **HEALTH_CHECKS), **RUSH))
    proposal = said[-1]
    assert isinstance(proposal, Proposal)
    assert (proposal.before.throughput, proposal.before.in_service, proposal.before.demand) == (20.0, 2.0, 64.0)
    # 64 clients / 100 ms
    assert proposal.expected == pytest.approx(640.0, rel=0.05)
    assert proposal.message.endswith("%, now 20")
    # 100 requests at 20 a second; no figure of both loads meanwhile.
    assert [type(each) for each in said[-5:-1]] == [Hold] * 4


def test_a_workload_for_which_nothing_better_is_known_is_settled_until_it_is_another():
    free = {"busy": 1.0, "queue_mean": 0.0, "requests": 45.0, "service_s": 1.0, "cpu_s": 0.09}
    quiet = seconds(10, **free, census=replace(BASE.census, running=0.1, io=0.9, interpreter_lock=0.0, idle=7.0))
    memory, said = answers(quiet)
    assert memory.settled
    assert isinstance(said[-1], Hold)
    assert (said[-1].reason, said[-1].settled) == (Reason.APPLICATION_LIMITED, True)
    computing = replace(BASE.census, running=0.9, io=0.1, interpreter_lock=0.0, idle=7.0)
    other = seconds(5, after=quiet, **{**free, "cpu_s": 0.9, "census": computing})
    again = propose(memory, other, WIDE)
    assert (again.answer.reason, again.memory.settled) == (Reason.WORKLOAD_CHANGED, False)
    assert again.memory.of_this_workload == ()


def test_a_limit_in_the_way_is_said_once_and_then_remembered():
    tight = replace(WIDE, max_connections=8)
    full = seconds(8, queue_mean=56.0)
    first = propose(Memory(), full, tight)
    assert isinstance(first.answer, Refusal)
    assert (first.answer.first, first.answer.reason, first.memory.settled) == (True, Reason.CONNECTION_LIMIT, True)
    again = propose(first.memory, seconds(1, after=full, queue_mean=56.0), tight).answer
    assert (type(again), again.reason, again.message) == (Hold, first.answer.reason, first.answer.message)
