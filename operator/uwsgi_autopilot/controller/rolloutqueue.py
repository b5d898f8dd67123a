"""The applications that wait for the chart's newest pod template, and whose turn it is.

One goes first, then a few at a time, each until it serves. Two that are stuck stop the rest, until one of them serves
or there is another template. All of it follows from what the cluster shows: a new leader goes on where this one was.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from uwsgi_autopilot.controller.cache import Cache
from uwsgi_autopilot.controller.chart import Chart
from uwsgi_autopilot.controller.events import Events
from uwsgi_autopilot.controller.kube import ApiError, Unreachable
from uwsgi_autopilot.controller.workqueue import Key
from uwsgi_autopilot.resources.conditions import Answer
from uwsgi_autopilot.resources.rollouts import CHART, GRADUAL, MOST_FAILURES, Made, turns, why_it_waits

log = logging.getLogger(__name__)

TURN_SECONDS = 1.0
# An image that is pulled at the second try, or a node that is on its way, is no failure yet.
STUCK_SECONDS = 30.0
UNUSED_SECONDS = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """mode: spec.rollout.mode. live: what its pods are made from meanwhile."""

    mode: str
    live: Made


@dataclass(slots=True, kw_only=True)
class RolloutQueue:
    """most: applications that may be rolled out at once. serves: whether an application's status says that it is Ready;
    trouble: what that says is in the way, empty when nothing is.

    let_go: hashes of the pods written for those whose turn it is; empty: not written yet. arrived: the same of those
    that have served since. stuck: since when those on their way have been in trouble, monotonic seconds; failed: for
    too long. proven: one was brought to this template, and served.
    """

    cache: Cache
    chart: Chart
    events: Events
    serves: Callable[[Key], bool]
    trouble: Callable[[Key], str]
    most: int
    waiting: dict[Key, Waiting] = field(default_factory=dict)
    let_go: dict[Key, str] = field(default_factory=dict)
    arrived: dict[Key, str] = field(default_factory=dict)
    stuck: dict[Key, float] = field(default_factory=dict)
    failed: frozenset[Key] = frozenset()
    proven: bool = False

    async def run(self) -> None:
        unused_at = time.monotonic()
        while True:
            await asyncio.sleep(TURN_SECONDS)
            self.turn(time.monotonic())
            if self.cache.listed and time.monotonic() >= unused_at:
                unused_at = time.monotonic() + UNUSED_SECONDS
                try:
                    await self.chart.forget_unused({seen.made.template for seen in self.cache.rollouts.values()})
                except (ApiError, Unreachable) as error:
                    log.warning("earlier pod templates could not be looked through: %s", error)

    @property
    def halted(self) -> bool:
        return len(self.failed) >= MOST_FAILURES

    # --- what the reconciler tells

    def waits(self, key: Key, waiting: Waiting) -> None:
        if waiting.mode != GRADUAL:
            self.let_go.pop(key, None)
        if self.waiting.get(key) != waiting:
            self.waiting[key] = waiting
            self.cache.look_again(key)

    def written(self, key: Key, pod: str) -> None:
        """Its Deployment was brought to the newest template."""
        if self.waiting.pop(key, None) is not None:
            self.cache.look_again(key)
        if key in self.let_go:
            self.let_go[key] = pod

    def forget(self, key: Key) -> None:
        for known in (self.waiting, self.let_go, self.arrived, self.stuck):
            known.pop(key, None)

    def counts(self) -> dict[str, int]:
        """Applications by what they do about the chart's newest pod template."""
        queued = sum(waiting.mode == GRADUAL for waiting in self.waiting.values())
        rolling = len(self.let_go.keys() - self.failed)
        held = len(self.waiting) - queued
        return {"waiting": queued, "rolling": rolling, "failed": len(self.failed), "held": held}

    # --- what its status says

    def word(self, key: Key) -> Answer | None:
        """Of the condition Progressing; None: it does not wait."""
        waiting = self.waiting.get(key)
        if waiting is None:
            return None
        failed = len(self.failed) if self.halted else 0
        template = self.chart.template_name
        return why_it_waits(waiting.mode, app=key.name, template=template, most=self.most, failed=failed)

    # --- whose turn it is

    def turn(self, now: float) -> None:
        """now: monotonic seconds."""
        if not self.cache.listed or not (self.waiting or self.let_go or self.failed):
            return
        on_their_way = self._on_their_way()
        self._look_for_failures(on_their_way, now)
        candidates = sorted((key for key in self.waiting if self._may_go(key)), key=self._order)
        rolling = len(on_their_way - self.failed)
        for key in turns(candidates, rolling=rolling, failed=len(self.failed), proven=self.proven, most=self.most):
            log.info("takes over the chart's pod template %s app=%s", self.chart.template_name, key)
            self.let_go[key] = ""
            self.cache.specs.mark(key)

    def _on_their_way(self) -> set[Key]:
        """Those that were let go, by an operator before this one, too."""
        for key, pod in list(self.let_go.items()):
            seen = self.cache.rollouts.get(key)
            if key not in self.cache.apps:
                self.forget(key)
            elif pod and seen is not None and seen.made.pod == pod and seen.done:
                del self.let_go[key]
                self.arrived[key] = pod
                self.proven = True
        before = {
            key
            for key, seen in self.cache.rollouts.items()
            if (seen.made.rolled_for, seen.made.template, seen.done) == (CHART, self.chart.template_name, False)
            and self.arrived.get(key) != seen.made.pod
        }
        return before.difference(self.waiting) | self.let_go.keys()

    def _look_for_failures(self, on_their_way: set[Key], now: float) -> None:
        troubles = {key: self.trouble(key) for key in on_their_way}
        self.stuck = {key: self.stuck.get(key, now) for key, trouble in troubles.items() if trouble}
        failed = frozenset(key for key, since in self.stuck.items() if now - since >= STUCK_SECONDS)
        halted, new = self.halted, failed - self.failed
        self.failed = failed
        for key in new:
            self._tell(key, troubles[key])
        if self.halted != halted:
            log.warning("the rollout of %s %s", self.chart.template_name, "goes on" if halted else "is halted")
            for key in self.waiting:
                self.cache.look_again(key)

    def _tell(self, key: Key, trouble: str) -> None:
        log.warning("does not come up with %s app=%s: %s", self.chart.template_name, key, trouble)
        app = self.cache.apps.get(key)
        if app is not None:
            note = f"the chart's pod template {self.chart.template_name} was taken over, and: {trouble}"
            self.events.tell(key, app.uid, reason="TemplateRolloutFailed", note=note, action="rollout", warning=True)

    def _may_go(self, key: Key) -> bool:
        """One with troubles of its own would prove nothing; one that an earlier template broke has nothing to lose."""
        waiting = self.waiting[key]
        if waiting.mode != GRADUAL or key in self.let_go:
            return False
        return self.serves(key) or waiting.live.rolled_for == CHART

    def _order(self, key: Key) -> tuple[bool, Key]:
        """Those that do not serve go first."""
        return self.serves(key), key
