"""One runner for each application, begun and ended with it; what one of them does or waits for stops no other."""

import asyncio
from typing import Any

from tests.unit.controller.fakes import FakeKube, until
from tests.unit.controller.making import PROMOTED, app_body, pod_body, promoted_map
from tests.unit.controller.world import NoPoller
from uwsgi_autopilot.controller.cache import Cache
from uwsgi_autopilot.controller.counters import Counters
from uwsgi_autopilot.controller.events import Events
from uwsgi_autopilot.controller.runners import Runners
from uwsgi_autopilot.controller.workqueue import Key


def scene(*apps: str) -> tuple[Runners, FakeKube, Cache]:
    """With one pod each."""
    kube, cache = FakeKube(), Cache()
    for name in apps:
        kube.put(promoted_map(PROMOTED, app=name))
        cache.app(app_body(name))
        cache.pod(pod_body(f"{name}-0", name))
    return Runners(cache, kube, NoPoller(), Events(kube, "operator-1"), Counters()), kube, cache  # type: ignore[arg-type]


def loaded(runners: Runners, name: str) -> bool:
    runner = runners.running.get(Key("web", name))
    return runner is not None and runner.state is not None


def test_one_whose_reads_hang_and_one_that_fails_stop_no_other() -> None:
    async def story() -> None:
        runners, kube, _ = scene("slow", "broken", "good")
        read = kube.get

        async def get(kind: str, namespace: str, name: str) -> dict[str, Any]:
            if name.startswith("slow"):
                await asyncio.Event().wait()
            if name.startswith("broken"):
                raise KeyError("x")
            return await read(kind, namespace, name)

        kube.get = get  # type: ignore[method-assign]
        running = asyncio.create_task(runners.run())
        await until(lambda: loaded(runners, "good"))
        assert len(runners.running) == 3
        assert not loaded(runners, "slow")
        assert runners.running[Key("web", "broken")].trouble is not None
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert runners.running == {}

    asyncio.run(story())


def test_it_ends_with_its_application_and_begins_anew_with_another_one_of_that_name() -> None:
    async def story() -> None:
        runners, _, cache = scene("shop")
        running = asyncio.create_task(runners.run())
        await until(lambda: loaded(runners, "shop"))
        first = runners.running[Key("web", "shop")]
        cache.app(app_body("shop"), gone=True)
        runners.turn()
        assert runners.running == {}
        again = app_body("shop")
        again["metadata"]["uid"] = "another"
        cache.app(again)
        runners.turn()
        await until(lambda: loaded(runners, "shop"))
        second = runners.running[Key("web", "shop")]
        assert (first.uid, second.uid) == ("app-shop", "another")
        assert second.state is not None
        assert second.state.promoted != PROMOTED, "that is the other one's"
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(story())


def test_an_application_without_pods_waits_until_everything_was_listed() -> None:
    """Its pods may not have been shown yet: what they follow must be known before a pin is given a version."""

    async def story() -> None:
        runners, _, cache = scene()
        cache.app(app_body("shop"))
        runners.turn()
        assert runners.running == {}
        cache.listed = True
        runners.turn()
        assert list(runners.running) == [Key("web", "shop")]
        await runners._end(list(runners.running))

    asyncio.run(story())


def test_an_edited_manifest_reaches_its_runner_at_once() -> None:
    async def story() -> None:
        runners, _, cache = scene("shop")
        running = asyncio.create_task(runners.run())
        await until(lambda: loaded(runners, "shop"))
        runner = runners.running[Key("web", "shop")]
        cache.app(app_body("shop", generation=2, pin={"processes": 3, "threads": 5}))
        assert runner.app.tuning.pin is not None
        assert runner.news.is_set()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(story())
