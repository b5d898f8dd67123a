"""Chaos between the operator and the API server: away, watches that lie, writes that fail, a kill after each write."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from tests.reliability.figures import Figure
from tests.reliability.proxy import Asked, Fault
from tests.reliability.scene import USUAL_SECONDS, Scene, Wrong, since

# A lease that was held runs out, then the operator is started again.
LEASE_SECONDS = 20.0
WRITES_LEASES = "leases"


def figure(claim: str, cost: str, took: float, most: float, scene: Scene, restarts: int, more: str = "") -> Figure:
    ended = scene.restarts - restarts
    measured = f"a decision after {took:.1f} s" + (f", {ended} restarts of the operator" if ended else "") + more
    return Figure(claim=claim, target=f"{cost}; ≤ {most:.0f} s", measured=measured, reached=took <= most)


def away(seconds: float, cost: str, most: float) -> Callable[[Scene], Awaitable[Figure]]:
    async def story(scene: Scene) -> Figure:
        name, restarts = scene.names[0], scene.restarts
        before = await scene.picture(name)
        scene.proxy.down = True
        scene.proxy.cut()
        await asyncio.sleep(seconds)
        scene.proxy.well()
        took = await scene.decided(name)
        await scene.ready(name)
        await scene.untouched(before, name)
        return figure(f"the API server is away for {seconds:.0f} s", cost, took, most, scene, restarts)

    return story


def watches(what: str, do: Callable[[Scene], None], cost: str, most: float) -> Callable[[Scene], Awaitable[Figure]]:
    """A pin written while the watches are like that."""

    async def story(scene: Scene) -> Figure:
        name, restarts = scene.names[1], scene.restarts
        before = await scene.picture(name)
        do(scene)
        began, requests = time.monotonic(), scene.proxy.requests
        took = await scene.decided(name)
        await scene.untouched(before, name)
        rate = (scene.proxy.requests - requests) / since(began)
        scene.proxy.well()
        again = await scene.decided(name)
        await scene.ready(name)
        await scene.untouched(before, name)
        return figure(what, cost, max(took, again), most, scene, restarts, more=f", {rate:.0f} requests a second")

    return story


def delayed(scene: Scene) -> None:
    scene.proxy.delay = 5.0


def doubled(scene: Scene) -> None:
    scene.proxy.twice = True
    scene.proxy.cut()


def stale(scene: Scene) -> None:
    scene.proxy.stale = True
    scene.proxy.cut()


async def cut_again_and_again(scene: Scene) -> Figure:
    name, restarts = scene.names[1], scene.restarts
    before = await scene.picture(name)

    async def cutting() -> None:
        while True:
            scene.proxy.cut()
            await asyncio.sleep(0.7)

    task = asyncio.create_task(cutting())
    try:
        took = await scene.decided(name)
    finally:
        task.cancel()
    await scene.ready(name)
    await scene.untouched(before, name)
    return figure(
        "watches are cut every 0.7 s", "seconds until the next connection", took, USUAL_SECONDS, scene, restarts
    )


def failing(fault: Fault, what: str, cost: str, most: float) -> Callable[[Scene], Awaitable[Figure]]:
    """The first write of each kind is answered so, while an application is made, changed and deleted."""

    async def story(scene: Scene) -> Figure:
        name, restarts = "fresh", scene.restarts
        before = await scene.picture(name)
        struck: set[tuple[str, str]] = set()

        def strike(asked: Asked) -> Fault | None:
            which = (asked.method, asked.what)
            if not asked.writes or asked.what == WRITES_LEASES or which in struck:
                return None
            struck.add(which)
            return fault

        scene.proxy.fault = strike
        began = time.monotonic()
        await scene.make(name)
        await scene.served(name, 2, 240.0)
        await scene.decided(name, 240.0)
        took = since(began)
        await scene.ready(name)
        await scene.stage.api.delete("UwsgiApp", "web", name)
        await scene.stage.until("its pods are gone", lambda: not scene.agents(name), 60.0)
        await scene.untouched(before, name)
        kinds = len(struck)
        if kinds < 8:
            raise Wrong(f"only {kinds} kinds of writes were met: {sorted(struck)}")
        return figure(what, cost, took, most, scene, restarts, more=f" ({kinds} kinds of writes)")

    return story


async def killed_after_each_write(scene: Scene) -> Figure:
    """SIGKILL when the API server has carried it out and before its answer: the next life may make one write, too."""
    name, restarts = "fresh", scene.restarts
    before = await scene.picture(name)
    written: list[str] = []
    scene.stage.release_lease = True

    def kill(asked: Asked) -> Fault | None:
        if not asked.writes or asked.what == WRITES_LEASES or asked.what == "events":
            return None
        return Fault(passes=True)

    def dead(asked: Asked, status: int) -> None:
        process = scene.stage.operator.process
        if asked.writes and asked.what not in (WRITES_LEASES, "events") and process is not None:
            written.append(f"{asked.method} {asked.what}")
            if process.returncode is None:
                process.kill()

    scene.proxy.fault, scene.proxy.seen = kill, dead
    began = time.monotonic()
    try:
        await scene.make(name)
        await scene.served(name, 2, 400.0)
        await scene.decided(name, 300.0)
        took = since(began)
    finally:
        scene.proxy.well()
        scene.stage.release_lease = False
    await scene.ready(name, 120.0)
    await scene.stage.api.delete("UwsgiApp", "web", name)
    await scene.stage.until("its pods are gone", lambda: not scene.agents(name), 60.0)
    await scene.untouched(before, name)
    lives = scene.restarts - restarts
    return Figure(
        claim="SIGKILL after each single write, while an application is made and changed",
        target="it converges",
        measured=f"converged after {len(written)} writes, {lives} lives, {took:.0f} s",
        reached=True,
    )


STORIES = {
    "the API server is away for 4 s": away(4.0, "no restart", USUAL_SECONDS),
    "the API server is away for 20 s": away(
        20.0, "a restart: the Lease was not renewed", LEASE_SECONDS + USUAL_SECONDS
    ),
    "watches are 5 s late": watches("watches are 5 s late", delayed, "5 s", 5.0 + USUAL_SECONDS),
    "watches say everything twice": watches("watches say everything twice", doubled, "nothing", USUAL_SECONDS),
    "watches are told 410 Gone": watches(
        "watches are told 410 Gone each time", stale, "a list for each try", 2 * USUAL_SECONDS
    ),
    "watches are cut every 0.7 s": cut_again_and_again,
    "409 on each kind of write": failing(
        Fault(status=409), "409 on the first write of each kind", "one retry of each", 90.0
    ),
    "429 on each kind of write": failing(
        Fault(status=429), "429 on the first write of each kind", "the second it asks for", 60.0
    ),
    "500 on each kind of write": failing(
        Fault(status=500), "500 on the first write of each kind", "5 s and more for each", 180.0
    ),
    "timeout on each kind of write": failing(
        Fault(after=8.0), "no answer to the first write of each kind", "the timeout of each, 7 s", 240.0
    ),
    "lost answer of each kind of write": failing(
        Fault(passes=True), "the first write of each kind is done and its answer lost", "5 s and more for each", 180.0
    ),
    "SIGKILL after each write": killed_after_each_write,
}
