"""Who waits for work: each once, some not before a moment, nobody twice at the same time."""

import asyncio

from tests.unit.controller.making import SHOP
from uwsgi_autopilot.controller.workqueue import Key, Workqueue

OTHER = Key("web", "other")


def test_only_what_is_due_now_counts_as_waiting() -> None:
    queue = Workqueue()
    queue.mark(SHOP)
    queue.mark(OTHER, after=300.0)
    assert len(queue) == 1


def test_the_earliest_moment_counts_and_an_application_waits_once() -> None:
    async def story() -> list[Key]:
        queue = Workqueue()
        queue.mark(SHOP, after=300.0)
        queue.mark(SHOP)
        queue.mark(SHOP, after=300.0)
        taken = [await queue.take()]
        queue.done(SHOP)
        assert len(queue) == 0
        return taken

    assert asyncio.run(story()) == [SHOP]


def test_what_is_being_worked_on_is_given_to_nobody_else_and_comes_again_afterwards() -> None:
    async def story() -> None:
        queue = Workqueue()
        queue.mark(SHOP)
        assert await queue.take() == SHOP
        queue.mark(SHOP)
        queue.mark(OTHER)
        assert await queue.take() == OTHER
        next_one = asyncio.create_task(queue.take())
        await asyncio.sleep(0)
        assert not next_one.done()
        queue.done(SHOP)
        assert await next_one == SHOP

    asyncio.run(story())


def test_they_come_in_the_order_of_their_moments_and_an_earlier_one_wakes_whoever_waits() -> None:
    async def story() -> list[str]:
        queue = Workqueue()
        names = [f"app-{number}" for number in range(50)]
        for number, name in enumerate(names):
            queue.mark(Key("web", name), after=0.001 * (50 - number))
        queue.mark(OTHER, after=300.0)
        taken = [(await queue.take()).name for _ in names]
        waiting = asyncio.create_task(queue.take())
        await asyncio.sleep(0)
        queue.mark(SHOP)
        assert await waiting == SHOP
        return taken

    assert asyncio.run(story()) == [f"app-{number}" for number in reversed(range(50))]
