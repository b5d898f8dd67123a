"""When the guard asks for a fresh generation, told on an application whose memory is two numbers: what it takes when it
is fresh, and what it adds each second."""

import math
from collections.abc import Callable
from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st

from uwsgi_autopilot.agent.memoryguard import MemoryGuard, Recycle, Rest, Seen
from uwsgi_autopilot.api.headroom import Held

MIB = 1024 * 1024
OUTSIDE = 16 * MIB
TICK = 0.1
END_SECONDS = 1.2


def flat(age: float) -> float:
    return 0.0


class Told:
    """`run` lets seconds pass. asked: (when, what) of each Recycle; peak: the most that was ever in use.

    grows: bytes that a generation of that age holds beyond `fresh`. held_on: bytes that come back with no generation.
    """

    def __init__(
        self, *, limit: int | None = 512 * MIB, fresh: int = 48 * MIB, grows: Callable[[float], float] = flat,
        import_s: float = 0.5, longest_s: float = 0.0, beside: bool = True, starts: bool = True,
    ) -> None:  # fmt: skip
        self.limit, self.fresh, self.grows = limit, fresh, grows
        self.import_s, self.longest_s, self.beside, self.starts = import_s, longest_s, beside, starts
        self.guard = MemoryGuard(OUTSIDE)
        self.now = 1000.0
        self.number, self.since, self.workers, self.parked = 1, self.now, 2, 0
        self.changed_at = self.now
        self.held_on = 0.0
        self.leaving: list[tuple[float, float]] = []  # when it is gone, what it holds
        self.starting: float | None = None  # when it serves
        self.serving = True
        self.asked: list[tuple[float, Recycle]] = []
        self.rests: list[Rest] = []
        self.peak = 0.0

    @property
    def used(self) -> int:
        live = (self.workers - self.parked) / self.workers
        own = self.fresh * live + self.grows(self.now - self.since) if self.serving else 0.0
        starting = self.fresh if self.starting is not None else 0.0
        return int(OUTSIDE + own + starting + sum(held for _, held in self.leaving) + self.held_on)

    @property
    def held(self) -> Held | None:
        return None if self.limit is None else Held(used=self.used, limit=self.limit, age=1.0, of="cgroup")

    def run(self, seconds: float) -> "Told":
        for tick in range(1, round(seconds / TICK) + 1):
            self.now += TICK
            self._live()
            self.peak = max(self.peak, self.used)
            if tick % 10 == 0 and self.serving and self.starting is None:
                self._look()
        return self

    def _live(self) -> None:
        if any(at <= self.now for at, _ in self.leaving):
            self.leaving = [each for each in self.leaving if each[0] > self.now]
            self.changed_at = self.now
        if self.starting is not None and self.starting <= self.now:
            if self.serving:
                self._leave()
            self.number, self.since, self.changed_at = self.number + 1, self.now, self.now
            self.serving, self.starting = True, None
        if not self.serving and self.starting is None and (not self.leaving or self.guard.has_room(self.held)):
            self.starting = self.now + self.import_s

    def _leave(self) -> None:
        own = self.fresh + self.grows(self.now - self.since)
        self.leaving.append((self.now + END_SECONDS + self.longest_s, own))
        self.serving = False

    def _look(self) -> None:
        seen = Seen(
            now=self.now, held=self.held, generation=self.number, workers=self.workers, alone=not self.leaving,
            start_seconds=self.import_s, longest_seconds=self.longest_s, beside=self.beside, changed_at=self.changed_at,
            parked=self.parked,
        )  # fmt: skip
        answer = self.guard.step(seen)
        if isinstance(answer, Rest):
            self.rests.append(answer)
        elif answer is not None:
            self.asked.append((self.now, answer))
            if not self.starts:
                return
            if answer.beside:
                self.starting = self.now + self.import_s
            else:
                self._leave()


def leaks(rate: float) -> Callable[[float], float]:
    return lambda age: rate * age


def test_without_a_limit_nothing_is_asked_for():
    assert Told(limit=None, grows=leaks(100 * MIB)).run(600).asked == []


def test_workers_that_were_put_away_and_return_are_no_leak():
    told = Told(fresh=462 * MIB).run(300)
    need = told.guard.need
    told.parked = 1
    told.run(300)
    told.parked = 0
    told.run(300)
    assert told.asked == []
    assert told.guard.need == need


def test_a_steady_leak_is_replaced_late_the_first_time_and_beside_itself_from_then_on():
    told = Told(grows=leaks(20 * MIB)).run(120)
    assert [each.beside for _, each in told.asked][:4] == [False, True, True, True]
    assert told.peak < 512 * MIB
    late, early = told.asked[0][1].why, told.asked[1][1].why
    assert "of 512 MiB are in use" in late
    assert "more than when generation 1 was fresh, and 20.0 are added each second" in late
    assert late.endswith("once it has ended, and requests wait meanwhile")
    assert "while there is room for both: a fresh one takes" in early


def test_where_no_second_generation_may_run_it_is_always_late():
    told = Told(grows=leaks(20 * MIB), beside=False).run(120)
    assert len(told.asked) > 3
    assert {each.beside for _, each in told.asked} == {False}
    assert told.peak < 512 * MIB


def test_a_generation_that_fits_only_once_is_always_late():
    told = Told(fresh=300 * MIB, grows=leaks(2 * MIB)).run(600)
    assert len(told.asked) > 3
    assert {each.beside for _, each in told.asked} == {False}
    assert told.peak < 512 * MIB


def test_a_long_import_is_no_pause_even_the_first_time():
    told = Told(grows=leaks(2 * MIB), import_s=30.0).run(900)
    assert len(told.asked) > 3
    assert {each.beside for _, each in told.asked} == {True}
    assert told.peak < 512 * MIB


def test_what_fills_its_caches_and_stops_below_the_limit_is_left_alone():
    told = Told(grows=lambda age: min(380 * MIB, 10 * MIB * age)).run(7200)
    assert told.used == OUTSIDE + 428 * MIB
    assert told.asked == []


def test_a_shape_that_is_simply_too_large_is_left_alone():
    """Another one would be as large."""
    assert Told(fresh=490 * MIB).run(7200).asked == []


def test_one_burst_up_to_the_limit_is_no_leak_that_is_replaced_early():
    told = Told(grows=lambda age: 60 * MIB if age < 600 else 60 * MIB + (age - 600) * 25 * MIB).run(2400)
    assert len(told.asked) > 1
    assert {each.beside for _, each in told.asked} == {False}
    assert told.peak < 512 * MIB


def test_a_leak_too_slow_to_be_seen_ends_before_the_limit_too():
    told = Told(fresh=400 * MIB, grows=leaks(20 * 1024)).run(4 * 3600)
    assert told.asked
    assert {each.beside for _, each in told.asked} == {False}
    assert told.peak < 512 * MIB


def test_requests_that_take_memory_and_give_it_back_are_no_growth():
    """Up by 100 MiB every other second, above 400."""
    told = Told(fresh=330 * MIB, grows=lambda age: 60 * MIB + (100 * MIB if int(age) % 2 else 0))
    told.run(300)
    assert told.guard.growth(512 * MIB) == 0
    assert told.asked == []


def test_a_heap_that_breathes_is_no_growth():
    told = Told(grows=lambda age: 200 * MIB + MIB * math.sin(age / 10))
    assert [told.run(1).guard.growth(512 * MIB) for _ in range(300)] == [0.0] * 300


def test_a_leak_that_takes_an_hour_is_replaced_late_each_time():
    """Early would be a quarter of an hour before the limit."""
    told = Told(grows=leaks(100 * 1024)).run(4 * 3600)
    assert len(told.asked) > 1
    assert {each.beside for _, each in told.asked} == {False}
    assert told.peak < 512 * MIB


def test_after_one_that_freed_little_it_rests_longer_each_time_and_says_so():
    told = Told()
    # Files in a tmpfs: nobody gives them back.
    for _ in range(4000):
        told.held_on = min(told.held_on + 2 * MIB, 512 * MIB - told.fresh - OUTSIDE)
        told.run(1)
    times = [at for at, _ in told.asked]
    assert 1 <= len(times) <= 3
    assert all(later - earlier >= 300 for earlier, later in pairwise(times))
    assert "a fresh generation freed 0 MiB where" in told.rests[0].why
    assert "for 5 minutes" in told.rests[0].why


def test_a_fresh_generation_that_does_not_start_is_not_asked_for_again_at_once():
    told = Told(grows=lambda age: min(430 * MIB, 2 * MIB * age), import_s=30.0, starts=False).run(400)
    assert len(told.asked) == 1
    assert told.rests[0].why.startswith("no fresh generation came: memory is not guarded for 5 minutes")


def test_more_workers_are_no_leak():
    """Twice as many take twice as much, and are fresh."""
    told = Told(fresh=40 * MIB).run(60)
    told.fresh, told.workers = 420 * MIB, 20
    assert told.run(1200).asked == []


def test_what_is_in_use_while_an_old_generation_finishes_is_not_what_a_fresh_one_takes():
    told = Told(grows=leaks(20 * MIB), longest_s=10.0).run(60)
    assert told.number > 1
    assert told.guard.need <= (48 + 20) * MIB, "at most what it leaked until it was looked at"


def test_another_limit_begins_another_story():
    told = Told(grows=leaks(2 * MIB)).run(200)
    assert told.asked == []
    told.limit = 1024 * MIB
    assert told.run(100).asked == []
    assert told.run(300).peak < 1024 * MIB


@settings(max_examples=60, deadline=None)
@given(
    limit=st.integers(128, 8192),
    fresh=st.floats(0.03, 0.7),
    seconds=st.floats(15.0, 3600.0),
    import_s=st.floats(0.1, 60.0),
    longest_s=st.floats(0.0, 20.0),
    beside=st.booleans(),
)
@example(limit=128, fresh=0.125, seconds=15.0, import_s=1.0, longest_s=5.0, beside=True)
def test_whatever_leaks_never_reaches_the_limit(limit, fresh, seconds, import_s, longest_s, beside):
    """seconds: from fresh to the limit."""
    size = limit * MIB
    own = max(0.0, fresh * size - OUTSIDE)
    rate = (size - OUTSIDE - own) / seconds
    told = Told(
        limit=size, fresh=int(own), grows=leaks(rate), import_s=import_s, longest_s=longest_s, beside=beside
    ).run(min(3 * seconds, 3600.0) + 120)
    assert told.peak <= size
    assert told.asked or seconds > 1100
    assert told.rests == []
    times = [at for at, _ in told.asked]
    assert all(later - earlier >= 3 for earlier, later in pairwise(times))
