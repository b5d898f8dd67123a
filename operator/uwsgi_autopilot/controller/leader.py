"""All that the operator which leads runs, in one event loop: kopf's watches, reconciles, runners, poller."""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

import kopf

from uwsgi_autopilot.controller import counters, handlers
from uwsgi_autopilot.controller.autoscalers import Autoscalers
from uwsgi_autopilot.controller.cache import Cache
from uwsgi_autopilot.controller.chart import Chart
from uwsgi_autopilot.controller.children import Children
from uwsgi_autopilot.controller.events import Events
from uwsgi_autopilot.controller.kube import Kube
from uwsgi_autopilot.controller.options import Options
from uwsgi_autopilot.controller.poller import Poller
from uwsgi_autopilot.controller.reconcile import Reconciler
from uwsgi_autopilot.controller.relist import Relist
from uwsgi_autopilot.controller.rolloutqueue import RolloutQueue
from uwsgi_autopilot.controller.runners import Runners
from uwsgi_autopilot.controller.statuswriter import StatusWriter
from uwsgi_autopilot.controller.workqueue import Key
from uwsgi_autopilot.resources.conditions import Answer
from uwsgi_autopilot.resources.objects import Settings
from uwsgi_autopilot.resources.tuned import TuningStatus

# How late the event loop may be before the kubelet's probe fails.
LOOP_SECONDS = 30.0


class Leader:
    """instance: the operator's pod. `poller` is entered by whoever runs the parts."""

    def __init__(self, options: Options, kube: Kube, instance: str) -> None:
        self.options = options
        self.kube = kube
        self.cache = Cache()
        self.counters = counters.Counters()
        self.poller = Poller()
        self.events = Events(kube, instance)
        self.relist = Relist(kube, self.cache, options.watch)
        self.autoscalers = Autoscalers(kube, self.cache, options.watch)
        self.runners = Runners(self.cache, kube, self.poller, self.events, self.counters)
        settings = Settings(agent_image=options.agent_image, allowed=frozenset(options.allow))
        chart = Chart(kube, options.namespace, options.template, options.skeletons)
        statuses = StatusWriter(kube, self.cache, self._tuning, waiting=self._waiting)
        self.queue = RolloutQueue(
            cache=self.cache, chart=chart, events=self.events, serves=statuses.serves, trouble=statuses.trouble,
            most=options.max_concurrent_rollouts,
        )  # fmt: skip
        self.reconciler = Reconciler(
            kube=kube, cache=self.cache, runners=self.runners, chart=chart, children=Children(kube, self.cache),
            statuses=statuses, queue=self.queue, counters=self.counters, settings=settings,
        )  # fmt: skip

    def parts(self) -> list[Coroutine[Any, Any, None]]:
        """None of them ends by itself."""
        watches = kopf.operator(
            registry=handlers.registry_for(self.cache),
            settings=handlers.settings(),
            clusterwide=not self.options.watch,
            namespaces=tuple(self.options.watch),
            standalone=True,
            stop_flag=asyncio.Event(),
        )
        return [
            watches, self.autoscalers.run(), self.reconciler.run(), self.runners.run(), self.events.run(),
            self.relist.run(), self.queue.run(),
        ]  # fmt: skip

    def _tuning(self, key: Key) -> TuningStatus:
        runner = self.runners.running.get(key)
        return runner.status() if runner is not None else TuningStatus()

    def _waiting(self, key: Key) -> Answer | None:
        return self.queue.word(key)

    # --- what others may ask

    def unhealthy(self) -> str:
        late = time.monotonic() - self.runners.turned_at
        if late > LOOP_SECONDS:
            return f"the event loop has been stalled for {late:.0f} s"
        return "a watch is missing objects that the lists have" if self.relist.deaf() else ""

    def unready(self) -> str:
        return "" if self.cache.listed else "reading the lists"

    def metrics(self) -> str:
        now = counters.Moment(
            applications={key: self._application(key) for key in self.cache.apps},
            due=len(self.cache.specs),
            statuses_due=len(self.cache.statuses),
            polls=self.poller.polls,
            poll_failures=self.poller.failures,
            incompatible=self.poller.incompatible,
            wrong_pods=self.poller.wrong_pods,
            rollouts=self.queue.counts(),
            writes=dict(self.kube.writes),
            events_dropped=self.events.dropped,
        )
        return counters.page(self.counters, now)

    def _reconciled(self, key: Key) -> bool | None:
        done = self.reconciler.done.get(key)
        if key in self.reconciler.failures:
            return False
        return None if done is None else done.problem is None

    def _application(self, key: Key) -> counters.AppMoment:
        runner = self.runners.running.get(key)
        state = runner.state if runner is not None else None
        promoted = state.promoted.shape if state is not None and state.promoted is not None else None
        return counters.AppMoment(
            pods=len(state.pods) if state is not None else 0,
            unreachable=self.runners.silent(key),
            reconciled=self._reconciled(key),
            processes=promoted.processes if promoted is not None else None,
            threads=promoted.threads if promoted is not None else None,
            saturation=self.runners.saturation(key),
        )
