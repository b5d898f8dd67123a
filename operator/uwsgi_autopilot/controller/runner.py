"""One application's shape: load what is stored, then once a second plan, carry out, save, report.

    cache ─► pods ─► fleet.plan ─► ConfigMap NAME-promoted, then pod annotations ─► NAME-tuning
                       ▲    └────► Events, log, metrics, a look at the status
    poller ─► Pod ─────┘

Whatever goes wrong here affects this application alone.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from uwsgi_autopilot.api.agentstate import Recycled
from uwsgi_autopilot.api.desired import UNVERSIONED, DesiredShape
from uwsgi_autopilot.api.uwsgiapp import UwsgiApp
from uwsgi_autopilot.controller.announce import tell, tell_late, tell_recycled
from uwsgi_autopilot.controller.cache import Cache
from uwsgi_autopilot.controller.children import NameTaken
from uwsgi_autopilot.controller.clock import steady_now
from uwsgi_autopilot.controller.counters import Counters
from uwsgi_autopilot.controller.events import Events
from uwsgi_autopilot.controller.kube import ApiError, Conflict, Kube, NotFound, Unreachable
from uwsgi_autopilot.controller.poller import Poller
from uwsgi_autopilot.controller.store import Store, decided, learnt
from uwsgi_autopilot.controller.told import Told
from uwsgi_autopilot.controller.tuningstatus import status_of
from uwsgi_autopilot.controller.workqueue import Key
from uwsgi_autopilot.fleet import delivery
from uwsgi_autopilot.fleet.actions import Action, Record, StorePromoted, WarnLate, WriteDesired
from uwsgi_autopilot.fleet.attention import is_hot
from uwsgi_autopilot.fleet.plan import plan
from uwsgi_autopilot.fleet.pod import Pod, Pods, as_told
from uwsgi_autopilot.fleet.saturation import Gauge
from uwsgi_autopilot.fleet.state import FleetState
from uwsgi_autopilot.resources.labels import DESIRED
from uwsgi_autopilot.resources.tuned import TuningStatus
from uwsgi_autopilot.resources.unwritten import cause_of_fault

log = logging.getLogger(__name__)

STEP_SECONDS = 1.0
CALM_STEP_SECONDS = 5.0  # nothing is pending, and no pod has a load: news comes at once all the same
TOGETHER_SECONDS = 0.1  # news of several pods comes together
VERIFY_SECONDS = 10.0  # by then a watch has long shown our write
LONGEST_PAUSE_SECONDS = 60.0
CONFLICTS_UNTOLD = 2  # in a row
LEARNT_SECONDS = 60.0  # what was learnt is kept no more often; what was decided, at once


@dataclass(slots=True, kw_only=True)
class Kept:
    """What was last written to NAME-tuning, and when that was, or was found to be the same still.

    parts: the values that `decided` was last made of: the same ones need no second look.
    """

    decided: str = ""
    learnt: str = ""
    at: float = float("-inf")
    parts: tuple[object, object, object] = (None, None, None)


@dataclass(slots=True, kw_only=True, eq=False)
class Runner:
    """state: None until what is stored was read. trouble: reason and sentence of what keeps it from working; None:
    nothing does. failures: steps that failed in a row. refused: sentences of pods whose annotation the API server does
    not take. calm: nothing will happen but what a pod or the API server says. recycled: of each pod, the last Recycled
    that its agent reported. stored_at: when NAME-promoted was last written."""

    key: Key
    uid: str
    app: UwsgiApp
    kube: Kube
    cache: Cache
    poller: Poller
    events: Events
    counters: Counters
    clock: Callable[[], float] = steady_now
    state: FleetState | None = None
    trouble: tuple[str, str] | None = None
    failures: int = 0
    calm: bool = False
    refused: dict[str, str] = field(default_factory=dict)
    recycled: dict[str, Recycled | None] = field(default_factory=dict)
    stored_at: float = float("-inf")
    kept: Kept = field(default_factory=Kept)
    gauge: Gauge = field(default_factory=Gauge)
    told: Told = field(default_factory=Told)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    store: Store = field(init=False)

    def __post_init__(self) -> None:
        self.store = Store(self.kube)

    async def run(self) -> None:
        """Until it is cancelled."""
        try:
            while True:
                self.news.clear()
                await self.step()
                await self._pause()
        finally:
            self.poller.forget(self.state.pods if self.state else ())

    async def _pause(self) -> None:
        if self.failures:
            # News is no reason to hurry a retry of what has just failed.
            await asyncio.sleep(min(STEP_SECONDS * 2.0 ** min(self.failures, 10), LONGEST_PAUSE_SECONDS))
            return
        seconds = CALM_STEP_SECONDS if self.calm else STEP_SECONDS
        # Not wait_for: before Python 3.12 it loses a cancellation that comes together with the news.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds - TOGETHER_SECONDS):
                await self.news.wait()
        await asyncio.sleep(TOGETHER_SECONDS)

    async def step(self) -> None:
        """Nothing that happens here ends the runner except cancellation."""
        now = self.clock()
        try:
            news = self.told.news(await self._step(now), self.refused.keys(), now)
        except NotFound as error:
            # Of NAME-promoted: the reconcile creates it.
            self.cache.specs.mark(self.key)
            self._failed("ShapeNotWritten", f"not written yet: {error}")
        except Conflict as error:
            # Two writers at once: usually gone by the next try, and nothing to report in a condition.
            self.failures += 1
            if self.failures > CONFLICTS_UNTOLD:
                self._failed("ShapeNotWritten", f"something else keeps writing it at the same time: {error}")
        except (ApiError, Unreachable, NameTaken) as error:
            self._failed("ShapeNotWritten", f"a shape could not be read or written: {error}")
        except Exception as error:
            self._broken(error)
        else:
            if self.failures:
                log.info("tuned again app=%s", self.key)
            self.failures, self.trouble = 0, None
            if news:
                self.cache.statuses.mark(self.key)
            return
        if self.trouble is not None and self.told.trouble(self.trouble, now):
            self.cache.statuses.mark(self.key)

    def status(self) -> TuningStatus:
        if self.state is None:
            return TuningStatus(trouble=self.trouble)
        return status_of(self.state, self.clock(), trouble=self.trouble, refused=self.refused)

    # --- one step

    async def _step(self, now: float) -> FleetState:
        if self.state is None:
            self.state = (await self.store.load(self.key, self.uid)).state(self.app)
            self.kept = Kept(decided=decided(self.state), learnt=learnt(self.state), at=now)
        self.state = self._seen(self.state, now)
        self.state, actions = plan(self.state, now)
        for action in actions:
            await self._carry_out(action, now)
        self.calm = self.state.change is None and not self.state.deliveries
        for pod in self.state.pods.values():
            hot = is_hot(self.state, pod)
            self.poller.attend(pod.uid, hot)
            self.calm = self.calm and not hot
        self._tell_recycled(self.state.pods)
        await self._keep(self.state, now)
        self.gauge.look(self.state, now)
        return self.state

    def _seen(self, state: FleetState, now: float) -> FleetState:
        """The state, with what the watches have shown since."""
        there = self.cache.pods_of(self.key)
        running = {uid: info for uid, info in there.items() if info.ip and info.running}
        pods: dict[str, Pod] = {}
        for uid, info in running.items():
            pod = state.pods.get(uid)
            if pod is None or pod.info.ip != info.ip:
                pod = Pod(info=info)
                self.poller.follow(pod, self._told)
            before, pod.info = pod.info, info
            self.poller.changed(uid, before, info)
            pods[uid] = pod
        self.poller.forget(set(state.pods) - set(pods))
        self.refused = {uid: sentence for uid, sentence in self.refused.items() if uid in pods}
        coming = tuple(info for uid, info in there.items() if uid not in running)
        stored = state.stored
        if now - self.stored_at >= VERIFY_SECONDS and not self._still_stored(state):
            stored = UNVERSIONED
        scaler = self.cache.autoscalers.get(self.key)
        return replace(state, app=as_told(self.app, pods), pods=pods, coming=coming, autoscaler=scaler, stored=stored)

    def _told(self) -> None:
        """An agent shows a load or a change. While anything is pending the next step comes within a second anyway."""
        if self.calm:
            self.news.set()

    def _still_stored(self, state: FleetState) -> bool:
        """Is NAME-promoted as we wrote it, as far as the watch shows? Somebody else may have changed or removed it."""
        if self.key not in self.cache.promoted:
            return not self.cache.listed
        return self.cache.promoted[self.key] == (self.uid, state.promoted)

    async def _carry_out(self, action: Action, now: float) -> None:
        assert self.state is not None
        if isinstance(action, Record):
            tell(self.events, self.counters, self.key, self.uid, action.entry)
        elif isinstance(action, StorePromoted):
            await self.store.save_promoted(self.key, self.uid, action.desired)
            self.state, self.stored_at = self.state.with_stored(action.desired.version), now
        elif isinstance(action, WriteDesired):
            await self._annotate(self.state.pods[action.uid], action.desired)
            self.state = delivery.written(self.state, action.uid, action.desired, now)
        elif isinstance(action, WarnLate):
            tell_late(self.events, self.key, self.uid, self.state.pods[action.uid], action.desired)
            self.state = delivery.warned(self.state, action.uid)

    def _tell_recycled(self, pods: Pods) -> None:
        """What a pod reports when it is first heard of, somebody was told before."""
        seen = {uid: pod.state.recycled for uid, pod in pods.items() if pod.state is not None}
        for uid, recycled in seen.items():
            if recycled is not None and recycled != self.recycled.get(uid, recycled):
                tell_recycled(self.events, self.key, self.uid, pods[uid], recycled)
        self.recycled = seen

    async def _annotate(self, pod: Pod, desired: DesiredShape) -> None:
        """A refusal for one pod must not hold up the others: the pod counts as late, and is written again."""
        body = {"metadata": {"uid": pod.uid, "annotations": {DESIRED: desired.to_text()}}}
        try:
            await self.kube.merge("Pod", self.key.namespace, pod.name, body)
        except (NotFound, Conflict):
            return  # another pod has that name, or none: the watch will show it
        except ApiError as error:
            if pod.uid not in self.refused:
                log.warning("annotation refused, retrying app=%s pod=%s: %s", self.key, pod.name, error)
            self.refused[pod.uid] = f"pod {pod.name}: the API server refuses its annotation {DESIRED}: {error}"
        else:
            self.refused.pop(pod.uid, None)

    async def _keep(self, state: FleetState, now: float) -> None:
        parts = (state.change, state.history, state.last)
        same = all(one is other for one, other in zip(parts, self.kept.parts, strict=True))
        if same and now - self.kept.at < LEARNT_SECONDS:
            return
        new = Kept(decided=decided(state), learnt=learnt(state), at=now, parts=parts)
        due = new.learnt != self.kept.learnt and now - self.kept.at >= LEARNT_SECONDS
        if new.decided == self.kept.decided and not due:
            self.kept.parts = parts
            if now - self.kept.at >= LEARNT_SECONDS:
                self.kept.at = now
            return
        try:
            await self.store.save_tuning(self.key, self.uid, state)
        except NameTaken as error:
            # It is served and tuned all the same; after a restart the operator learns it again.
            log.warning("what was learnt is not saved app=%s: %s", self.key, error)
        self.kept = new

    # --- what goes wrong

    def _failed(self, reason: str, sentence: str) -> None:
        if self.trouble is None or self.trouble[0] != reason:
            log.warning("the shape is not being managed, retrying with a backoff app=%s: %s", self.key, sentence)
        self.failures += 1
        self.trouble = (reason, sentence)

    def _broken(self, error: Exception) -> None:
        """A bug of ours. Logged once with its traceback; what may have led to it is dropped."""
        if self.trouble is None or self.trouble[0] != "InternalError":
            log.error("planning failed, what was learnt is dropped app=%s", self.key, exc_info=error)
        self.counters.tuning_errors += 1
        self.failures += 1
        self.trouble = ("InternalError", cause_of_fault(error).message)
        if self.state is not None:
            self.state = self.state.reset()
