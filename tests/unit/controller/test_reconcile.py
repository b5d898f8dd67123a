"""One turn for an application: what it is counted as, what its status says, and which promoted shape it writes."""

import asyncio
import logging
from dataclasses import replace
from types import SimpleNamespace

import pytest
from uwsgi_autopilot.api.wish import parse_wish

from tests.unit.controller.loop import Loop, app_body, controller, pod_body
from tests.unit.resources.making import SETTINGS, SKELETONS, TEMPLATE
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.controller.children import Children
from uwsgi_autopilot.controller.kube import ApiError, Unreachable
from uwsgi_autopilot.controller.mirror import Key
from uwsgi_autopilot.controller.reconcile import Chart, Reconciler
from uwsgi_autopilot.controller.report import Reporter
from uwsgi_autopilot.resources import labels
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


# --- nothing ends in the log alone


def conditions(loop: Loop) -> dict[str, tuple[str, str, str]]:
    status = loop.kube.objects["UwsgiApp", "web", "shop"].get("status", {})
    return {each["type"]: (each["status"], each["reason"], each["message"]) for each in status.get("conditions", ())}


async def served(loop: Loop, found: Reconciler) -> None:
    """One pod serves what the manifest asks for."""
    loop.kube.put(app_body("shop"))
    await found.reconcile(SHOP)
    deployment = loop.kube.objects["Deployment", "web", "shop"]
    deployment["metadata"]["generation"] = 1
    deployment["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "1"
    counts = {"replicas": 1, "readyReplicas": 1, "updatedReplicas": 1, "availableReplicas": 1}
    deployment["status"] = {"observedGeneration": 1, **counts}
    loop.kube.put(replicaset("rs-shop", deployment["metadata"]["uid"], status=counts))
    loop.kube.put(pod_body("shop-1", "shop"))
    await found.reconcile(SHOP)
    assert conditions(loop)["Ready"][:2] == ("True", "RolledOut")


def replicaset(uid: str, deployment: str, **more: dict) -> dict:
    meta = {
        "name": uid,
        "uid": uid,
        "namespace": "web",
        "labels": labels.object_labels("shop") | {"pod-template-hash": "a"},
        "annotations": {"deployment.kubernetes.io/revision": "1"},
        "ownerReferences": [controller("Deployment", deployment)],
    }
    return {"kind": "ReplicaSet", "metadata": meta, **more}


def breaks(found: Reconciler, error: Exception) -> None:
    async def broken(*_: object) -> None:
        raise error.with_traceback(None)

    found.children = SimpleNamespace(bring=broken)


@pytest.mark.parametrize(
    ("error", "turns", "reason", "words"),
    [
        pytest.param(KeyError("s3cret"), 1, "InternalError", "KeyError at reconcile.py:", id="a mistake of ours"),
        pytest.param(RecursionError("s3cret"), 1, "InternalError", "RecursionError at", id="too deep for us"),
        pytest.param(AssertionError("s3cret"), 1, "InternalError", "AssertionError at", id="what cannot be"),
        pytest.param(
            ApiError(500, "", "webhook fails"), 2, "ApiServerFails", "webhook fails", id="a webhook that fails"
        ),
        pytest.param(Unreachable("POST /x: timeout"), 2, "ApiServerFails", "timeout", id="no answer"),
        pytest.param(
            ApiError(422, "Invalid", "no", written="Service"),
            1,
            "ApplyRefused",
            "refused the Service: no",
            id="a refusal",
        ),
    ],
)
def test_whatever_a_reconcile_ends_with_is_a_condition_and_what_serves_stays(error, turns, reason, words):
    """What an API server says for the first time may be over a moment later."""

    async def story() -> tuple[list[dict], dict, dict]:
        loop = Loop()
        found = reconciler(loop)
        await served(loop, found)
        before = dict(loop.kube.objects)
        breaks(found, error)
        told = []
        for _ in range(turns):
            await found._guarded(SHOP)
            told.append(conditions(loop))
        after = {at: body for at, body in loop.kube.objects.items() if at[0] != "UwsgiApp"}
        return told, {at: before[at] for at in after}, after

    told, before, after = asyncio.run(story())
    assert all(each["Ready"][0] == "True" for each in told[:-1])
    status, why, message = told[-1]["Ready"]
    assert (status, why) == ("False", reason)
    assert words in message
    assert "s3cret" not in message, "it may be a value of the manifest"
    assert told[-1]["Available"][0] == "True"
    assert after == before


def test_a_mistake_in_the_look_at_the_live_objects_leaves_the_other_conditions_as_they_were():
    async def story() -> tuple[dict, dict]:
        loop = Loop()
        found = reconciler(loop)
        await served(loop, found)
        before = conditions(loop)
        # No API server gives such a pod; who knows what the next one gives.
        loop.kube.put({**pod_body("shop-2", "shop"), "status": {"conditions": "none"}})
        assert await found._guarded(SHOP) == "failed"
        return before, conditions(loop)

    before, after = asyncio.run(story())
    assert after["Ready"][:2] == ("False", "InternalError")
    assert {**after, "Ready": ()} == {**before, "Ready": ()}


def test_the_same_fault_is_logged_once_and_tried_again_later_and_later(caplog):
    async def story() -> tuple[Reconciler, list[float]]:
        loop = Loop()
        found = reconciler(loop)
        await served(loop, found)
        breaks(found, KeyError("x"))
        waits: list[float] = []
        loop.mirror.due = SimpleNamespace(mark=lambda key, after=0.0: waits.append(after))
        for _ in range(8):
            await found._guarded(SHOP)
        found.failures[SHOP] = replace(found.failures[SHOP], tries=1100)  # some days later
        await found._guarded(SHOP)
        return found, waits

    with caplog.at_level(logging.WARNING):
        found, waits = asyncio.run(story())
    assert [record.getMessage().partition("\n")[0] for record in caplog.records] == [
        "reconcile failed, will be tried again app=web/shop"
    ]
    assert "KeyError: 'x'" in caplog.text
    assert waits == [5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0, 300.0]
    assert found.failures[SHOP].tries == 1101


def test_a_fault_that_is_over_is_forgotten():
    async def story() -> tuple[Reconciler, dict]:
        loop = Loop()
        found = reconciler(loop)
        await served(loop, found)
        children = found.children
        breaks(found, KeyError("x"))
        await found._guarded(SHOP)
        found.children = children
        await found._guarded(SHOP)
        return found, conditions(loop)

    found, told = asyncio.run(story())
    assert told["Ready"][:2] == ("True", "RolledOut")
    assert found.failures == {}


# --- whose pods count


def test_pods_and_replicasets_of_others_say_nothing_about_an_application():
    """Whoever may make pods in the namespace may give them our labels."""

    async def story() -> Loop:
        loop = Loop()
        found = reconciler(loop)
        await served(loop, found)
        ailing = {"conditions": [], "reason": "Evicted", "containerStatuses": []}
        nobodys = pod_body("stray", "shop", created="2026-01-01")
        del nobodys["metadata"]["ownerReferences"]
        of_others = pod_body("other", "shop", created="2026-01-01", replicaset="rs-other")
        for body in (nobodys, of_others):
            loop.kube.put({**body, "status": ailing})
        # Of no use to a stranger either: the revision of ours, by another Deployment.
        objects = {("ReplicaSet", "web", "rs-other"): replicaset("rs-other", "another", status={})}
        loop.kube.objects = objects | loop.kube.objects
        deployment = loop.kube.objects["Deployment", "web", "shop"]
        deployment["status"] |= {"replicas": 2, "availableReplicas": 1}
        await found.reconcile(SHOP)
        for body in (nobodys, of_others, pod_body("shop-1", "shop")):
            loop.mirror.pod(body)
        return loop

    loop = asyncio.run(story())
    assert conditions(loop)["Ready"][:2] == ("False", "RollingOut"), "no cause is seen in the application's own pod"
    assert list(loop.mirror.pods[SHOP]) == ["shop-1"]


def test_a_pod_counts_as_soon_as_a_reconcile_has_read_whose_replicaset_made_it():
    async def story() -> list[tuple[set[str], int]]:
        loop = Loop()
        found = reconciler(loop)
        seen = []
        loop.mirror.pod(pod_body("shop-1", "shop"))
        seen.append((set(loop.mirror.pods.get(SHOP, ())), len(loop.mirror.uids("Pod"))))
        await served(loop, found)
        seen.append((set(loop.mirror.pods.get(SHOP, ())), len(loop.mirror.uids("Pod"))))
        del loop.kube.objects["UwsgiApp", "web", "shop"]
        await found.reconcile(SHOP)
        seen.append((set(loop.mirror.pods.get(SHOP, ())), len(loop.mirror.uids("Pod"))))
        loop.mirror.forget("Pod", {"shop-1"})
        seen.append((set(loop.mirror.pods.get(SHOP, ())), len(loop.mirror.uids("Pod"))))
        return seen

    assert asyncio.run(story()) == [(set(), 1), ({"shop-1"}, 1), (set(), 1), (set(), 0)]


@pytest.mark.parametrize(
    ("owned", "due"),
    [pytest.param(True, 1, id="of a ReplicaSet that nobody knows"), pytest.param(False, 0, id="nobody's")],
)
def test_only_a_pod_that_may_be_the_applications_is_looked_at(owned, due):
    async def story() -> int:
        loop = Loop()
        body = pod_body("shop-1", "shop")
        if not owned:
            del body["metadata"]["ownerReferences"]
        loop.mirror.pod(body)
        return len(loop.mirror.due._at)

    assert asyncio.run(story()) == due
