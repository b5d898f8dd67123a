"""One turn for an application: what it is counted as, and which promoted shape it writes."""

import asyncio

import pytest
from uwsgi_autopilot.api.wish import parse_wish

from tests.unit.controller.loop import Loop, app_body
from tests.unit.resources.making import SETTINGS, SKELETONS, TEMPLATE
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.controller.children import Children
from uwsgi_autopilot.controller.mirror import Key
from uwsgi_autopilot.controller.reconcile import Chart, Reconciler
from uwsgi_autopilot.controller.report import Reporter
from uwsgi_autopilot.resources.labels import PROMOTED_KEY

SHOP = Key("web", "shop")


def reconciler(loop: Loop) -> Reconciler:
    names = ("system", "template", "skeletons")
    loop.kube.put({**TEMPLATE, "kind": "PodTemplate", "metadata": {"name": "template", "namespace": "system"}})
    loop.kube.put(
        {"kind": "ConfigMap", "metadata": {"name": "skeletons", "namespace": "system"}, "data": dict(SKELETONS)}
    )
    return Reconciler(
        kube=loop.kube, mirror=loop.mirror, tuning=loop.tuning, chart=Chart(loop.kube, *names),
        children=Children(loop.kube, loop.mirror), reporter=Reporter(loop.kube, loop.mirror, loop.tuning),
        settings=SETTINGS, metrics=loop.metrics,
    )  # fmt: skip


async def one_turn(found: Reconciler) -> None:
    found.mirror.due.mark(SHOP)
    working = asyncio.create_task(found.run())
    for _ in range(10_000):
        if found.metrics.reconciles:
            break
        await asyncio.sleep(0.001)
    working.cancel()


def refused_by_a_foreign_service(loop: Loop, body: dict) -> None:
    loop.kube.put({"kind": "Service", "metadata": {"name": "shop", "namespace": "web"}, "spec": {}})


def refused_by_its_own_fields(loop: Loop, body: dict) -> None:
    body["spec"]["module"] = 7


def refused_for_want_of_a_template(loop: Loop, body: dict) -> None:
    del loop.kube.objects["PodTemplate", "system", "template"]


def fails(loop: Loop, body: dict) -> None:
    async def broken(*which: str) -> None:
        raise KeyError("x")

    loop.kube.create = broken


@pytest.mark.parametrize(
    ("change", "result"),
    [
        pytest.param(lambda loop, body: None, "ok", id="all is well"),
        pytest.param(refused_by_a_foreign_service, "refused", id="a Service of somebody else has the name"),
        pytest.param(refused_by_its_own_fields, "refused", id="a manifest that cannot be served"),
        pytest.param(refused_for_want_of_a_template, "refused", id="the chart's template is gone"),
        pytest.param(fails, "failed", id="a mistake of ours"),
    ],
)
def test_what_a_reconcile_is_counted_as(change, result):
    async def story() -> dict[str, int]:
        loop = Loop()
        found = reconciler(loop)
        body = app_body("shop")
        change(loop, body)
        loop.kube.put(body)
        await one_turn(found)
        return loop.metrics.reconciles

    assert asyncio.run(story()) == {result: 1}


def test_what_is_promoted_while_the_chart_is_read_is_not_written_over():
    async def story() -> Loop:
        loop = Loop("shop")
        found = reconciler(loop)
        loop.kube.put(app_body("shop"))
        await loop.turn()
        read = loop.kube.get

        async def meanwhile(kind: str, *rest: str) -> dict:
            if kind == "PodTemplate":
                loop.tuned("shop").pilot.wishes.everyone(Shape(4, 16))
            return await read(kind, *rest)

        loop.kube.get = meanwhile
        await found.reconcile(SHOP)
        return loop

    stored = asyncio.run(story()).kube.objects["ConfigMap", "web", "shop-promoted"]["data"][PROMOTED_KEY]
    assert parse_wish(stored).shape == Shape(4, 16)
