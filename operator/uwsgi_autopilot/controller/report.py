"""Write an application's status: read what is there, let resources/ say what that means, write what is worth it."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from uwsgi_autopilot.api.uwsgiapp import Mode
from uwsgi_autopilot.controller import history
from uwsgi_autopilot.controller.children import NameTaken
from uwsgi_autopilot.controller.kube import ApiError, Conflict, Kube, NotFound, Unreachable
from uwsgi_autopilot.controller.mirror import Key, Mirror, owner_uid
from uwsgi_autopilot.controller.pilot import Pilot
from uwsgi_autopilot.controller.podview import PodView
from uwsgi_autopilot.controller.tuning import NUMBERS_CALM_SECONDS, NUMBERS_HOT_SECONDS, Tuning
from uwsgi_autopilot.errors import SpecError, TemplateError
from uwsgi_autopilot.report.histogram import add, quantile
from uwsgi_autopilot.report.reasons import Reason, WishReason
from uwsgi_autopilot.resources.app import App
from uwsgi_autopilot.resources.causes import Cause, cause_of_failure, cause_of_fault, cause_of_server, cause_of_spec
from uwsgi_autopilot.resources.conditions import Seen
from uwsgi_autopilot.resources.labels import selector_text
from uwsgi_autopilot.resources.status import status_of, status_of_fault, worth_writing
from uwsgi_autopilot.resources.tuned import Tuning as Told
from uwsgi_autopilot.tuner.decision import Kind
from uwsgi_autopilot.tuner.phases import Phase

Body = dict[str, Any]

MOST_PER_SECOND = 20
# What the API server says again tomorrow; everything else of it may be different in a moment.
REFUSALS = (400, 403, 422)
PODS_READ = 50  # of a large application; the causes of the rest are the same


@dataclass(slots=True)
class Reporter:
    kube: Kube
    mirror: Mirror
    tuning: Tuning
    numbers_at: dict[Key, float] = field(default_factory=dict)
    _next_slot: float = 0.0

    async def report(self, key: Key, body: Body, problem: Exception | None) -> bool:
        """Is it Ready? `problem`: what kept the objects from being written."""
        app = _app_of(body)
        seen = await self._seen(key, app, body["metadata"]["uid"], problem)
        tuned = self.tuning.apps.get(key)
        told = told_of(tuned.pilot, time.monotonic()) if tuned else Told()
        status = status_of(body, app, seen, told, now=datetime.now(timezone.utc))
        worth = worth_writing(body.get("status") or {}, status)
        hot = tuned is not None and any(tuned.pilot.hot(view) for view in tuned.pilot.pods.values())
        every = NUMBERS_HOT_SECONDS if hot else NUMBERS_CALM_SECONDS
        now = time.monotonic()
        if worth == "now" or (worth == "later" and now - self.numbers_at.get(key, -every) >= every):
            self.numbers_at[key] = now
            await self._write(body, status)
        return any(each["type"] == "Ready" and each["status"] == "True" for each in status["conditions"])

    async def report_fault(self, body: Body, error: Exception) -> None:
        """`error`: what came of the look at the live objects."""
        status = status_of_fault(body, cause_of_fault(error), now=datetime.now(timezone.utc))
        if worth_writing(body.get("status") or {}, status):
            await self._write(body, status)

    def forget(self, key: Key) -> None:
        self.numbers_at.pop(key, None)

    async def _seen(self, key: Key, app: App | None, uid: str, problem: Exception | None) -> Seen:
        cause = cause_of_problem(app, problem)
        try:
            deployment: Body | None = await self.kube.get("Deployment", key.namespace, key.name)
        except NotFound:
            deployment = None
        if deployment is None or owner_uid(deployment) != uid:
            self.mirror.own(key, ())
            return Seen(deployment=None, problem=cause)
        # Anybody may write our labels on anything: what counts is who made it.
        labels, mine = selector_text(key.name), deployment["metadata"]["uid"]
        listed = self.kube.list("ReplicaSet", key.namespace, labels)
        replicasets = [each async for each in listed if owner_uid(each, "Deployment") == mine]
        own = {each["metadata"]["uid"] for each in replicasets}
        self.mirror.own(key, own)
        pods: list[Body] = []
        async for each in self.kube.list("Pod", key.namespace, labels):
            if owner_uid(each, "ReplicaSet") in own and len(pods) < PODS_READ:
                pods.append(each)
        return Seen(deployment=deployment, replicasets=replicasets, pods=pods, problem=cause)

    async def _write(self, body: Body, status: Body) -> None:
        slot = max(self._next_slot, time.monotonic())
        self._next_slot = slot + 1.0 / MOST_PER_SECOND
        await asyncio.sleep(max(0.0, slot - time.monotonic()))
        meta = {name: body["metadata"][name] for name in ("name", "namespace", "uid")}
        written = {"apiVersion": body["apiVersion"], "kind": body["kind"], "metadata": meta, "status": status}
        try:
            await self.kube.apply(written, subresource="status")
        except (NotFound, Conflict):
            return  # it went, or another one has its name: nobody to tell


def told_of(pilot: Pilot, monotonic: float) -> Told:
    """What the pilot knows, in the status' words."""
    views = list(pilot.pods.values())
    answering = [view for view in views if not view.silent(monotonic)]
    shapes = Counter(view.shape for view in answering if view.shape is not None)
    last, memory = pilot.last, pilot.memory
    latest = pilot.history[-1] if pilot.history else None
    recent = [figures for view in answering if (figures := view.figures(10.0)) is not None]
    worst = max((p99 for view in answering if (p99 := _p99(view)) is not None), default=None)
    limited = memory.said
    message = last.message if last is not None and pilot.quiet is None else (pilot.quiet or "")
    # The trial that was refused ends undecided in the same second.
    decided = next((each for each in reversed(pilot.history) if each.kind != "undecided"), None)
    if decided is not None and decided.kind == "refuse" and decided.reason == WishReason.MEMORY_LIMIT:
        limited, message = Reason.MEMORY_LIMIT, f"the agent refused {decided.to_shape}: {decided.message}"
    recommended = next((each for each in reversed(pilot.history) if each.kind == Kind.RECOMMEND.value), None)
    mode = pilot.spec.tuning.mode
    current = memory.recommended if recommended is not None and mode is Mode.RECOMMEND else None
    gain = last.numbers if last is not None else {}
    return Told(
        pods=len(views),
        reachable=len(answering),
        shape=shapes.most_common(1)[0][0] if shapes else None,
        # Of a single pod its own wish, a trial's too: nobody else is asked for anything.
        wanted=pilot.wishes.of(views[0].uid) if len(views) == 1 else pilot.wishes.promoted,
        reason=last.reason if last is not None else None,
        message=message,
        settled=memory.phase is Phase.HOLD and pilot.trial is None,
        limited=limited,
        taken_back=latest.message if latest is not None and latest.kind == "back" else None,
        recommendation=current,
        recommendation_gain=_gain(gain),
        recommendation_reason=recommended.reason if recommended and current else "",
        recommendation_message=recommended.message if recommended and current else "",
        decisions=[history.to_json(each) for each in pilot.history],
        rps=_load(sum(each.rps for each in recent)) if recent else None,
        p99_s=worst,
    )


def cause_of_problem(app: App | None, problem: Exception | None) -> Cause | None:
    if problem is None:
        return None
    if isinstance(problem, SpecError):
        return cause_of_spec(problem)
    if isinstance(problem, TemplateError):
        return Cause(reason="TemplateUnusable", message=str(problem))
    if isinstance(problem, NameTaken):
        return Cause(reason="NameTaken", message=str(problem))
    if isinstance(problem, ApiError) and problem.status in REFUSALS:
        return cause_of_server(app, problem.written, str(problem))
    if isinstance(problem, ApiError | Unreachable):
        return cause_of_failure(str(problem))
    return cause_of_fault(problem)


def lasting(problem: Exception) -> bool:
    """Does it end only when somebody changes something? Else it is tried again, later and later."""
    if isinstance(problem, ApiError):
        return problem.status in REFUSALS
    return isinstance(problem, SpecError | TemplateError | NameTaken)


def _p99(view: PodView) -> float | None:
    latencies: dict[int, int] = {}
    add(latencies, view.latencies())
    return quantile(latencies, 0.99)


def _load(rps: float) -> float:
    """The agents' own requests to idle applications, one in 10 s, are no load."""
    return rps if rps >= 0.5 else 0.0


def _gain(numbers: Any) -> float | None:
    before, after = numbers.get("throughput_rps"), numbers.get("expected_rps")
    return after / before - 1.0 if before and after else None


def _app_of(body: Body) -> App | None:
    try:
        return App.from_body(body)
    except SpecError:
        return None
