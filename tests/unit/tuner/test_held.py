"""Requests that do not end hold all slots, and the others queue: who makes room for them, and who does not."""

from dataclasses import replace

import pytest

from tests.simulator import workload
from tests.simulator.pod import Pod
from tests.simulator.story import tell, throughput_of
from tests.simulator.workload import Python, Wait, Workload
from tests.unit.tuner.making import MIB, WIDE, nobody, seconds
from uwsgi_autopilot.api.sample import Census
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import Bounds
from uwsgi_autopilot.report.reasons import Reason
from uwsgi_autopilot.tuner import outcome
from uwsgi_autopilot.tuner.judge import judge
from uwsgi_autopilot.tuner.memory import Memory
from uwsgi_autopilot.tuner.proposal import Hold, Keep, Proposal, Refusal, TakeBack
from uwsgi_autopilot.tuner.proposal import Wait as Waits
from uwsgi_autopilot.tuner.propose import propose, recommend

SLEEPING = Census(running=0.0, io=8.0, interpreter_lock=0.0, application_lock=0.0, idle=0.0, looks=160)
# All eight slots of 2x4 hold a stream, eight requests queue.
STREAMS = {
    "requests": 0.0, "busy": 8.0, "queue_mean": 8.0, "queue_max": 8, "service_s": 0.0, "cpu_s": 0.02,
    "worker_cpu": 0.01, "runqueue_s": 0.0, "census": SLEEPING,
}  # fmt: skip
NOTHING = Memory()


def answer_to(samples, *, memory=NOTHING, limits=WIDE):
    return propose(memory, samples, limits).answer


def test_slots_for_all_that_are_in_the_pod_by_threads():
    answer = answer_to(seconds(6, **STREAMS))
    assert isinstance(answer, Proposal)
    assert answer.reason is Reason.MORE_THREADS
    assert answer.shape.processes == 2
    assert 16 <= answer.shape.slots <= 30
    assert "8 of 8 threads have been busy for 6 s, 8 requests queue and none has ended" in answer.message


def test_neighbours_that_use_all_cores_do_not_matter_to_requests_that_wait():
    assert isinstance(answer_to(seconds(6, **STREAMS, foreign_cpu=1.9)), Proposal)
    gone = seconds(4, after=seconds(4, **STREAMS, foreign_cpu=1.9), **STREAMS)
    assert isinstance(answer_to(gone), Proposal)


def test_no_shape_for_a_stall_of_four_seconds():
    assert answer_to(seconds(4, **STREAMS)).reason is Reason.TOO_FEW_REQUESTS


ONE = {**STREAMS, "shape": Shape(1, 1), "busy": 1.0, "queue_mean": 1.0, "queue_max": 1}


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"queue_mean": 0.0, "queue_max": 0}, id="none queues"),
        pytest.param({"busy": 6.0}, id="two slots are free"),
        pytest.param({"queue_mean": None, "queue_max": None}, id="the queue cannot be seen"),
        pytest.param({"cpu_s": 1.95, "worker_cpu": 0.98}, id="they compute, and CPU is full"),
        pytest.param({"cpu_s": 1.0, "worker_cpu": 0.95}, id="they compute in one process"),
        pytest.param({"census": replace(SLEEPING, io=1.0, application_lock=7.0)}, id="they wait for a pool"),
        pytest.param({"requests": 4.0, "service_s": 8.0}, id="they end after two seconds"),
        pytest.param({"settled": False}, id="the agent is changing the shape"),
    ],
)
def test_no_room_is_made_where(changes):
    answer = answer_to(seconds(8, **{**STREAMS, **changes}))
    assert not isinstance(answer, Proposal) or "have been busy" not in answer.message


def test_one_slow_request_and_one_that_queues_get_a_handful_of_threads_and_not_more():
    assert not isinstance(answer_to(seconds(4, **ONE)), Proposal)
    answer = answer_to(seconds(6, **ONE))
    assert 2 <= answer.shape.slots <= 6
    assert answer.shape.processes == 1


def test_one_thread_that_ends_one_request_in_five_seconds_is_given_ten():
    ends = [replace(each, requests=float(each.seq % 5 == 0)) for each in seconds(12, **ONE)]
    assert not isinstance(answer_to(ends[:8]), Proposal)
    answer = answer_to(ends)
    assert "and 2 ended" in answer.message
    assert answer.shape.slots <= 6


def test_streams_that_come_to_a_settled_shape_are_noticed_although_the_window_still_knows_a_rate():
    settled = Memory(settled=True, jumped=True)
    answer = answer_to(seconds(6, after=seconds(30), **STREAMS), memory=settled)
    assert isinstance(answer, Proposal)
    assert answer.reason is Reason.MORE_THREADS


def test_more_processes_where_the_threads_are_at_their_bound():
    limits = replace(WIDE, threads=Bounds(min=1, max=4))
    answer = answer_to(seconds(6, **STREAMS), limits=limits)
    assert answer.reason is Reason.MORE_PROCESSES
    assert (answer.shape.threads, answer.shape.slots >= 16) == (4, True)


def test_what_fits_where_the_limits_have_no_room_for_all():
    limits = replace(WIDE, max_connections=24)
    answer = answer_to(seconds(6, **STREAMS), limits=limits)
    assert 8 < answer.shape.slots <= 24
    assert limits.connections(answer.shape, beside=Shape(2, 4)) <= 24


def test_a_limit_in_the_way_is_said_once():
    limits = replace(WIDE, processes=Bounds(min=1, max=2), threads=Bounds(min=1, max=4))
    first = propose(NOTHING, seconds(6, **STREAMS), limits)
    assert isinstance(first.answer, Refusal)
    assert first.answer.reason is Reason.BOUNDS_REACHED
    assert first.answer.first
    assert not propose(first.memory, seconds(7, **STREAMS), limits).answer.first
    assert not first.memory.settled


def test_memory_limits_how_many_workers_a_swap_may_bring():
    full = {**STREAMS, "memory_limit": 300 * MIB}
    answer = answer_to(seconds(6, **full), limits=replace(WIDE, threads=Bounds(min=1, max=8)))
    assert answer.shape.processes <= 3


def test_the_budget_ends_it():
    memory = Memory(jumped=True)
    shape, given = Shape(2, 4), []
    for _ in range(8):
        stuck = {**STREAMS, "shape": shape, "busy": float(shape.slots), "queue_mean": 2.0 * shape.slots}
        asked = propose(memory, seconds(6, **stuck), WIDE)
        if not isinstance(asked.answer, Proposal):
            break
        shape, memory = asked.answer.shape, asked.memory
        given.append(shape)
    assert 1 < len(given) <= 4
    assert asked.answer.reason in (Reason.CHANGE_BUDGET_EXHAUSTED, Reason.BOUNDS_REACHED)


def test_recommend_says_it():
    asked = recommend(NOTHING, seconds(6, **STREAMS), WIDE)
    assert isinstance(asked.answer, Proposal)
    assert recommend(asked.memory, seconds(7, **STREAMS), WIDE).answer.reason is Reason.RECOMMENDED


def _proposal():
    asked = propose(NOTHING, seconds(6, **STREAMS), WIDE)
    return asked.memory, asked.answer


def test_a_trial_in_which_nothing_ends_either_is_kept_after_a_minute():
    memory, proposal = _proposal()
    new = {**STREAMS, "shape": proposal.shape, "busy": 16.0, "queue_mean": 0.0, "queue_max": 0, "generation": 2}
    for count in (3, 10, 50):
        samples = seconds(count, after=seconds(6, **STREAMS), **new)
        assert isinstance(judge(memory, proposal, samples, WIDE, arrived_at=1006.0).verdict, Waits)
    samples = seconds(64, after=seconds(6, **STREAMS), **new)
    verdict = judge(memory, proposal, samples, WIDE, arrived_at=1006.0).verdict
    assert isinstance(verdict, Keep)


def test_a_trial_in_which_the_others_are_answered_is_kept_and_no_other_workload():
    memory, proposal = _proposal()
    new = {"shape": proposal.shape, "busy": 18.0, "queue_mean": 0.0, "queue_max": 0, "generation": 2, "requests": 200.0}
    for count in range(3, 12):
        samples = seconds(count, after=seconds(6, **STREAMS), **new)
        verdict = judge(memory, proposal, samples, WIDE, arrived_at=1006.0).verdict
        assert not isinstance(verdict, TakeBack), verdict
        if isinstance(verdict, Keep):
            break
    assert isinstance(verdict, Keep)
    assert verdict.reason is Reason.MORE_THREADS
    assert "0 → 200 requests/s" in verdict.message
    assert "%" not in verdict.message


def test_what_the_agent_refused_for_want_of_memory_is_not_asked_for_again():
    memory, proposal = _proposal()
    memory = outcome.not_carried_out(memory, proposal, 1006.0, limit=Reason.MEMORY_LIMIT, why="no room")
    answer = answer_to(seconds(20, **STREAMS), memory=memory)
    assert answer.shape != proposal.shape
    assert isinstance(answer, Proposal | Refusal)


def test_nobody_is_given_slots():
    assert isinstance(answer_to(nobody(20)), Hold)


# --- in the simulator


def _streams(count, seconds_):
    """The first `count` requests are streams, all others wait 20 ms and compute 2 ms."""
    left = [count]

    def draw(random_):
        if left[0] > 0:
            left[0] -= 1
            return [Python(0.001), Wait(seconds_)]
        return workload.MIXED.draw(random_)

    return Workload(draw)


def test_sixteen_streams_that_hold_eight_slots_do_not_make_the_others_wait_for_them():
    pod = Pod(_streams(16, 60.0), Shape(2, 4), clients=64)
    told = tell(pod, 40)
    assert told.changes[0][0] <= 9, told.way
    assert told.changes[0][1].reason == "MoreThreads", told.way
    # Real streams that go on in the old generation leave the new one's slots to others.
    assert told.throughput() >= 0.8 * throughput_of(workload.MIXED, Shape(4, 12), 48), told.way


def test_streams_that_come_when_the_shape_is_settled():
    pod = Pod(workload.MIXED, Shape(2, 4), clients=64)
    told = tell(pod, 110, events={60: lambda pod: pod.set_workload(_streams(60, 40.0))})
    after = [(second, each) for second, each in told.changes if second > 60]
    assert after, told.way
    assert told.throughput() >= 0.5 * told.throughput(last=105), told.way


def test_requests_of_twenty_seconds_get_slots_for_all_of_their_clients_and_not_many_more():
    pod = Pod(workload.simple(wait=20.0), Shape(2, 4), clients=64)
    tell_ = tell(pod, 120)
    assert 64 <= pod.shape.slots <= 100, tell_.way
    assert tell_.swaps() <= 2, tell_.way


def test_a_backend_that_hangs_does_not_open_slots_without_end():
    """Twenty requests a second come, and none of them ends for a minute."""
    pod = Pod(workload.simple(wait=60.0), Shape(2, 4), rate=5.0)
    told = tell(pod, 150)
    assert told.swaps() <= 4, told.way
    assert pod.shape.slots <= 16 * 64
