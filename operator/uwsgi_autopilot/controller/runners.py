"""Start and stop one runner for each application in the cache."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from uwsgi_autopilot.api.uwsgiapp import UwsgiApp
from uwsgi_autopilot.controller.cache import Cache
from uwsgi_autopilot.controller.clock import steady_now
from uwsgi_autopilot.controller.counters import Counters
from uwsgi_autopilot.controller.events import Events
from uwsgi_autopilot.controller.kube import Kube
from uwsgi_autopilot.controller.poller import Poller
from uwsgi_autopilot.controller.runner import Runner
from uwsgi_autopilot.controller.workqueue import Key

TURN_SECONDS = 0.5
# How many applications' ConfigMaps are read in one turn.
BEGIN_AT_ONCE = 20


@dataclass(slots=True, eq=False)
class Runners:
    """`running`: read by the reconcile for the promoted shape, and for the status. turned_at: monotonic seconds."""

    cache: Cache
    kube: Kube
    poller: Poller
    events: Events
    counters: Counters
    clock: Callable[[], float] = steady_now
    running: dict[Key, Runner] = field(default_factory=dict)
    turned_at: float = field(default_factory=time.monotonic)
    _tasks: dict[Key, asyncio.Task[None]] = field(default_factory=dict)

    async def run(self) -> None:
        self.cache.on_news = self._news
        try:
            while True:
                began = time.monotonic()
                self.counters.loop_lag = max(0.0, began - self.turned_at - TURN_SECONDS)
                self.turned_at = began
                self.turn()
                await asyncio.sleep(TURN_SECONDS)
        finally:
            await self._end(list(self.running))

    def turn(self) -> None:
        """Start and stop runners so that they match the applications that exist."""
        gone = [key for key, runner in self.running.items() if self._app(key, runner.uid) is None]
        for key in gone:
            self._tasks.pop(key).cancel()
            del self.running[key]
        for key, runner in self.running.items():
            app = self._app(key, runner.uid)
            if app is not None:
                runner.app = app
        begun = 0
        for key, seen in self.cache.apps.items():
            # Until everything has been listed, an application without pods may still have some.
            there = self.cache.listed or self.cache.pods.get(key)
            if key in self.running or seen.spec is None or not there or begun >= BEGIN_AT_ONCE:
                continue
            self._begin(key, seen.uid, seen.spec)
            begun += 1

    def silent(self, key: Key) -> int:
        """Running pods of an application whose agent has not answered for a while."""
        runner, now = self.running.get(key), self.clock()
        pods = runner.state.pods.values() if runner is not None and runner.state is not None else ()
        return sum(pod.failed_since is not None and pod.silent(now) for pod in pods)

    def saturation(self, key: Key) -> float | None:
        """None: not known."""
        runner = self.running.get(key)
        return runner.gauge.read(self.clock()) if runner is not None else None

    def _app(self, key: Key, uid: str) -> UwsgiApp | None:
        seen = self.cache.apps.get(key)
        return seen.spec if seen is not None and seen.uid == uid else None

    def _begin(self, key: Key, uid: str, app: UwsgiApp) -> None:
        runner = self.running[key] = Runner(
            key=key, uid=uid, app=app, kube=self.kube, cache=self.cache, poller=self.poller, events=self.events,
            counters=self.counters, clock=self.clock,
        )  # fmt: skip
        self._tasks[key] = asyncio.create_task(runner.run())

    def _news(self, key: Key) -> None:
        runner = self.running.get(key)
        if runner is not None:
            app = self._app(key, runner.uid)
            runner.app = app or runner.app
            runner.news.set()

    async def _end(self, keys: list[Key]) -> None:
        tasks = [self._tasks.pop(key) for key in keys]
        for task in tasks:
            task.cancel()
        self.running.clear()
        await asyncio.gather(*tasks, return_exceptions=True)
