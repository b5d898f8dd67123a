"""What shape next, from loads as they were measured."""

from dataclasses import replace

import pytest

from tests.unit.tuner.making import WIDE, seconds
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import Bounds
from uwsgi_autopilot.report.reasons import Reason
from uwsgi_autopilot.tuner.load import load_of
from uwsgi_autopilot.tuner.memory import MOST_SWAPS, MOST_TRIALS, Memory
from uwsgi_autopilot.tuner.proposal import Hold, Proposal, Refusal
from uwsgi_autopilot.tuner.search import next_shape

BASE = load_of(seconds(5))  # 2x4 full, 10 waiting, 20 ms wait, 2 ms CPU
FRESH = Memory()
KNOWN = Memory(jumped=True)


def load(**changes):
    return replace(BASE, **{"closed": True, **changes})


MANY = load(wait_s=0.020, cpu_s=0.0022, queued=56.0)
WAITING = load(
    wait_s=0.1, cpu_s=0.0005, service_s=0.1005, shape=Shape(1, 2), in_service=2.0, queued=62.0, throughput=20.0
)


@pytest.mark.parametrize(
    ("seen", "processes", "slots"),
    [
        pytest.param(MANY, (3, 6), (30, 90), id="20 ms wait, 2.2 ms CPU, 64 clients: what the cores can use"),
        pytest.param(load(wait_s=0.1, cpu_s=0.0005, queued=56.0), (2, 3), (64, 90), id="100 ms wait, 64 clients"),
        pytest.param(load(wait_s=0.1, cpu_s=0.0005, queued=24.0), (2, 3), (32, 50), id="100 ms wait, 32 clients"),
        pytest.param(load(wait_s=0.1, cpu_s=0.0005, queued=192.0), (4, 6), (200, 240), id="100 ms wait, 200 clients"),
        pytest.param(load(cores=8.0, wait_s=0.0, cpu_s=0.005, queued=56.0), (8, 12), (8, 12), id="eight cores"),
        pytest.param(load(wait_s=0.0002, cpu_s=0.0054), (2, 4), (2, 8), id="pure CPU: hardly more than the cores"),
        pytest.param(
            load(wait_s=0.020, cpu_s=0.0004, pool_size=3, queued=56.0), (10, 16), (30, 80), id="a pool of 3: processes"
        ),
        pytest.param(load(wait_s=0.010, cpu_s=0.0044, queued=56.0), (4, 8), (10, 24), id="10 ms wait, 4.4 ms CPU"),
    ],
)
def test_the_first_jump_of_a_workload(seen, processes, slots):
    answer = next_shape(FRESH, seen, WIDE)
    assert isinstance(answer, Proposal)
    assert answer.reason is Reason.FIRST_JUMP
    assert processes[0] <= answer.shape.processes <= processes[1], answer.shape
    assert slots[0] <= answer.shape.slots <= slots[1], answer.shape


def test_beside_neighbours_that_use_all_cores_it_asks_for_its_share_of_them():
    """The kernel gives it to whoever asks; those who count with nothing get next to nothing."""
    seen = load(wait_s=0.020, cpu_s=0.0022, shape=Shape(1, 2), in_service=2.0, queued=30.0, throughput=80.0)
    answer = next_shape(FRESH, replace(seen, foreign_cpu=2.0, cores_used=0.18), WIDE)
    assert isinstance(answer, Proposal)
    assert answer.shape.slots >= 12, answer.shape


def test_one_process_alone_is_no_jump_where_there_is_a_whole_core():
    answer = next_shape(FRESH, load(cores=1.0, wait_s=0.1, cpu_s=0.0022, queued=30.0), WIDE)
    assert isinstance(answer, Proposal)
    assert answer.shape.processes == 2


def test_a_proposal_says_what_the_requests_do_and_what_it_promises():
    answer = next_shape(FRESH, MANY, WIDE)
    assert answer.message.startswith("waits 90% of the time for I/O (W 20.0 ms, CPU 2.2 ms per request): ")
    assert "requests/s ±" in answer.message
    assert answer.expected > 1.5 * answer.before.throughput


def test_no_demand_no_change():
    answer = next_shape(FRESH, load(queued=0.0, in_service=3.0, cores_used=0.3), WIDE)
    assert (type(answer), answer.reason) == (Hold, Reason.APPLICATION_LIMITED)


def tried(memory, seen, shape, share):
    """`shape` served that share of what `seen` did, for ten seconds, and then `seen` again."""
    other = replace(seen, shape=Shape.parse(shape), throughput=share * seen.throughput, samples=10, spread=0.01)
    memory = replace(memory, since=(memory.since or 0.0) + 1.0).with_point(other)
    return replace(memory, since=memory.since + 1.0)


def test_twelve_processes_of_one_thread_beat_four_of_five():
    """10 ms of wait and 4.4 ms of CPU: recorded grids give 12x1 and 16x1 more than 4x5, so it is looked at."""
    full = load(
        shape=Shape(4, 5), wait_s=0.010, cpu_s=0.0044, in_service=20.0, queued=44.0, cores_used=1.8, samples=8,
        throughput=370.0, spread=0.01,
    )  # fmt: skip
    answer = next_shape(KNOWN.with_point(full), full, WIDE)
    assert isinstance(answer, Proposal)
    assert answer.shape.processes > 4


def test_a_pool_felt_by_less_than_a_fifth_of_the_threads_still_asks_for_processes():
    felt = load(
        shape=Shape(4, 6), wait_s=0.020, cpu_s=0.0004, pool_s=0.004, pool_size=5, service_s=0.0236, in_service=24.0,
        queued=40.0, throughput=1000.0, cores_used=0.4, samples=8, spread=0.01,
    )  # fmt: skip
    answer = next_shape(KNOWN.with_point(felt), felt, WIDE)
    assert isinstance(answer, Proposal)
    assert answer.shape.processes > 4


def test_a_probe_waits_for_a_baseline():
    seen = load(
        shape=Shape(4, 16), wait_s=0.020, cpu_s=0.0022, service_s=0.079, in_service=63.0, queued=1.0, cores_used=1.7,
        throughput=800.0, samples=3, spread=0.01,
    )  # fmt: skip
    early = next_shape(KNOWN.with_point(seen), seen, WIDE)
    assert (type(early), early.reason) == (Hold, Reason.OBSERVING)
    known = replace(seen, samples=8)
    assert isinstance(next_shape(KNOWN.with_point(known), known, WIDE), Proposal)


def test_what_failed_is_not_tried_again_and_soon_nothing_is():
    seen = load(
        shape=Shape(4, 16), wait_s=0.020, cpu_s=0.0022, service_s=0.079, in_service=63.0, queued=1.0, cores_used=1.7,
        throughput=800.0, samples=10, spread=0.01,
    )  # fmt: skip
    memory, asked = KNOWN.with_point(seen), []
    while isinstance(answer := next_shape(memory, seen, WIDE), Proposal):
        asked.append(answer.shape)
        memory = tried(memory.spent(swaps=0, trials=1), seen, str(answer.shape), 0.95)
    assert answer.settled
    assert 0 < len(asked) == len(set(asked)) <= MOST_TRIALS


def test_what_served_more_is_returned_to_in_one_move():
    seen = load(
        shape=Shape(2, 16), wait_s=0.020, cpu_s=0.0022, in_service=32.0, queued=32.0, cores_used=1.6, throughput=700.0,
        samples=10, spread=0.01,
    )  # fmt: skip
    memory = tried(KNOWN.with_point(seen), seen, "6x8", 1.15)
    answer = next_shape(memory.with_point(seen), seen, WIDE)
    assert isinstance(answer, Proposal)
    assert answer.shape.processes in range(5, 8)


DROWNED = load(
    shape=Shape(4, 20), in_service=64.0, queued=0.0, wait_s=0.244, throughput=260.0, service_s=0.246, cores_used=0.4,
    samples=8,
)  # fmt: skip


def test_a_backend_whose_wait_grew_with_our_requests_gets_fewer():
    """2 in service: 20 ms. 64 in service: 244 ms. A power of 1.4 puts the knee at 64 * (20 / 244)^(1 / 1.4) = 10.7."""
    alone = load(shape=Shape(1, 2), in_service=2.0, queued=62.0, wait_s=0.020, throughput=95.0)
    answer = next_shape(KNOWN.with_point(alone), DROWNED, WIDE)
    assert isinstance(answer, Proposal)
    assert 8 <= answer.shape.slots <= 16
    assert answer.reason is Reason.BACKEND_LIMITED
    assert "the backend slows down with concurrency: W 20.0 ms with few requests at once" in answer.message


def test_a_backend_met_with_many_requests_at_once_is_asked_once_with_fewer():
    answer = next_shape(KNOWN, DROWNED, WIDE)
    assert isinstance(answer, Proposal)
    assert answer.reason is Reason.BACKEND_PROBE
    # By fewer processes alone, so that the way back takes no import; a third of 64 would be 21.
    assert answer.shape == Shape(2, 20)
    again = next_shape(replace(KNOWN, probed=True), DROWNED, WIDE)
    assert again.reason is not Reason.BACKEND_PROBE


def test_a_backend_that_more_requests_slow_down_is_asked_with_still_fewer_before_anything_else():
    """A power of 1.4 would put its knee at 21.8, and ask for 2x12. Half of the requests; of one process alone the lock
    may hide what the backend could serve."""
    many = load(shape=Shape(16, 64), in_service=64.0, queued=0.0, wait_s=0.435, throughput=147.0)
    seen = load(
        shape=Shape(2, 10), in_service=20.0, queued=44.0, wait_s=0.095, throughput=208.0, service_s=0.096,
        cores_used=0.25, samples=8,
    )  # fmt: skip
    answer = next_shape(KNOWN.with_point(many), seen, WIDE)
    assert isinstance(answer, Proposal)
    assert (answer.reason, answer.shape) == (Reason.BACKEND_PROBE, Shape(2, 5))


def test_a_backend_that_was_as_quick_with_half_the_requests_is_not_asked():
    """36 in service waited 101 ms and 64 do: between the two nothing has slowed down."""
    waits = {"wait_s": 0.101, "service_s": 0.1013, "cpu_s": 0.0003, "cores_used": 0.2, "samples": 8}
    fewer = load(shape=Shape(6, 6), in_service=36.0, queued=28.0, throughput=359.0, **waits)
    seen = load(shape=Shape(2, 32), in_service=64.0, queued=0.0, throughput=639.0, **waits)
    answer = next_shape(KNOWN.with_point(fewer), seen, WIDE)
    assert answer.reason is not Reason.BACKEND_PROBE
    assert next_shape(KNOWN, seen, WIDE).reason is Reason.BACKEND_PROBE


def test_arrivals_that_do_not_wait_are_not_thinned_out_to_ask_a_backend():
    assert next_shape(KNOWN, replace(DROWNED, closed=False), WIDE).reason is not Reason.BACKEND_PROBE


def test_the_budget_leaves_a_swap_for_the_way_back():
    spent = replace(KNOWN, swaps=MOST_SWAPS - 1)
    answer = next_shape(spent, WAITING, WIDE)
    assert (type(answer), answer.reason, answer.settled) == (Hold, Reason.CHANGE_BUDGET_EXHAUSTED, True)
    assert "one comes back every 5 min" in answer.message
    assert next_shape(replace(KNOWN, trials=MOST_TRIALS), WAITING, WIDE).reason is Reason.CHANGE_BUDGET_EXHAUSTED


def test_connections_are_used_as_far_as_they_go_and_then_the_limit_is_named():
    """24 connections: two are open, and 22 may be beside them."""
    tight = replace(WIDE, max_connections=24)
    first = next_shape(FRESH, WAITING, tight)
    assert isinstance(first, Proposal)
    assert 18 <= first.shape.slots <= 24
    assert tight.fits(first.shape, WAITING)
    found = replace(WAITING, shape=Shape(2, 11), in_service=22.0, queued=42.0, throughput=220.0, samples=8)
    then = next_shape(KNOWN, found, tight)
    assert (type(then), then.reason) == (Refusal, Reason.CONNECTION_LIMIT)


def test_bounds_in_the_way_are_said():
    tight = replace(WIDE, processes=Bounds(min=1, max=2), threads=Bounds(min=1, max=8))
    found = replace(WAITING, shape=Shape(2, 8), in_service=16.0, queued=48.0, throughput=160.0, samples=8)
    answer = next_shape(KNOWN, found, tight)
    assert (type(answer), answer.reason) == (Refusal, Reason.BOUNDS_REACHED)
    assert "the manifest allows 1 to" in answer.message


def test_memory_in_the_way_is_said_before_the_bounds():
    """Within one thread and sixteen processes eight would do; there is memory for two."""
    tight = replace(WIDE, threads=Bounds(min=1, max=1), memory_limit=140 * 2**20)
    found = replace(WAITING, shape=Shape(2, 1), in_service=2.0, queued=14.0, samples=8)
    answer = next_shape(KNOWN, found, tight)
    assert (type(answer), answer.reason) == (Refusal, Reason.MEMORY_LIMIT)


def test_memory_forbids_what_would_not_fit_beside_what_serves():
    """Beside 112 MiB: 0.9 * 330 = 297 MiB hold three more workers of 50 MiB, not four."""
    tight = replace(WIDE, memory_limit=330 * 2**20)
    answer = next_shape(FRESH, MANY, tight)
    assert isinstance(answer, Proposal)
    assert answer.shape.processes <= 3


def test_what_the_agent_found_in_the_way_is_named_when_nothing_smaller_is_left():
    """The agent knows the memory of this second: it refused 7x1, 6x1 serves, and the bounds are not to blame."""
    tight = replace(WIDE, threads=Bounds(min=1, max=1))
    found = replace(WAITING, shape=Shape(6, 1), in_service=6.0, queued=26.0, throughput=60.0, samples=8)
    memory = KNOWN.with_refused(Shape(7, 1), up=True, limit=Reason.MEMORY_LIMIT, why="needs 57 MiB")
    answer = next_shape(memory, found, tight)
    assert (type(answer), answer.reason) == (Refusal, Reason.MEMORY_LIMIT)
    assert answer.message == "the agent refused 7x1: needs 57 MiB"


def test_what_is_too_much_for_all_pods_is_named_with_its_figures():
    """What they share bears six requests of each pod at once: no more slots are tried, and it is said why."""
    tight = replace(WIDE, threads=Bounds(min=1, max=1))
    found = replace(WAITING, shape=Shape(6, 1), in_service=6.0, queued=26.0, throughput=60.0, samples=8)
    why = "per pod 60 → 59 requests/s"
    memory = KNOWN.with_refused(Shape(12, 1), up=True, limit=Reason.BACKEND_LIMITED, why=why, most=6)
    answer = next_shape(memory, found, tight)
    assert (type(answer), answer.reason) == (Refusal, Reason.BACKEND_LIMITED)
    assert answer.message == "12x1 was too much, 6 slots of each pod are not: per pod 60 → 59 requests/s"


def test_what_was_refused_is_not_proposed_nor_what_is_larger():
    shape = next_shape(FRESH, MANY, WIDE).shape
    answer = next_shape(FRESH.with_refused(shape, up=True), MANY, WIDE)
    assert isinstance(answer, Proposal)
    assert answer.shape != shape
    assert not (answer.shape.processes >= shape.processes and answer.shape.threads >= shape.threads)


def test_while_workloads_alternate_only_what_one_cannot_do_without_is_worth_a_change():
    turning = replace(KNOWN, turns=(900.0, 940.0, 980.0), at=1000.0)
    assert isinstance(next_shape(turning, MANY, WIDE), Proposal)
    near = load(
        shape=Shape(4, 16), wait_s=0.020, cpu_s=0.0022, service_s=0.079, in_service=63.0, queued=1.0, cores_used=1.7,
        throughput=800.0, samples=8, spread=0.01,
    )  # fmt: skip
    assert isinstance(next_shape(KNOWN.with_point(near), near, WIDE), Proposal)
    answer = next_shape(turning.with_point(near), near, WIDE)
    assert (type(answer), answer.reason, answer.settled) == (Hold, Reason.WORKLOADS_ALTERNATE, True)
