"""Stories in time: what happens around the tuner, and what it does about it."""

from itertools import pairwise

import pytest

from tests.simulator import workload
from tests.simulator.agent import anything
from tests.simulator.observe import Observer
from tests.simulator.pod import Pod
from tests.simulator.story import best_of_grid, tell, throughput_of
from uwsgi_autopilot.api.desired import DesiredShape
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import Bounds, Mode, ProcessBounds
from uwsgi_autopilot.fleet.history import Kind


def becomes(load):
    return lambda pod: pod.set_workload(load)


@pytest.mark.parametrize(
    ("first", "then", "clients"),
    [
        pytest.param(workload.IO, workload.MIXED, 64, id="waiting becomes mixed"),
        pytest.param(workload.IO, workload.CPU, 64, id="waiting becomes computing"),
        pytest.param(workload.CPU, workload.IO, 64, id="computing becomes waiting"),
        pytest.param(workload.MIXED, workload.IO, 64, id="mixed becomes waiting"),
        pytest.param(workload.CPU, workload.MIXED, 64, id="computing becomes mixed"),
        pytest.param(workload.IO, workload.simple(wait=1.0), 64, id="what it waits for becomes ten times slower"),
    ],
)
def test_another_workload_is_noticed_within_ten_seconds(first, then, clients):
    told = tell(Pod(first, Shape(2, 4), clients=clients), 110, events={41: becomes(then)})
    noticed = next(each.second for each in told.said if each.reason == "WorkloadChanged")
    assert 41 <= noticed <= 51
    assert told.throughput() >= 0.9 * best_of_grid(then, clients), told.way
    assert len([second for second, _ in told.changes if second > 41]) <= 8, told.way


def test_more_clients_of_the_same_kind_are_load_not_workload():
    """8 clients at 2x8 leave nothing to gain; 200 fill it. The waits per request did not change."""
    events = {61: lambda pod: pod.set_clients(200)}
    told = tell(Pod(workload.IO, Shape(2, 8), clients=8), 100, events=events)
    assert all(second > 61 for second, _ in told.changes), told.way
    assert told.throughput() >= 0.9 * best_of_grid(workload.IO, 200), told.way
    assert "WorkloadChanged" not in told.reasons


def test_fewer_clients_leave_the_shape_alone():
    events = {41: lambda pod: pod.set_clients(4), 81: lambda pod: pod.set_clients(64)}
    told = tell(Pod(workload.MIXED, Shape(2, 4), clients=64), 120, events=events)
    assert all(second < 41 for second, _ in told.changes), told.way


def test_a_shape_found_at_capacity_is_looked_at_again_when_arrivals_limit_it():
    """More processes than cores serve most of CPU work, and make arrivals at 70 % of that take turns."""

    def eased(pod):
        pod.set_clients(0)
        pod.set_rate(0.7 * best_of_grid(workload.CPU, 16))

    pod = Pod(workload.CPU, Shape(2, 4), clients=16)
    told = tell(pod, 120, events={61: eased})
    later = [(each.from_shape, each.to_shape) for second, each in told.changes if second > 61]
    assert [there.slots < here.slots for here, there in later] == [True], told.way
    assert pod.shape == later[0][1]


def test_own_swap_is_not_taken_for_another_workload():
    told = tell(Pod(workload.CPU, Shape(16, 64), clients=16), 60)
    assert "WorkloadChanged" not in told.reasons


def test_arrivals_beyond_what_is_served_do_not_open_a_thousand_slots():
    """300 requests a second of 100 ms from 2x4 on: 30 in service are enough, whatever the queue has grown to."""
    pod = Pod(workload.IO, Shape(2, 4), rate=300.0)
    told = tell(pod, 60)
    assert 30 <= pod.shape.slots <= 160, told.way
    assert told.agent.samples[-1].queue_mean < 1


@pytest.mark.parametrize("clients", [16, 32])
@pytest.mark.parametrize("cpu", [0.0012, 0.0025])
def test_no_more_slots_than_the_clients_fill_and_they_serve_as_much(clients, cpu):
    """A page that waits 100 ms, as httpbin's /delay/0.1: 64 threads per process could be of use, not to 32 clients."""
    load = workload.simple(wait=0.1, cpu=cpu)
    pod = Pod(load, Shape(2, 4), clients=clients)
    told = tell(pod, 30)
    assert clients <= pod.shape.slots <= 1.7 * clients, told.way
    assert pod.shape.processes <= 3, told.way
    assert told.throughput() >= 0.97 * best_of_grid(load, clients), told.way


def test_more_clients_than_the_slots_were_found_for_get_more():
    pod = Pod(workload.IO, Shape(2, 4), clients=32)
    told = tell(pod, 75, events={31: lambda pod: pod.set_clients(80)})
    assert told.changes[0][1].to_shape.slots <= 48, told.way
    assert told.throughput() >= 0.97 * best_of_grid(workload.IO, 80), told.way
    assert len(told.changes) == 2, told.way


def test_a_shape_that_the_agent_refuses_is_not_asked_for_again():
    told = tell(Pod(workload.MIXED, Shape(2, 4), clients=64), 90, refuses=lambda shape: shape.slots > 20)
    refused = [each.to_shape for _, each in told.entries if each.reason == "MemoryLimit"]
    assert 0 < len(refused) == len(set(refused)) <= 3


def test_a_change_that_never_comes_is_given_up():
    told = tell(Pod(workload.MIXED, Shape(2, 4), clients=64), 90, ignores=anything)
    assert "ChangeLost" in told.reasons
    assert len({each.to_shape for _, each in told.changes if each.kind is Kind.TRY}) <= 2, told.way


def test_a_slow_import_is_waited_for():
    """The new generation needs 15 s until it accepts: nothing else is asked for meanwhile."""
    told = tell(Pod(workload.MIXED, Shape(1, 2), clients=64), 80, swap_s=15.0)
    for (earlier, change), (later, _) in pairwise(told.changes):
        imports = change.from_shape.threads != change.to_shape.threads
        assert later - earlier >= 15 or not imports, told.way
    assert told.throughput() >= 0.9 * best_of_grid(workload.MIXED, 64)


def test_a_leak_that_the_agent_recycles_is_no_other_workload():
    """Every 12 s, while it searches and when it has settled."""
    events = {second: lambda pod: pod.changes.recycle() for second in range(12, 150, 12)}
    told = tell(Pod(workload.MIXED, Shape(2, 4), clients=64), 150, events=events)
    assert "WorkloadChanged" not in told.reasons, told.way
    assert told.throughput() >= 0.9 * best_of_grid(workload.MIXED, 64), told.way
    assert [second for second, _ in told.changes if second > 110] == [], told.way


def test_a_shape_that_somebody_else_asks_for_is_put_right():
    pod = Pod(workload.MIXED, Shape(2, 4), clients=64)
    told = tell(pod, 40)
    found, version = told.state.shape, told.agent.following.accepted.version
    told.agent.annotation = DesiredShape(version=version.next(), shape=Shape(1, 1)).to_text()
    told.second(1041.0)
    assert told.agent.following.target == Shape(1, 1) != found
    for second in range(42, 60):
        told.second(1000.0 + second)
    assert pod.shape == told.state.shape == found
    assert told.agent.following.accepted.version > version.next()


def test_a_worker_that_dies_for_a_moment_moves_nothing():
    alive = []

    def dies(pod):
        alive.append(pod.shape.processes)
        pod.change(Shape(alive[0] - 1, pod.threads), 0.1)

    events = {71: dies, 74: lambda pod: pod.change(Shape(alive[0], pod.threads), 0.1)}
    pod = Pod(workload.MIXED, Shape(2, 4), clients=64)
    told = tell(pod, 100, events=events)
    assert pod.shape.processes == alive[0]
    assert all(second < 71 for second, _ in told.changes), told.way
    missing = [each for each in told.said if each.reason == "WorkersMissing"]
    assert missing[0].second == 72
    died = Shape(alive[0] - 1, pod.threads)
    assert missing[0].message == f"shop is serving {died} instead of {pod.shape}: workers are missing"


@pytest.mark.parametrize(
    "unseen",
    [
        pytest.param({"queue_mean": None, "queue_max": None}, id="no queue"),
        pytest.param({"runqueue_s": None}, id="no run-queue times"),
        pytest.param({"census": None}, id="no census"),
    ],
)
@pytest.mark.parametrize(("load", "clients"), [(workload.IO, 64), (workload.MIXED, 64)])
def test_what_cannot_be_seen_makes_it_less_sure_not_wrong(unseen, load, clients):
    pod = Pod(load, Shape(1, 2), clients=clients)
    told = tell(pod, 70, observer=Observer(pod, unseen=unseen))
    assert told.throughput() >= 0.9 * best_of_grid(load, clients), told.way
    assert len(told.changes) <= 8, told.way


def test_memory_bounds_what_is_asked_for_and_the_pod_is_never_above_it():
    """2x4 of 25 MiB workers in 300 MiB: four workers fit beside the two that serve, sixteen do not."""
    pod = Pod(workload.POOL, Shape(2, 4), clients=64)
    told = tell(pod, 60, observer=Observer(pod, memory_limit=300_000_000))
    assert all(each.memory_bytes <= 300_000_000 for each in told.agent.samples)
    assert pod.shape.processes >= 4
    assert told.throughput() > 1.5 * told.agent.samples[2].requests, told.way


def test_connections_are_used_as_far_as_they_go_and_never_beyond():
    """Two are open, and beside them 22 may be; or 24 of the same generation. 2x42 would serve more."""
    pod = Pod(workload.IO, Shape(1, 2), clients=64)
    told = tell(pod, 60, max_connections=24)
    assert 22 <= pod.shape.slots <= 24, told.way
    for _, each in told.changes:
        swap = each.from_shape.threads != each.to_shape.threads
        assert each.to_shape.slots + (each.from_shape.slots if swap else 0) <= 24, told.way
    assert told.throughput() >= 0.95 * throughput_of(workload.IO, Shape(2, 11), 64), told.way
    assert [each.reason for _, each in told.entries if each.kind is Kind.REFUSE] == ["ConnectionLimit"]


def test_a_refusal_is_said_once_with_its_numbers():
    pod = Pod(workload.MIXED, Shape(2, 4), clients=64)
    told = tell(pod, 40, observer=Observer(pod, memory_limit=80_000_000))
    refusals = [each for _, each in told.entries if each.kind is Kind.REFUSE]
    assert [each.reason for each in refusals] == ["MemoryLimit"]
    assert "MiB" in refusals[0].message
    assert told.changes == []


def test_bounds_of_the_manifest_hold():
    pod = Pod(workload.IO, Shape(2, 4), clients=64)
    told = tell(pod, 60, processes=ProcessBounds(min=2, max=3), threads=Bounds(min=2, max=6))
    assert pod.shape == Shape(3, 6), told.way


def test_recommending_says_it_once_and_changes_nothing():
    pod = Pod(workload.MIXED, Shape(1, 2), clients=64)
    told = tell(pod, 60, mode=Mode.RECOMMEND)
    said = [each for _, each in told.entries if each.kind is Kind.RECOMMEND]
    assert len(said) == 1
    assert 3 <= said[0].to_shape.processes <= 6
    assert pod.shape == Shape(1, 2)
    assert told.changes == []


def test_recommending_says_another_shape_when_the_workload_changes():
    told = tell(Pod(workload.IO, Shape(1, 2), clients=64), 80, mode=Mode.RECOMMEND, events={41: becomes(workload.CPU)})
    said = [each.to_shape for _, each in told.entries if each.kind is Kind.RECOMMEND]
    assert said[0].slots >= 64
    assert said[-1].slots <= 8


@pytest.mark.parametrize(("load", "clients"), [(workload.CPU, 16), (workload.MIXED, 64)])
def test_a_neighbour_that_wakes_up_during_the_trial(load, clients):
    """A busy loop of somebody else from second 5 to 40: the good shape is kept, whatever it serves meanwhile."""
    events = {5: lambda pod: pod.neighbours(1), 41: lambda pod: pod.neighbours(0)}
    told = tell(Pod(load, Shape(2, 4), clients=clients), 90, events=events)
    assert told.throughput() >= 0.9 * best_of_grid(load, clients), told.way
    assert len(told.changes) <= 6, told.way


def test_a_pool_that_fits_is_not_forgotten():
    """Behind a pool of 3, three threads show no waiter; half of the clients go and come back: nothing moves."""
    events = {41: lambda pod: pod.set_clients(30), 71: lambda pod: pod.set_clients(64)}
    pod = Pod(workload.POOL, Shape(1, 2), clients=64)
    told = tell(pod, 110, events=events)
    assert pod.shape.threads <= 6, told.way
    assert all(second <= 40 for second, _ in told.changes), told.way


def trickle_then(load, start, *, rate=1.0, clients=64):
    """Two minutes of health checks, then the first real load."""
    events = {121: lambda pod: pod.set_clients(clients)}
    return tell(Pod(load, Shape.parse(start), rate=rate, seed=4), 180, events=events)


@pytest.mark.parametrize("start", ["1x2", "2x4"])
@pytest.mark.parametrize("rate", [1.0, 5.0])
@pytest.mark.parametrize("clients", [16, 64])
@pytest.mark.parametrize("load", [workload.IO, workload.MIXED])
def test_the_first_load_after_a_trickle_is_compared_with_itself(load, start, rate, clients):
    told = trickle_then(load, start, rate=rate, clients=clients)
    second, jump = told.proposals[0]
    assert second > 121
    # What this shape serves once it is full, not what came before.
    served = throughput_of(load, Shape.parse(start), clients)
    assert jump.before.throughput == pytest.approx(served, rel=0.15), jump.message
    assert told.throughput() >= 0.9 * best_of_grid(load, clients), told.way


def test_a_first_jump_after_a_trickle_that_makes_it_worse_does_not_stay():
    """Waits grow like n to the 1.4 from 3 at once on: two slots serve 40 a second, 64 serve 18."""
    drowning = workload.simple(wait=0.05, slowdown=workload.degrades(3, 1.4))
    told = trickle_then(drowning, "1x2")
    jump = told.changes[0][1].to_shape
    assert jump.slots >= 64
    assert not any(each.message.startswith(f"1x2 → {jump} stays") for each in told.said), told.reasons
    assert told.throughput() >= 0.9 * throughput_of(drowning, Shape(1, 2), 64), told.way


def test_a_shape_found_in_a_trickle_is_not_praised_for_the_load_that_comes():
    """16x64 may shrink at 50 requests/s; 64 clients come in the middle of that trial."""
    pod = Pod(workload.MIXED, Shape(16, 64), rate=50.0, seed=4)
    began = []

    def rush(pod):
        if not began and pod.changing:
            began.append(pod.clock.now)
            pod.set_clients(64)

    told = tell(pod, 100, events=dict.fromkeys(range(1, 100), rush))
    assert began, told.way
    first = next(each.message for each in told.said if "stays" in each.message or "back to" in each.message)
    assert "(+" not in first
    assert told.throughput() >= 0.9 * best_of_grid(workload.MIXED, 64), told.way


@pytest.mark.parametrize("share", [0.12, 0.3, 0.6])
def test_an_application_of_which_a_share_always_fails_is_tuned_like_any_other(share):
    failing = workload.simple(wait=0.020, cpu=0.0021, errors=share)
    told = tell(Pod(failing, Shape(1, 2), clients=64), 90)
    assert told.changes, told.said
    assert told.throughput() >= 0.9 * best_of_grid(workload.MIXED, 64), told.way
    assert not any(each.kind is Kind.BACK and each.reason == "ErrorsHigh" for _, each in told.changes), told.way


FAILING_HALF = workload.simple(wait=0.020, cpu=0.0021, errors=0.5)


def test_an_application_that_begins_to_fail_is_left_alone_until_that_is_usual():
    told = tell(Pod(workload.MIXED, Shape(1, 2), clients=64), 60, events={3: becomes(FAILING_HALF)})
    held = [each.second for each in told.said if each.reason == "ErrorsHigh"]
    assert held, told.said
    assert all(second >= held[0] + 5 for second, _ in told.changes), told.way
    assert told.throughput() >= 0.9 * best_of_grid(workload.MIXED, 64), told.way


def test_errors_that_begin_during_a_trial_end_that_one_and_no_other():
    """Nobody knows then that they are not the shape's. The next one is compared with a shape that fails as much."""
    told = tell(Pod(workload.MIXED, Shape(1, 2), clients=64), 60, events={5: becomes(FAILING_HALF)})
    back = [second for second, each in told.changes if each.reason == "ErrorsHigh"]
    assert len(back) == 1, told.way
    assert told.throughput() >= 0.8 * best_of_grid(workload.MIXED, 64), told.way


def test_an_application_of_which_nearly_all_answers_fail_is_left_alone():
    failing = workload.simple(wait=0.020, cpu=0.0021, errors=0.97)
    told = tell(Pod(failing, Shape(1, 2), clients=64), 90)
    assert not told.changes, told.way
    assert "no shape serves more" in told.said[-1].message
