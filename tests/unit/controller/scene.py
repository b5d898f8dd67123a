"""Applications that the watches have shown, the chart's objects and a reconciler, with an API server in a dict."""

from typing import Any

from tests.unit.controller.fakes import FakeKube
from tests.unit.controller.making import SHOP, app_body
from tests.unit.resources.making import SETTINGS, SKELETONS, TEMPLATE
from uwsgi_autopilot.controller.cache import Cache
from uwsgi_autopilot.controller.chart import Chart
from uwsgi_autopilot.controller.children import Children
from uwsgi_autopilot.controller.counters import Counters
from uwsgi_autopilot.controller.events import Events
from uwsgi_autopilot.controller.reconcile import Reconciler
from uwsgi_autopilot.controller.rolloutqueue import RolloutQueue
from uwsgi_autopilot.controller.runners import Runners
from uwsgi_autopilot.controller.statuswriter import StatusWriter
from uwsgi_autopilot.resources.tuned import TuningStatus


class Scene:
    """An application `shop` that the watch has shown, and the chart's objects. tuning: what the fleet says."""

    def __init__(self, *names: str) -> None:
        self.kube, self.cache, self.counters = FakeKube(), Cache(), Counters()
        self.tuning = TuningStatus()
        meta = {"namespace": "system"}
        self.kube.put({**TEMPLATE, "kind": "PodTemplate", "metadata": {**meta, "name": "template"}})
        self.kube.put({"kind": "ConfigMap", "metadata": {**meta, "name": "skeletons"}, "data": dict(SKELETONS)})
        for name in names or ("shop",):
            self.kube.put(app_body(name))
            self.cache.app(app_body(name))
        self.runners = Runners(self.cache, self.kube, None, Events(self.kube, "operator-1"), self.counters)  # type: ignore[arg-type]
        self.lead()

    def lead(self, template: str = "template") -> None:
        """A new operator, which knows what the watches show."""
        events = Events(self.kube, "operator-1")
        chart = Chart(self.kube, "system", template, "skeletons")
        statuses = StatusWriter(
            self.kube, self.cache, lambda key: self.tuning, waiting=lambda key: self.queue.word(key)
        )
        self.queue = RolloutQueue(
            cache=self.cache, chart=chart, events=events, serves=statuses.serves, trouble=statuses.trouble, most=5
        )
        self.reconciler = Reconciler(
            kube=self.kube, cache=self.cache, runners=self.runners, chart=chart,
            children=Children(self.kube, self.cache), statuses=statuses, queue=self.queue, counters=self.counters,
            settings=SETTINGS,
        )  # fmt: skip

    async def reconcile(self) -> str:
        return await self.reconciler.reconcile(SHOP)

    async def refresh(self) -> None:
        await self.reconciler.refresh(SHOP)

    @property
    def app(self) -> dict[str, Any]:
        return self.kube.objects["UwsgiApp", "web", "shop"]

    @property
    def conditions(self) -> dict[str, tuple[str, str]]:
        return {each["type"]: (each["status"], each["reason"]) for each in self.app["status"]["conditions"]}
