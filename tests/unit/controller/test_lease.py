"""Which operator leads: never two, whatever is paused, slow, cut off or restarted; soon another, if one ends."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.controller.fakes import FakeKube
from uwsgi_autopilot.controller.kube import Kube, NotLeader, Unreachable
from uwsgi_autopilot.controller.lease import DEADLINE_SECONDS, LEASE_SECONDS, RENEW_SECONDS, Lease
from uwsgi_autopilot.controller.leasekeeper import STALLED_SECONDS, LeaseKeeper


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Line:
    """The way of one operator to the API server. down: nothing gets through. held: each request waits for its turn."""

    def __init__(self, kube: FakeKube) -> None:
        self.kube, self.down = kube, False
        self.held: list[asyncio.Future[None]] | None = None

    async def _way(self) -> None:
        if self.held is not None:
            turn = asyncio.get_running_loop().create_future()
            self.held.append(turn)
            await turn
        if self.down:
            raise Unreachable("no route")

    async def get(self, *args: Any) -> Any:
        return await self._there_and_back(self.kube.get(*args))

    async def create(self, *args: Any) -> Any:
        return await self._there_and_back(self.kube.create(*args))

    async def merge(self, *args: Any) -> Any:
        return await self._there_and_back(self.kube.merge(*args))

    async def _there_and_back(self, request: Coroutine[Any, Any, Any]) -> Any:
        try:
            await self._way()
            found = await request
        finally:
            request.close()
        await self._way()
        return found


class World:
    def __init__(self) -> None:
        self.clock, self.kube = Clock(), FakeKube()

    def operator(self, name: str) -> Lease:
        return Lease(Line(self.kube), "system", "uwsgi-autopilot", name, self.clock)

    def pass_by(self, seconds: float, *present: Lease) -> None:
        """Each who is present looks every two seconds."""
        for _ in range(round(seconds / RENEW_SECONDS)):
            self.clock.now += RENEW_SECONDS
            for each in present:
                asyncio.run(each.attempt())


def leads(lease: Lease) -> bool:
    try:
        return lease.left() > 0
    except NotLeader:
        return False


@pytest.fixture
def world() -> World:
    return World()


def test_the_first_has_it_and_keeps_it(world):
    one, two = world.operator("one"), world.operator("two")
    world.pass_by(60, one, two)
    assert (leads(one), leads(two), two.holder) == (True, False, "one")


def test_after_sigkill_another_has_it_when_the_lease_has_run_out(world):
    one, two = world.operator("one"), world.operator("two")
    world.pass_by(10, one, two)
    world.pass_by(LEASE_SECONDS - RENEW_SECONDS, two)
    assert not leads(two), "the lease is still another's"
    world.pass_by(2 * RENEW_SECONDS, two)
    assert leads(two)


def test_what_was_given_back_another_has_at_its_next_look(world):
    one, two = world.operator("one"), world.operator("two")
    world.pass_by(10, one, two)
    asyncio.run(one.release())
    assert not leads(one)
    world.pass_by(RENEW_SECONDS, two)
    assert leads(two)


def test_whoever_does_not_hold_it_gives_nothing_back(world):
    one, two = world.operator("one"), world.operator("two")
    world.pass_by(10, one, two)
    asyncio.run(two.release())
    world.pass_by(10, one, two)
    assert (leads(one), leads(two)) == (True, False)


def test_a_leader_that_was_paused_writes_nothing_when_it_wakes_up(world):
    one, two = world.operator("one"), world.operator("two")
    world.pass_by(10, one, two)
    world.pass_by(20, two)
    with pytest.raises(NotLeader, match="was last renewed 20 s ago, 7 s are allowed: nothing is written"):
        one.left()
    assert leads(two)


def test_a_leader_learns_at_once_that_another_one_has_it(world):
    one, two = world.operator("one"), world.operator("two")
    world.pass_by(10, one, two)
    world.kube.objects["Lease", "system", "uwsgi-autopilot"]["spec"]["holderIdentity"] = "somebody"
    world.pass_by(RENEW_SECONDS, one)
    with pytest.raises(NotLeader, match="lease system/uwsgi-autopilot is held by somebody: this operator writes noth"):
        one.left()


def test_a_leader_that_reaches_no_api_server_ends_before_another_can_begin(world):
    one, two = world.operator("one"), world.operator("two")
    world.pass_by(10, one, two)
    one.kube.down = True
    world.pass_by(DEADLINE_SECONDS - 1, one, two)
    assert leads(one), "an outage of seconds is none"
    world.pass_by(RENEW_SECONDS, one, two)
    with pytest.raises(NotLeader, match=r"8 s ago, 7 s are allowed \(no route\): nothing is written"):
        one.left()
    assert not leads(two)


def held(lease: Lease) -> Lease:
    lease.kube.held = []
    return lease


async def let_through(lease: Lease, requests: int) -> None:
    """So many legs of its requests, there or back."""
    for _ in range(requests):
        await asyncio.sleep(0.001)
        lease.kube.held.pop().set_result(None)
    await asyncio.sleep(0.001)


def test_a_renewal_counts_from_when_it_was_asked_for_however_late_the_answer(world):
    one, two = world.operator("one"), world.operator("two")
    world.pass_by(10, one, two)

    async def story() -> None:
        renewal = asyncio.create_task(held(one).attempt())
        await let_through(one, 3)  # it is written, and the answer is on its way
        world.clock.now += DEADLINE_SECONDS - 1
        await let_through(one, 1)
        assert await renewal

    asyncio.run(story())
    assert one.left() == pytest.approx(1.0)


def test_of_two_that_see_it_run_out_one_has_it(world):
    one, two, three = (world.operator(each) for each in ("one", "two", "three"))
    world.pass_by(10, one, two, three)
    world.clock.now += LEASE_SECONDS + 1

    async def story() -> list[bool]:
        both = [asyncio.create_task(held(each).attempt()) for each in (two, three)]
        for each in (two, three):
            await let_through(each, 2)  # both have read it
        await let_through(two, 2)
        await let_through(three, 1)  # a conflict
        return await asyncio.gather(*both)

    assert asyncio.run(story()) == [True, False]
    assert (leads(two), leads(three)) == (True, False)


def test_a_lease_that_somebody_deleted_stays_with_its_holder(world):
    one, two = world.operator("one"), world.operator("two")
    world.pass_by(10, one, two)
    del world.kube.objects["Lease", "system", "uwsgi-autopilot"]
    world.pass_by(RENEW_SECONDS, two, one)
    assert (leads(one), leads(two)) == (True, False)
    del world.kube.objects["Lease", "system", "uwsgi-autopilot"]
    world.pass_by(LEASE_SECONDS + RENEW_SECONDS, two)
    assert (leads(one), leads(two)) == (False, True)


def test_a_lease_without_fields_is_nobodys(world):
    body = {"kind": "Lease", "metadata": {"namespace": "system", "name": "uwsgi-autopilot"}, "spec": {}}
    world.kube.put(body)
    one = world.operator("one")
    world.pass_by(RENEW_SECONDS, one)
    assert leads(one)


LOOK = ["look", "look", "ask", "answer", "answer", "lost", "release", "restart"]
PASS = [0.0, 0.0, 2.0, DEADLINE_SECONDS - 1, DEADLINE_SECONDS + 1, LEASE_SECONDS + 0.5]


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(LOOK), st.sampled_from(PASS)), max_size=40))
@settings(max_examples=1000, deadline=None)
def test_there_are_never_two(steps):
    """Of three operators, each stopped at any point of a request for any time, cut off or restarted at any moment."""

    async def story() -> None:
        world = World()
        there = [world.operator(str(each)) for each in range(3)]
        asked: dict[int, asyncio.Task[Any]] = {}
        for count, (who, what, seconds) in enumerate([(0, "look", 0.0), (1, "look", 0.0), *steps]):
            lease, line = there[who], there[who].kube
            if what == "restart":
                if who in asked:
                    asked.pop(who).cancel()
                there[who] = world.operator(f"{who}-{count}")
            elif line.held is not None and what in ("answer", "lost", "look"):
                line.down = what == "lost"
                line.held.pop().set_result(None)
            elif line.held is None and what in ("look", "ask", "release"):
                line.down = False
                line.held = [] if what == "ask" else None
                asked[who] = asyncio.create_task(lease.release() if what == "release" else lease.attempt())
            for _ in range(9):
                await asyncio.sleep(0)
            if who in asked and asked[who].done():
                asked.pop(who).result()
                line.held = None
            world.clock.now += seconds
            assert sum(leads(each) for each in there) <= 1

    asyncio.run(story())


@pytest.mark.parametrize("verb", ["create", "apply", "merge", "delete"])
def test_without_the_lease_no_write_is_sent_and_everything_can_be_read(verb):
    body = {"kind": "ConfigMap", "metadata": {"name": "x", "namespace": "web"}}
    writes: dict[str, Callable[[Kube], Awaitable[Any]]] = {
        "create": lambda kube: kube.create(body),
        "apply": lambda kube: kube.apply(body),
        "merge": lambda kube: kube.merge("ConfigMap", "web", "x", {}),
        "delete": lambda kube: kube.delete("ConfigMap", "web", "x", "u1"),
    }
    sent: list[str] = []

    async def story() -> None:
        kube = Kube(None, world.operator("one").left)

        async def request(method: str, *_: Any) -> Any:
            sent.append(method)
            return 200, {}, {}

        kube._request = request
        await kube.get("ConfigMap", "web", "x")
        with pytest.raises(NotLeader):
            await writes[verb](kube)

    world = World()
    asyncio.run(story())
    assert sent == ["GET"]


# --- from a thread


class OwnLine(Line):
    """Of the thread's loop. closed: it was given back."""

    closed = False

    async def close(self) -> None:
        self.closed = True


def keeping(world: World) -> tuple[Lease, OwnLine, LeaseKeeper]:
    """A leader that looks a hundred times a second, however fast the world's clock is."""
    lease, line = world.operator("one"), OwnLine(world.kube)
    asyncio.run(lease.attempt())

    async def connect() -> Any:
        return line

    return lease, line, LeaseKeeper(lease, connect, pause=0.01)


def block_until(what: Callable[[], bool]) -> None:
    """Without a turn of the event loop."""
    for _ in range(3000):
        if what():
            return
        time.sleep(0.01)
    raise AssertionError("not within 30 s")


def test_a_leader_whose_loop_is_busy_goes_on_leading(world):
    lease, line, keeper = keeping(world)

    async def busy() -> None:
        running = asyncio.create_task(keeper.run())
        await asyncio.sleep(0)
        for _ in range(int(STALLED_SECONDS / 5)):
            world.clock.now += 4.0
            block_until(lambda: lease.renewed_at == world.clock.now)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    before = lease.kube
    asyncio.run(busy())
    assert leads(lease)
    assert (lease.kube, line.closed) == (before, True), "it is released by the loop that has acquired it"


def test_a_leader_whose_loop_stands_still_ends(world):
    lease, _, keeper = keeping(world)

    async def stalled() -> None:
        running = asyncio.create_task(keeper.run())
        await asyncio.sleep(0)
        world.clock.now += STALLED_SECONDS + DEADLINE_SECONDS
        time.sleep(0.2)  # noqa: ASYNC251  # that is what stands still
        await running

    with pytest.raises(NotLeader, match="was last renewed"):
        asyncio.run(stalled())
    assert not leads(lease)


def test_a_leader_that_another_has_followed_ends(world):
    _, _, keeper = keeping(world)

    async def followed() -> None:
        running = asyncio.create_task(keeper.run())
        await asyncio.sleep(0)
        world.kube.objects["Lease", "system", "uwsgi-autopilot"]["spec"]["holderIdentity"] = "somebody"
        await running

    with pytest.raises(NotLeader, match="held by somebody"):
        asyncio.run(followed())
