"""The one loop for all applications: poll the agents, ask each pilot, write what it wishes.

mirror ─► pilots and their pods ─► polls ─► Pilot.step ─► ConfigMap NAME-promoted, then pod annotations
                                                      └─► history, Events, log, NAME-tuning, a reconcile for status
"""

import asyncio
import logging
import time
from dataclasses import dataclass

from uwsgi_autopilot.api.wish import Wish
from uwsgi_autopilot.controller import memory
from uwsgi_autopilot.controller.agents import Agents, due_polls
from uwsgi_autopilot.controller.events import Events
from uwsgi_autopilot.controller.kube import ApiError, Conflict, Kube, NotFound, Unreachable
from uwsgi_autopilot.controller.metrics import Metrics
from uwsgi_autopilot.controller.mirror import AppSeen, Key, Mirror
from uwsgi_autopilot.controller.pilot import Pilot
from uwsgi_autopilot.controller.podview import PodView
from uwsgi_autopilot.controller.wishes import Wishes
from uwsgi_autopilot.resources.labels import WANTED
from uwsgi_autopilot.tuner.decision import Entry

log = logging.getLogger(__name__)

TICK_SECONDS = 0.5
STEP_SECONDS = 1.0
SAVE_SECONDS = 60.0
REWRITE_SECONDS = 5.0  # the watch has shown an annotation long before; else it did not get through
LOADS_AT_ONCE = 20
# How often the figures in the status are renewed.
NUMBERS_CALM_SECONDS = 60.0
NUMBERS_HOT_SECONDS = 5.0

# What a person should look at.
WARNINGS = frozenset({"refuse", "undecided"})


@dataclass(slots=True)
class Tuned:
    """An application that is being tuned. stored_seq: of the promoted wish that NAME-promoted holds."""

    uid: str
    pilot: Pilot
    stored_seq: int
    stepped_at: float = 0.0
    saved_at: float = 0.0
    saved_text: str = ""
    numbers_at: float = 0.0
    unsaved: bool = False
    work: asyncio.Task[None] | None = None


class Tuning:
    """`apps`: read by the reconcile for the promoted wish and for the status."""

    def __init__(self, mirror: Mirror, kube: Kube, agents: Agents, events: Events, metrics: Metrics) -> None:
        self.mirror = mirror
        self.kube = kube
        self.agents = agents
        self.events = events
        self.metrics = metrics
        self.apps: dict[Key, Tuned] = {}
        self.ticked_at = time.monotonic()

    async def run(self) -> None:
        while True:
            began = time.monotonic()
            self.metrics.loop_lag = max(0.0, began - self.ticked_at - TICK_SECONDS)
            self.ticked_at = began
            await self.tick(began)
            await asyncio.sleep(max(0.02, TICK_SECONDS - (time.monotonic() - began)))

    async def tick(self, now: float) -> None:
        await self._follow_mirror()
        views = [(view, tuned.pilot.hot(view)) for tuned in self.apps.values() for view in tuned.pilot.pods.values()]
        await self.agents.poll(due_polls(views, now))
        self.metrics.unreachable = sum(view.seen is not None and view.seen.running and view.silent(now)
                                       and view.failed_since is not None for view, _ in views)  # fmt: skip
        for key, tuned in list(self.apps.items()):
            # Not awaited: an API server that is slow for one application is no reason to leave the others alone.
            busy = tuned.work is not None and not tuned.work.done()
            if not busy and now - tuned.stepped_at >= STEP_SECONDS - 0.1:
                tuned.stepped_at = now
                tuned.work = asyncio.create_task(self._guarded_step(key, tuned))

    # --- who is there

    async def _follow_mirror(self) -> None:
        for key in [key for key, tuned in self.apps.items() if self._seen(key, tuned.uid) is None]:
            del self.apps[key]
        new = [
            key
            for key, seen in self.mirror.apps.items()
            if key not in self.apps and seen.spec is not None and self.mirror.pods.get(key)
        ]
        await asyncio.gather(*(self._load(key, self.mirror.apps[key]) for key in new[:LOADS_AT_ONCE]))
        for key, tuned in list(self.apps.items()):
            seen = self._seen(key, tuned.uid)
            if seen is None or seen.spec is None:
                del self.apps[key]  # it went while others were loaded
                continue
            tuned.pilot.spec = seen.spec
            self._follow_pods(key, tuned.pilot)

    def _seen(self, key: Key, uid: str) -> AppSeen | None:
        seen = self.mirror.apps.get(key)
        return seen if seen is not None and seen.uid == uid and seen.spec is not None else None

    def _follow_pods(self, key: Key, pilot: Pilot) -> None:
        there = self.mirror.pods.get(key, {})
        found = {uid: pod for uid, pod in there.items() if pod.ip and pod.running}
        pilot.coming = [pod for uid, pod in there.items() if uid not in found]
        for uid in set(pilot.pods) - set(found):
            del pilot.pods[uid]
        for uid, pod in found.items():
            view = pilot.pods.get(uid)
            if view is None or view.ip != pod.ip:
                view = pilot.pods[uid] = PodView(uid=uid, name=pod.name, ip=pod.ip)
            view.seen = pod

    async def _load(self, key: Key, seen: AppSeen) -> None:
        try:
            known = await memory.load(self.kube, key, seen.uid)
        except (ApiError, Unreachable) as error:
            log.warning("application not tuned yet: its ConfigMaps cannot be read app=%s error=%s", key, error)
            return
        assert seen.spec is not None
        start = seen.spec.tuning.pin or seen.spec.tuning.start
        promoted = known.promoted or Wish(seq=0, shape=start)
        pilot = Pilot(
            spec=seen.spec, wishes=Wishes(promoted=promoted, seq=known.seq), memory=known.memory, trial=known.trial
        )
        pilot.history.extend(known.history)
        if known.trial is not None:
            pilot.subject = known.trial.pod
            pilot.wishes.own[known.trial.pod] = Wish(
                seq=known.trial.seq, shape=known.trial.shape, uid=known.trial.pod, trial_seconds=1.0
            )
        self.apps[key] = Tuned(uid=seen.uid, pilot=pilot, stored_seq=promoted.seq)

    async def stored(self, key: Key, uid: str) -> Wish | None:
        """The promoted wish of an application that is not tuned, for want of pods."""
        return (await memory.load(self.kube, key, uid)).promoted

    # --- one application

    async def _guarded_step(self, key: Key, tuned: Tuned) -> None:
        """Whatever a pod answers, and whatever mistake of ours it finds, concerns that application alone."""
        try:
            await self._step(key, tuned)
        except Exception:
            log.exception("tuning failed, what was learnt is dropped app=%s", key)
            self.metrics.tuning_errors += 1
            tuned.pilot.start_anew()

    async def _step(self, key: Key, tuned: Tuned) -> None:
        pilot = tuned.pilot
        now = time.time()
        pilot.wishes.learn(pilot.pods)
        before = (pilot.quiet, pilot.last.reason if pilot.last else None, pilot.memory.phase)
        pilot.step(now, time.monotonic())
        for entry in pilot.said:
            self._tell(key, tuned, entry)
        said, pilot.said = bool(pilot.said), []
        tuned.unsaved = tuned.unsaved or said
        self._tell_late(key, tuned, now)
        try:
            await self._write(key, tuned, now)
            await self._save(key, tuned, now)
        except (ApiError, Unreachable) as error:
            log.warning("not written, will be tried again app=%s error=%s", key, error)
        changed = before != (pilot.quiet, pilot.last.reason if pilot.last else None, pilot.memory.phase)
        every = NUMBERS_HOT_SECONDS if any(pilot.hot(view) for view in pilot.pods.values()) else NUMBERS_CALM_SECONDS
        if said or changed or now - tuned.numbers_at >= every:
            tuned.numbers_at = now
            self.mirror.due.mark(key)

    async def _write(self, key: Key, tuned: Tuned, now: float) -> None:
        """The promoted wish first, so that a pod born in between starts with it."""
        wishes = tuned.pilot.wishes
        promoted = wishes.promoted
        if promoted.seq > tuned.stored_seq:
            try:
                self.mirror.child(await memory.save_promoted(self.kube, key, tuned.uid, promoted))
            except NotFound:
                self.mirror.due.mark(key, after=REWRITE_SECONDS)
                return
            tuned.stored_seq = promoted.seq
        for view, wish in wishes.to_write(tuned.pilot.pods):
            seq, at = wishes.written.get(view.uid, (-1, 0.0))
            if seq == wish.seq and now - at < REWRITE_SECONDS:
                continue
            body = {"metadata": {"uid": view.uid, "annotations": {WANTED: wish.to_text()}}}
            try:
                await self.kube.merge("Pod", key.namespace, view.name, body)
            except (NotFound, Conflict):
                continue  # another pod of that name, or none: the watch will say so
            wishes.wrote(view, wish, now)

    async def _save(self, key: Key, tuned: Tuned, now: float) -> None:
        if not tuned.unsaved and now - tuned.saved_at < SAVE_SECONDS:
            return
        text = memory.mark_of(tuned.pilot)
        if text != tuned.saved_text:
            try:
                await memory.save_tuning(self.kube, key, tuned.uid, tuned.pilot)
            except Conflict as error:
                # Somebody else's: a restart of ours will learn anew.
                log.warning("what was learnt is not kept app=%s: %s", key, error)
            tuned.saved_text = text
        tuned.saved_at, tuned.unsaved = now, False

    # --- words

    def _tell(self, key: Key, tuned: Tuned, entry: Entry) -> None:
        self.metrics.decision(entry.kind, entry.reason)
        log.info(
            "decision action=%s shape=%s->%s reason=%s app=%s: %s",
            entry.kind, entry.from_shape, entry.to_shape, entry.reason, key, entry.message,
        )  # fmt: skip
        shapes = f"{entry.from_shape} → {entry.to_shape}"
        note = entry.message if entry.message.startswith(shapes) else f"{shapes}: {entry.message}"
        warning = entry.kind in WARNINGS
        self.events.tell(key, tuned.uid, reason=entry.reason, note=note, action=entry.kind, warning=warning)

    def _tell_late(self, key: Key, tuned: Tuned, now: float) -> None:
        for view, wish in tuned.pilot.wishes.undelivered(tuned.pilot.pods, now):
            note = f"pod {view.name} has not reported the wish {wish.seq} ({wish.shape}) that was written to it"
            log.warning("wish not delivered app=%s: %s", key, note)
            self.events.tell(key, tuned.uid, reason="WishNotDelivered", note=note, action="change", warning=True)
