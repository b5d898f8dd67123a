"""From the target to what serves: the order of steps, what each failure leads to, and what is never done again."""

from pathlib import Path

import pytest

from tests.unit.agent.making import FakeServer, config
from uwsgi_autopilot.agent.follower import Follower
from uwsgi_autopilot.agent.generations import Generations
from uwsgi_autopilot.agent.lives import MAX_RETIRING
from uwsgi_autopilot.agent.memoryguard import Recycle
from uwsgi_autopilot.agent.server import Outcome
from uwsgi_autopilot.api.desired import DesiredShape, Version
from uwsgi_autopilot.api.headroom import MemoryUse
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.report.reasons import RefusalReason

MIB = 1024 * 1024


class World:
    """Generations on a fake server; `now` goes on by a tenth of a second with each tick."""

    def __init__(self, folder: Path) -> None:
        self.config = config(folder, start=Shape(4, 4))
        self.server = FakeServer()
        self.follower = Follower(self.config)
        self.use: MemoryUse | None = None
        self.generations = Generations(
            self.server,
            self.follower,
            lambda: self.use,
            start_seconds=300.0,
            request_seconds=75.0,
            stream_seconds=600.0,
        )
        self.now = 1000.0
        self.seq = 0

    def ask(self, shape: Shape, trial: float | None = None, *, in_place: bool = False) -> Version:
        self.seq += 1
        version = Version(1, self.seq)
        path = Path(self.config.desired)
        path.with_suffix(".new").write_text(
            DesiredShape(version=version, shape=shape, trial_seconds=trial, in_place=in_place).to_text(),
            encoding="utf-8",
        )
        path.with_suffix(".new").replace(path)
        return version

    def run(self, seconds: float = 0.5) -> None:
        for _ in range(round(seconds * 10)):
            self.now += 0.1
            self.follower.poll(self.now)
            self.generations.step(self.now)

    @property
    def serving(self):
        assert self.generations.serving is not None
        return self.generations.serving.instance

    @property
    def refused(self):
        return self.follower.following.refused


@pytest.fixture
def world(tmp_path) -> World:
    """4x4 serves."""
    world = World(tmp_path)
    world.run()
    assert world.server.shapes == ["4x4"]
    assert world.generations.idle
    return world


def test_other_threads_are_a_swap_and_the_old_one_retires(world):
    old = world.serving
    world.ask(Shape(4, 8))
    world.run()
    assert world.generations.shape == Shape(4, 8)
    assert old.told[-1] == "retire"
    assert world.generations.in_progress(world.now).kind == "retire"
    old.running = False
    world.run()
    assert world.generations.idle
    assert old.closed
    assert world.generations.counts.swaps == 1


def test_more_processes_are_a_resize(world):
    world.ask(Shape(6, 4))
    world.run()
    assert world.serving.told[-1] == "resize 6"
    assert world.generations.in_progress(world.now).kind == "resize"
    world.serving.live, world.serving.resizing.outcome = 6, Outcome.DONE
    world.run()
    assert world.generations.idle
    assert world.generations.shape == Shape(6, 4)
    assert world.server.shapes == ["4x4"]


def test_more_processes_than_the_ceiling_are_a_swap(world):
    world.ask(Shape(17, 4))
    world.run()
    assert world.server.shapes == ["4x4", "17x4"]


def test_what_the_workers_do_is_no_change_of_the_target(world):
    """One respawns, or is parked one day: nothing is compared with it."""
    world.serving.live = 3
    world.run(5.0)
    assert world.generations.idle
    assert world.generations.shape == Shape(3, 4)
    assert world.serving.told == ["takes over"]


def put_away(world, live):
    """So many of the four workers stay."""
    serving = world.generations.serving
    serving.parked.move(live, 4, world.now)
    world.serving.live, world.serving.resizing.outcome = live, Outcome.DONE
    assert serving.parked.step(world.now) is Outcome.DONE


def test_workers_that_are_put_away_are_part_of_the_shape(world):
    put_away(world, 2)
    world.run(5.0)
    assert world.generations.shape == Shape(4, 4)
    assert world.generations.serving.parked_count == 2
    assert world.generations.wants_nothing


def test_a_worker_that_respawns_is_not_taken_for_one_that_is_put_away(world):
    put_away(world, 3)
    world.serving.live = 2
    assert world.generations.serving.parked_count == 1
    assert world.generations.shape == Shape(3, 4)


@pytest.mark.parametrize(("to", "then"), [(Shape(4, 8), "retire"), (Shape(6, 4), "resize 6")])
def test_a_change_waits_until_all_that_was_put_away_is_back(world, to, then):
    put_away(world, 2)
    old = world.serving
    world.ask(to)
    world.run()
    assert old.told[-1] == "resize 4"
    assert (world.server.shapes, world.generations.change) == (["4x4"], None)
    assert not world.generations.wants_nothing
    old.live, old.resizing.outcome = 4, Outcome.DONE
    world.generations.serving.parked.step(world.now)
    world.run()
    assert old.told[-1] == then


def test_a_master_that_brings_nobody_back_holds_up_no_change(world):
    put_away(world, 2)
    old = world.serving
    world.ask(Shape(4, 8))
    world.run()
    old.resizing.outcome = Outcome.NOT_ANSWERING
    world.generations.serving.parked.step(world.now)
    world.run()
    assert world.generations.shape == Shape(4, 8)


def test_while_workers_go_or_return_nothing_is_recycled(world):
    world.generations.serving.parked.move(3, 4, world.now)
    assert not world.generations.may_recycle


def test_a_trial_that_began_while_a_worker_respawned_returns_to_all_of_them(world):
    world.serving.live = 3
    world.ask(Shape(4, 8), trial=2.0)
    world.run(3.0)
    assert world.refused.reason is RefusalReason.TRIAL_EXPIRED
    assert world.server.shapes == ["4x4", "4x8", "4x4"]


# --- (a) what cannot start


def test_a_target_that_does_not_start_is_given_up_and_what_served_goes_on(world):
    world.server.broken.add(Shape(4, 8))
    version = world.ask(Shape(4, 8))
    world.run(60.0)
    assert world.server.shapes == ["4x4", "4x8"], "once"
    assert world.generations.shape == Shape(4, 4)
    assert world.follower.target == Shape(4, 4)
    assert (world.refused.reason, world.refused.version) == (RefusalReason.START_FAILED, version)
    assert "ended with status 1 before it accepted requests: the end of its output" in world.refused.message


def test_when_the_old_generation_dies_while_a_bad_one_starts_what_served_is_started_again(world):
    world.ask(Shape(4, 8))
    world.run(0.1)
    bad = world.server.started[-1]
    bad.accepting = False
    world.serving.running = False
    world.run()
    assert world.server.shapes == ["4x4", "4x8"], "one that starts may yet serve"
    bad.running = False
    world.server.broken.add(Shape(4, 8))
    world.run(60.0)
    assert world.server.shapes == ["4x4", "4x8", "4x4"], "the bad one is not tried again"
    assert world.generations.shape == Shape(4, 4)


def test_a_target_that_cannot_even_be_tried_is_given_up(world):
    world.server.impossible = OSError("No space left on device")
    world.ask(Shape(4, 8))
    world.run(60.0)
    assert "No space left" in world.refused.message
    assert world.generations.counts.failed_starts == 1


def test_what_served_is_started_again_less_and_less_often_and_is_no_refusal(world):
    """The application is broken for an hour: nobody's desired shape is to blame."""
    world.server.broken.add(Shape(4, 4))
    world.serving.running = False
    world.run(100.0)
    # At once, then after 0.5, 1, 2, 5, 10, 30 and 30 s.
    assert 6 <= len(world.server.started) - 1 <= 9
    assert world.refused is None
    world.server.broken.clear()
    world.run(31.0)
    assert world.generations.shape == Shape(4, 4)


def test_a_shape_that_is_desired_while_what_served_does_not_start_any_more_is_tried(world):
    world.server.broken.add(Shape(4, 4))
    world.serving.running = False
    world.run(10.0)
    world.ask(Shape(2, 4))
    world.run(90.0)
    assert world.generations.shape == Shape(2, 4)
    assert world.refused is None


def test_the_very_first_generation_that_does_not_start_is_the_end(tmp_path):
    world = World(tmp_path)
    world.server.broken.add(Shape(4, 4))
    world.run()
    assert "ended with status 1" in world.generations.first_failure


def test_a_slow_generation_is_discarded_and_given_up(world):
    world.ask(Shape(4, 8))
    world.run(0.1)
    slow = world.server.started[-1]
    slow.accepting = False
    world.run(310.0)
    assert slow.told[-1] == "discard"
    assert "300 s" in world.refused.message
    assert world.generations.shape == Shape(4, 4)
    world.run(80.0)
    assert slow.closed, "after the longest request it is killed"


def test_the_output_of_a_failed_start_is_not_waited_for(world):
    world.server.broken.add(Shape(4, 8))
    world.ask(Shape(4, 8))
    world.run(0.1)
    world.server.started[-1].output = None
    world.run(0.5)
    assert world.refused is None
    world.server.started[-1].output = "Traceback"
    world.run(0.1)
    assert world.refused.message.endswith("Traceback")


# --- (b) every generation that ended is closed


@pytest.mark.parametrize("when", ["before the new one accepts", "in the tick in which it accepts"])
def test_an_old_generation_that_dies_during_a_swap_is_closed(world, when):
    old = world.serving
    world.ask(Shape(4, 8))
    world.run(0.1)
    new = world.server.started[-1]
    new.accepting = False
    old.running = False
    if when == "before the new one accepts":
        world.run(0.3)
    new.accepting = True
    world.run(0.3)
    assert world.generations.shape == Shape(4, 8)
    assert old.closed
    assert world.generations.idle


def test_all_are_closed_when_everything_stops(world):
    world.ask(Shape(4, 8))
    world.run(0.1)
    world.generations.stop_all(world.now, gracefully=False)
    assert world.generations.step_stopping(world.now + 0.1)
    assert all(each.closed for each in world.server.started)


# --- (c) a resize that does not happen


def test_a_resize_that_is_not_possible_becomes_a_swap(world):
    world.ask(Shape(2, 4))
    world.run()
    world.serving.resizing.outcome = Outcome.IMPOSSIBLE
    world.run()
    assert world.server.shapes == ["4x4", "2x4"]
    assert world.generations.shape == Shape(2, 4)


def test_a_resize_that_must_stay_in_place_is_refused_instead(world):
    version = world.ask(Shape(2, 4), in_place=True)
    world.run()
    assert world.serving.resizing.patient
    world.serving.live, world.serving.resizing.outcome = 3, Outcome.IMPOSSIBLE
    world.run(0.1)
    assert (world.refused.reason, world.refused.version) == (RefusalReason.CONNECTION_LIMIT, version)
    assert "4x4 cannot become 2x4" in world.refused.message
    world.run()
    assert world.serving.told[-1] == "resize 4", "the worker that went comes back"
    assert world.server.shapes == ["4x4"]


def test_what_must_stay_in_place_and_is_above_the_ceiling_is_refused(world):
    world.ask(Shape(17, 4), in_place=True)
    world.run()
    assert world.refused.reason is RefusalReason.CONNECTION_LIMIT
    assert "it has room for 16 workers" in world.refused.message
    assert world.server.shapes == ["4x4"]


def test_other_threads_need_a_swap_even_in_place(world):
    world.ask(Shape(4, 8), in_place=True)
    world.run()
    assert world.generations.shape == Shape(4, 8)


def test_a_later_version_ends_the_patience(world):
    world.ask(Shape(2, 4), in_place=True)
    world.run()
    later = world.ask(Shape(3, 4), in_place=True)
    world.run(0.2)
    assert not world.serving.resizing.patient
    world.serving.resizing.outcome = Outcome.IMPOSSIBLE
    world.run()
    assert world.refused is None
    assert world.serving.told[-1] == "resize 3"
    assert world.generations.change.version == later


def test_a_swap_instead_of_a_resize_that_does_not_fit_leaves_the_old_target(world):
    world.ask(Shape(2, 4))
    world.run()
    world.use = MemoryUse(used=100 * MIB, limit=110 * MIB, worker=10 * MIB)
    world.serving.live, world.serving.resizing.outcome = 3, Outcome.IMPOSSIBLE
    world.run(0.1)
    assert world.refused.reason is RefusalReason.MEMORY_LIMIT
    assert world.follower.target == Shape(4, 4)
    assert world.server.shapes == ["4x4"]


def test_a_master_that_does_not_answer_a_resize_is_given_up_with_a_sentence(world):
    version = world.ask(Shape(6, 4))
    world.run()
    world.serving.resizing.outcome = Outcome.NOT_ANSWERING
    world.run(30.0)
    assert (world.refused.reason, world.refused.version) == (RefusalReason.NOT_ANSWERING, version)
    assert "4x4 cannot become 6x4" in world.refused.message
    assert world.serving.told.count("resize 6") == 1, "not tried again for the same version"
    world.ask(Shape(6, 4))
    world.run()
    assert world.serving.told.count("resize 6") == 2, "but for a later one"


def test_new_workers_that_never_accept_are_replaced_by_a_generation_of_the_old_shape(world):
    """`-` would take those first that have been idle longest, and these are the ones that serve."""
    world.ask(Shape(6, 4))
    world.run()
    world.serving.live, world.serving.resizing.outcome = 6, Outcome.NOT_ACCEPTING
    world.run()
    assert world.refused.reason is RefusalReason.START_FAILED
    assert world.server.shapes == ["4x4", "4x4"]


# --- memory, and several changes at once


def test_a_swap_needs_room_for_all_workers_and_a_master_a_resize_for_its_own(world):
    world.use = MemoryUse(used=100 * MIB, limit=200 * MIB, worker=18 * MIB, master=10 * MIB)
    world.ask(Shape(4, 8))  # 100 + 4 * 18 + 10 = 182 beside 0.9 * 200 = 180
    world.run()
    assert world.refused.reason is RefusalReason.MEMORY_LIMIT
    assert "82 MiB" in world.refused.message
    world.ask(Shape(8, 4))  # 100 + 4 * 18 = 172
    world.run()
    assert world.serving.told[-1] == "resize 8"


def test_a_later_version_is_followed_after_the_swap_that_is_under_way(world):
    world.ask(Shape(4, 8))
    world.run(0.1)
    world.server.started[-1].accepting = False
    last = world.ask(Shape(4, 2))
    world.run()
    world.server.started[-1].running = False
    world.run()
    assert world.server.shapes == ["4x4", "4x8", "4x2"]
    assert world.generations.shape == Shape(4, 2)
    assert world.follower.following.accepted.version == last
    assert world.refused.shape == Shape(4, 8)


def test_not_more_than_a_few_old_ones_finish_at_once(world):
    for threads in (5, 6, 7, 8):
        world.ask(Shape(4, threads))
        world.run(1.0)
    assert len(world.generations.retiring) == MAX_RETIRING
    assert world.server.shapes == ["4x4", "4x5", "4x6", "4x7"]
    world.server.started[0].running = False
    world.run()
    assert world.server.shapes[-1] == "4x8"


# --- (e) a reload, and where there may be one generation only


def test_a_reload_is_a_swap_to_the_same_shape(world):
    old = world.serving
    world.generations.reload()
    world.run()
    assert world.server.shapes == ["4x4", "4x4"]
    assert (old.told[-1], world.serving.told) == ("retire", ["takes over"])


def test_a_reload_that_does_not_start_leaves_what_serves(world, told):
    old = world.serving
    world.server.broken.add(Shape(4, 4))
    world.generations.reload()
    world.run(5.0)
    assert world.serving is old
    assert world.server.shapes == ["4x4", "4x4"], "once"
    assert "the reload failed, so the old code keeps serving: the new generation ended with status 1" in told()


def test_a_reload_without_room_for_a_second_generation_is_said(world, told):
    world.use = MemoryUse(used=900, limit=1000, master=100, worker=200)
    world.generations.reload()
    world.run()
    assert world.server.shapes == ["4x4"]
    assert "not enough memory for a second generation" in told()


@pytest.fixture
def alone(world) -> World:
    """4x4 serves, and nothing may run beside it."""
    world.generations.no_swap = "cron = x would run twice"
    return world


def test_alone_processes_are_resized_and_threads_refused(alone):
    alone.ask(Shape(6, 4))
    alone.run()
    assert alone.serving.resizing.patient
    alone.serving.live, alone.serving.resizing.outcome = 6, Outcome.DONE
    version = alone.ask(Shape(6, 8))
    alone.run()
    assert alone.server.shapes == ["4x4"]
    assert alone.generations.shape == Shape(6, 4)
    assert (alone.refused.reason, alone.refused.version) == (RefusalReason.NO_SECOND_GENERATION, version)
    assert "it has 4 threads per worker" in alone.refused.message
    assert "there can be no second one: cron = x would run twice" in alone.refused.message


def test_alone_a_reload_waits_for_the_end_of_the_old_one(alone):
    old = alone.serving
    alone.generations.reload()
    alone.run(3.0)
    assert (old.told[-1], alone.server.shapes) == ("retire", ["4x4"])
    old.running = False
    alone.run()
    assert alone.server.shapes == ["4x4", "4x4"]
    assert alone.generations.idle


# --- a fresh generation for the sake of memory


LATE = Recycle("486 of 512 MiB are in use", beside=False)
BESIDE = Recycle("330 of 512 MiB are in use", beside=True)


def room() -> bool:
    return True


def no_room() -> bool:
    return False


def test_beside_it_a_fresh_generation_is_a_swap_to_the_same_shape_whatever_the_arithmetic_of_a_change_says(world, told):
    """That counts with the largest worker ever seen, which leaked; the guard with a fresh one."""
    world.use = MemoryUse(used=330 * MIB, limit=512 * MIB, worker=150 * MIB)
    old = world.serving
    world.generations.recycle(BESIDE, no_room, world.now)
    world.run()
    assert world.server.shapes == ["4x4", "4x4"]
    assert (old.told[-1], world.serving.told) == ("retire", ["takes over"])
    assert (world.generations.counts.recycles, world.generations.counts.swaps) == (1, 1)
    assert world.generations.recycled.message == BESIDE.why
    assert "memory: 330 of 512 MiB are in use generation=1" in told()
    assert world.refused is None


def test_late_it_ends_first_and_the_next_one_starts_when_it_is_gone(world):
    old = world.serving
    world.generations.recycle(LATE, no_room, world.now)
    world.run(3.0)
    assert (old.told[-1], world.server.shapes) == ("retire", ["4x4"])
    assert world.generations.exchanging
    assert not world.generations.may_recycle
    old.running = False
    world.run()
    assert world.server.shapes == ["4x4", "4x4"]
    assert world.generations.idle
    assert not world.generations.exchanging
    assert (world.generations.counts.recycles, world.generations.counts.restarts) == (1, 0)


def test_late_the_next_one_starts_as_soon_as_there_is_room(world):
    """One request that takes a minute does not keep the others waiting."""
    old = world.serving
    world.generations.recycle(LATE, room, world.now)
    world.run()
    assert world.server.shapes == ["4x4", "4x4"]
    assert world.generations.shape == Shape(4, 4)
    assert old in [each.instance for each in world.generations.retiring]


def test_late_it_is_not_waited_for_for_as_long_as_its_answers_move(world):
    old = world.serving
    old.in_service, old.wrote = 1, True
    world.generations.recycle(LATE, no_room, world.now)
    world.run(80.0)
    assert not old.running
    assert world.server.shapes == ["4x4", "4x4"]


def test_a_fresh_generation_that_does_not_start_leaves_what_serves(world, told):
    old = world.serving
    world.server.broken.add(Shape(4, 4))
    world.generations.recycle(BESIDE, no_room, world.now)
    world.run(5.0)
    assert world.serving is old
    assert world.server.shapes == ["4x4", "4x4"], "once"
    assert "the fresh generation did not start, so the old one keeps serving: the new generation ended" in told()


def test_late_a_fresh_generation_that_does_not_start_is_started_again(world):
    old = world.serving
    world.server.broken.add(Shape(4, 4))
    world.generations.recycle(LATE, room, world.now)
    world.run(0.2)
    assert not world.generations.exchanging, "nobody is told that requests are served in a moment"
    old.running = False
    world.server.broken.clear()
    world.run(3.0)
    assert world.generations.shape == Shape(4, 4)


def test_alone_nothing_is_started_beside_it(alone):
    old = alone.serving
    alone.generations.recycle(BESIDE, room, alone.now)
    alone.run(3.0)
    assert (old.told[-1], alone.server.shapes) == ("retire", ["4x4"])
    old.running = False
    alone.run()
    assert alone.server.shapes == ["4x4", "4x4"]


def test_a_shape_that_is_desired_meanwhile_follows(world):
    world.generations.recycle(BESIDE, no_room, world.now)
    version = world.ask(Shape(4, 8))
    world.run(1.0)
    assert world.server.shapes == ["4x4", "4x4", "4x8"]
    assert world.follower.following.accepted.version == version
    assert world.refused is None


# --- old generations with long answers


def swapped(world, **left):
    """What served before the swap, which has these left, a minute after its requests had to be finished."""
    old = world.serving
    world.ask(Shape(4, 8))
    world.run()
    for name, value in left.items():
        setattr(old, name, value)
    world.run(80.0)
    return old


@pytest.mark.parametrize("left", [{"waited_for": 1}, {"wrote": True}])
def test_an_old_generation_goes_on_while_answers_move_and_nobody_waits_for_it(world, left):
    """A byte moves, or a client reads slowly."""
    old = swapped(world, in_service=1, **left)
    assert old.running
    assert world.generations.idle
    assert world.generations.in_progress(world.now) is None
    world.ask(Shape(4, 4))
    world.run()
    assert world.generations.shape == Shape(4, 4)


def test_an_old_generation_of_which_nothing_moves_is_killed(world):
    """nginx has given its requests up by then."""
    old = swapped(world, in_service=2)
    assert old.told[-2:] == ["retire", "kill"] or old.told[-1] == "kill"
    assert "hold" not in old.told


def test_what_still_moves_when_its_time_is_over_is_held_until_nginx_has_let_go(world):
    old = swapped(world, in_service=1, waited_for=1, wrote=True)
    world.run(530.0)
    assert old.told[-1] == "hold"
    old.waited_for, old.wrote = 0, False
    world.run(2.0)
    assert old.told[-1] == "kill"


def test_what_is_held_is_killed_at_last_where_nobody_can_see_nginx_let_go(world):
    old = swapped(world, in_service=1, wrote=True)
    world.run(530.0)
    old.wrote = False
    world.run(60.0)
    assert old.told[-1] == "hold"
    world.run(20.0)
    assert old.told[-1] == "kill"
