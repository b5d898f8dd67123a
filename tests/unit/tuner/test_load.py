"""What the samples say about the load, and which of them count."""

import pytest

from tests.unit.tuner.making import BASE, nobody, seconds
from uwsgi_autopilot.api.sample import Census
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.tuner.load import load_of
from uwsgi_autopilot.tuner.window import window


def test_times_per_request_add_up_to_the_service_time():
    load = load_of(seconds(5))
    assert load is not None
    # 8 s in service / 360 requests; 0.72 s CPU / 360; 7.2 of 8 busy threads in I/O.
    assert load.service_s == pytest.approx(8 / 360)
    assert load.cpu_s == pytest.approx(0.002)
    assert load.wait_s == pytest.approx(0.9 * 8 / 360)
    assert load.throughput == 360
    assert (load.in_service, load.queued, load.demand) == (8.0, 10.0, 18.0)


@pytest.mark.parametrize(
    ("samples", "known"),
    [
        pytest.param([], False, id="no samples"),
        pytest.param(seconds(2), False, id="two seconds are no mean"),
        pytest.param(seconds(4, requests=6.0), False, id="24 requests in four seconds"),
        pytest.param(seconds(5, requests=6.0), True, id="30 requests in five seconds are a guess"),
        pytest.param(seconds(3), True, id="three seconds with a thousand requests"),
        pytest.param(seconds(5, settled=False), False, id="something is changing"),
        pytest.param(seconds(1, after=seconds(9), settled=False), False, id="something has begun to change"),
        pytest.param(nobody(30), False, id="nobody came"),
    ],
)
def test_when_a_load_is_known(samples, known):
    assert (load_of(samples) is not None) is known


def test_the_first_two_seconds_after_a_change_do_not_count():
    before = seconds(10, generation=1)
    swapping = seconds(2, after=before, generation=2, settled=False)
    after = seconds(6, after=swapping, generation=2, shape=Shape(4, 13), requests=800.0)
    assert [each.at for each in window(after)] == [each.at for each in after[-4:]]


def test_a_gap_in_the_readings_ends_the_window():
    first = seconds(5)
    second = seconds(5, after=[*first[:-1], first[-1]])
    late = [*first, *(each for each in seconds(12, after=first)[10:])]
    assert len(window(second)) == 10
    assert all(each.at > first[-1].at + 2 for each in window(late))


def test_a_ramp_at_the_start_is_no_part_of_the_load():
    samples = seconds(5, after=seconds(1, after=nobody(3), requests=90.0))
    load = load_of(samples)
    assert load is not None
    assert load.throughput == 360


def test_a_census_that_contradicts_the_cpu_clock_is_not_believed():
    """All threads seen running, but 0.72 s of CPU for 8 s of service: the locks' addresses were not understood."""
    wrong = Census(running=8.0, io=0.0, interpreter_lock=0.0, application_lock=0.0, idle=0.0, looks=160)
    load = load_of(seconds(5, census=wrong))
    assert load is not None
    assert not load.by_census
    # S - C - R: 22.2 - 2.0 - 0.06 ms
    assert load.wait_s == pytest.approx((8.0 - 0.72 - 0.02) / 360)


def test_a_wait_for_the_interpreter_lock_is_not_taken_for_io_without_a_census():
    """One worker at a full core, 8 threads: 43 ms of service, 5.4 ms of CPU. The rest is the lock, not I/O."""
    load = load_of(seconds(5, census=None, requests=185.0, cpu_s=1.0, worker_cpu=1.0, shape=Shape(1, 8)))
    assert load is not None
    assert load.wait_s <= load.cpu_s


@pytest.mark.parametrize(
    ("in_io", "waiting", "expected"),
    [
        pytest.param(5.9, 2.0, 3, id="two processes, pool of 3, a quarter waits"),
        pytest.param(5.3, 2.6, 3, id="connections stand idle now and then"),
        pytest.param(3.9, 4.0, 2, id="pool of 2"),
        pytest.param(6.9, 1.0, None, id="an eighth waits: an ordinary lock"),
    ],
)
def test_the_size_of_a_pool(in_io, waiting, expected):
    census = Census(running=0.1, io=in_io, interpreter_lock=0.0, application_lock=waiting, idle=0.0, looks=160)
    load = load_of(seconds(5, census=census, cpu_s=0.1, worker_cpu=0.05))
    assert load is not None
    assert load.pool_size == expected


def test_a_queue_that_grows_without_end_is_no_demand():
    """300 arrivals a second of 100 ms at 20 a second served: 30 would be in service, whatever the queue says."""
    samples = []
    for second in range(8):
        samples = seconds(
            1,
            after=samples,
            requests=20.0,
            busy=2.0,
            service_s=2.0,
            cpu_s=0.01,
            worker_cpu=0.01,
            shape=Shape(1, 2),
            queue_mean=280.0 * second,
            census=Census(running=0.0, io=2.0, interpreter_lock=0.0, application_lock=0.0, idle=0.0, looks=40),
        )
    load = load_of(samples)
    assert load is not None
    assert load.overrun
    # 1.5 * (20 + 280) * 0.1 s
    assert load.demand == pytest.approx(45, rel=0.1)


def test_clients_that_wait_for_their_answers_are_all_demand():
    load = load_of(seconds(8))
    assert load is not None
    assert not load.overrun
    assert load.demand == 18.0


def test_full_slots_with_a_queue_that_nobody_can_see_are_demand_for_more():
    load = load_of(seconds(5, queue_mean=None, queue_max=None))
    assert load is not None
    assert load.demand > 2 * BASE.busy


TRICKLE = {"requests": 1.0, "queue_mean": 0.0, "busy": 0.02, "service_s": 0.022, "cpu_s": 0.002, "worker_cpu": 0.001}
SHORT_OF_SLOTS = {"requests": 20.0, "busy": 8.0, "queue_mean": 56.0, "service_s": 8.0}


@pytest.mark.parametrize(
    ("samples", "throughput"),
    [
        # 120 + 2 * 20 requests were enough for a figure of both: 1.5 a second
        pytest.param(seconds(2, after=seconds(120, **TRICKLE), **SHORT_OF_SLOTS), None, id="two seconds of a rush"),
        pytest.param(seconds(5, after=seconds(120, **TRICKLE), **SHORT_OF_SLOTS), 20.0, id="five seconds of a rush"),
        pytest.param(seconds(5, after=seconds(120, **SHORT_OF_SLOTS), **TRICKLE), None, id="the rush is over"),
        pytest.param(seconds(25, after=seconds(60, **SHORT_OF_SLOTS), **TRICKLE), 1.0, id="a trickle after the rush"),
        pytest.param(seconds(8, after=seconds(8, queue_mean=1.0)), 360.0, id="twice the clients are more of the same"),
    ],
)
def test_a_window_holds_one_load_only(samples, throughput):
    load = load_of(samples)
    assert (None if load is None else load.throughput) == (throughput and pytest.approx(throughput))


@pytest.mark.parametrize(
    ("foreign", "left"),
    [
        pytest.param(0.5, 1.5, id="what others leave"),
        pytest.param(2.0, 0.8, id="a fair share, where they leave nothing"),
        pytest.param(3.0, 0.8, id="or use cores that we may not"),
    ],
)
def test_the_cores_that_we_can_have(foreign, left):
    assert load_of(seconds(8, foreign_cpu=foreign)).cores_to_have == pytest.approx(left)
