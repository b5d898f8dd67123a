"""The two lanes: what a turn for an application's objects leaves in its status, and what a look at that costs."""

import asyncio
import json
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.controller.fakes import until
from tests.unit.controller.making import PROMOTED, SHOP, pod_body, promoted_map
from tests.unit.controller.scene import Scene
from tests.unit.controller.world import runner_of
from uwsgi_autopilot.api.desired import parse_desired
from uwsgi_autopilot.controller.deepjson import Shallow
from uwsgi_autopilot.controller.kube import ApiError, Conflict, Unreachable
from uwsgi_autopilot.controller.reconcile import TRIES_UNTOLD
from uwsgi_autopilot.controller.workqueue import Key
from uwsgi_autopilot.fleet.state import FleetState
from uwsgi_autopilot.resources.labels import PROMOTED_KEY
from uwsgi_autopilot.resources.tuned import TuningStatus


def deep_overlay(scene: Scene) -> None:
    text = json.dumps({**scene.app, "spec": {**scene.app["spec"], "template": "DEEP"}})
    scene.kube.put(json.loads(text.replace('"DEEP"', '{"a": ' * 9_000 + "1" + "}" * 9_000), cls=Shallow))


def nothing(scene: Scene) -> None:
    pass


def foreign_service(scene: Scene) -> None:
    scene.kube.put({"kind": "Service", "metadata": {"name": "shop", "namespace": "web"}, "spec": {}})


def own_fields(scene: Scene) -> None:
    scene.app["spec"]["module"] = 7


def no_template(scene: Scene) -> None:
    del scene.kube.objects["PodTemplate", "system", "template"]


def failing(error: Exception) -> Callable[[Scene], None]:
    def fail(scene: Scene) -> None:
        async def broken(*which: object) -> None:
            raise error

        scene.kube.create = broken  # type: ignore[method-assign, assignment]

    return fail


@pytest.mark.parametrize(
    ("change", "result", "ready"),
    [
        pytest.param(nothing, "ok", "RollingOut", id="all is well"),
        pytest.param(foreign_service, "refused", "NameTaken", id="a Service of somebody else has the name"),
        pytest.param(own_fields, "refused", "SpecInvalid", id="a manifest that cannot be served"),
        pytest.param(deep_overlay, "refused", "OverlayRefused", id="an overlay as deep as the API server allows"),
        pytest.param(no_template, "refused", "TemplateUnusable", id="the chart's template is gone"),
        pytest.param(failing(ApiError(403, "Forbidden", "no")), "refused", "ApplyRefused", id="a right is missing"),
        pytest.param(failing(KeyError("x")), "failed", "InternalError", id="a mistake of ours"),
    ],
)
def test_whatever_becomes_of_it_a_person_reads_it_in_the_status(
    change: Callable[[Scene], None], result: str, ready: str
) -> None:
    async def story() -> None:
        scene = Scene()
        change(scene)
        assert await scene.reconcile() == result
        await scene.refresh()
        assert scene.conditions["Ready"] == ("False", ready)

    asyncio.run(story())


@pytest.mark.parametrize("error", [Conflict(409, "Conflict", "another writer"), Unreachable("no route")])
def test_what_may_be_over_the_next_time_is_told_only_when_it_is_not(error: Exception) -> None:
    async def story() -> None:
        scene = Scene()
        failing(error)(scene)
        for _ in range(TRIES_UNTOLD):
            assert await scene.reconcile() == "failed"
            await scene.refresh()
            assert "status" not in scene.app
        await scene.reconcile()
        await scene.refresh()
        assert scene.conditions["Ready"] == ("False", "ApiServerFails")

    asyncio.run(story())


def test_a_mistake_of_ours_is_said_once_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        scene = Scene()
        failing(KeyError("s3cret"))(scene)
        for _ in range(4):
            await scene.reconcile()
        waits: list[float] = []
        scene.cache.specs.mark = lambda key, after=0.0: waits.append(after)  # type: ignore[method-assign]
        await scene.reconcile()
        scene.reconciler.failures[SHOP] = replace(scene.reconciler.failures[SHOP], tries=1100)  # some days later
        await scene.reconcile()
        await scene.refresh()
        assert waits == [80.0, 300.0]
        assert "s3cret" not in str(scene.app["status"]), "it may be a value of the manifest"

    asyncio.run(story())
    assert [each.exc_info is not None for each in caplog.records] == [True]


def test_the_promoted_shape_is_the_fleets_also_where_its_map_was_removed() -> None:
    async def story() -> None:
        scene = Scene()
        scene.runners.running[SHOP] = runner_of(scene.cache, scene.kube)
        scene.runners.running[SHOP].state = FleetState.begin(scene.cache.apps[SHOP].spec, PROMOTED)  # type: ignore[arg-type]
        await scene.reconcile()
        stored = scene.kube.objects["ConfigMap", "web", "shop-promoted"]
        assert parse_desired(stored["data"][PROMOTED_KEY]) == PROMOTED

    asyncio.run(story())


def test_a_promoted_shape_is_not_written_over() -> None:
    async def story() -> None:
        scene = Scene()
        scene.kube.put(promoted_map(PROMOTED))
        await scene.reconcile()
        assert parse_desired(scene.kube.objects["ConfigMap", "web", "shop-promoted"]["data"][PROMOTED_KEY]) == PROMOTED

    asyncio.run(story())


# --- the status


def replicaset(name: str, deployment: str, *, available: int) -> dict[str, Any]:
    meta = {
        "name": name, "uid": name, "namespace": "web", "labels": {"pod-template-hash": "a"},
        "annotations": {"deployment.kubernetes.io/revision": "1"},
        "ownerReferences": [{"kind": "Deployment", "uid": deployment, "controller": True}],
    }  # fmt: skip
    return {"kind": "ReplicaSet", "metadata": meta, "status": {"availableReplicas": available}}


async def served(scene: Scene) -> None:
    """Its objects are there and rolled out, and the status says so."""
    await scene.reconcile()
    deployment = scene.kube.objects["Deployment", "web", "shop"]
    deployment["metadata"] |= {"generation": 1, "annotations": {"deployment.kubernetes.io/revision": "1"}}
    counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 1)
    deployment["status"] = {"observedGeneration": 1, **counts}
    scene.kube.put(replicaset("shop-a", deployment["metadata"]["uid"], available=1))
    await scene.refresh()
    assert scene.conditions["Ready"] == ("True", "RolledOut")
    scene.kube.reads.clear()
    scene.kube.log.clear()


def test_figures_alone_cost_one_write_and_no_read() -> None:
    async def story() -> None:
        scene = Scene()
        await served(scene)
        scene.reconciler.statuses.known[SHOP].at -= 10.0
        scene.tuning = TuningStatus(rps=120.0, p99_s=3.2)
        await scene.refresh()
        assert scene.app["status"]["display"] == {"ready": "1/1", "rps": "120", "p99": "3.2 s"}
        assert (scene.kube.log, scene.kube.reads) == ([("apply", "UwsgiApp", "shop")], [])
        scene.tuning = TuningStatus(rps=130.0, p99_s=0.11)
        await scene.refresh()
        assert len(scene.kube.log) == 1, "a moment later it is worth nothing yet"

    asyncio.run(story())


def test_of_an_application_that_serves_no_pod_is_read() -> None:
    async def story() -> None:
        scene = Scene()
        await served(scene)
        scene.cache.look_again(SHOP)
        await scene.refresh()
        assert scene.kube.reads == [("get", "UwsgiApp"), ("get", "Deployment"), ("list", "ReplicaSet")]
        assert scene.kube.log == []

    asyncio.run(story())


def test_a_manifest_that_was_not_worked_on_yet_is_not_called_rolled_out() -> None:
    """The status is looked at between an edit and the reconcile that follows it."""

    async def story() -> None:
        scene = Scene()
        await served(scene)
        scene.app["metadata"]["generation"] = 2
        scene.cache.look_again(SHOP)
        await scene.refresh()
        assert scene.app["status"]["observedGeneration"] == 1
        assert {each["observedGeneration"] for each in scene.app["status"]["conditions"]} == {1}

    asyncio.run(story())


def test_a_status_that_fails_is_said_once_and_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        scene = Scene()
        await scene.reconcile()
        scene.tuning = None  # type: ignore[assignment]
        with caplog.at_level(logging.WARNING):
            for _ in range(3):
                await scene.refresh()
        assert len(caplog.records) == 1
        scene.tuning = TuningStatus()
        await scene.refresh()
        assert "status" in scene.app

    asyncio.run(story())


def test_a_mistake_in_the_look_at_the_live_objects_leaves_the_other_conditions_as_they_were() -> None:
    async def story() -> None:
        scene = Scene()
        await served(scene)
        before = scene.conditions
        # No API server gives such a Deployment; who knows what the next one gives.
        scene.kube.objects["Deployment", "web", "shop"]["status"]["conditions"] = "none"
        scene.cache.look_again(SHOP)
        await scene.refresh()
        assert scene.conditions["Ready"] == ("False", "InternalError")
        assert {**scene.conditions, "Ready": before["Ready"]} == before

    asyncio.run(story())


@pytest.mark.parametrize(
    ("error", "looks", "ready"),
    [
        pytest.param(ApiError(403, "Forbidden", "no"), 1, "ApplyRefused", id="a right is missing, which lasts"),
        pytest.param(ApiError(500, "InternalError", "etcd"), 1, "RolledOut", id="a server that fails once"),
        pytest.param(ApiError(500, "InternalError", "etcd"), 2, "ApiServerFails", id="a server that fails again"),
    ],
)
def test_live_objects_that_cannot_be_read_are_told_in_the_status(error: Exception, looks: int, ready: str) -> None:
    async def story() -> None:
        scene = Scene()
        await served(scene)
        read = scene.kube.list

        def failing(kind: str, *where: Any) -> Any:
            if kind == "ReplicaSet":
                raise error
            return read(kind, *where)

        scene.kube.list = failing  # type: ignore[method-assign, assignment]
        for _ in range(looks):
            scene.cache.look_again(SHOP)
            await scene.refresh()
        assert scene.conditions["Ready"][1] == ready
        scene.kube.list = read  # type: ignore[method-assign]
        scene.cache.look_again(SHOP)
        await scene.refresh()
        assert scene.conditions["Ready"] == ("True", "RolledOut")

    asyncio.run(story())


def test_conditions_that_somebody_else_wrote_in_part_keep_nothing_from_being_told() -> None:
    """An exception here would end the operator, for every application."""

    async def story() -> None:
        scene = Scene()
        await served(scene)
        scene.app["status"]["conditions"] = [{"type": "Available"}]
        scene.kube.objects["Deployment", "web", "shop"]["status"]["conditions"] = "none"
        scene.cache.look_again(SHOP)
        await scene.refresh()
        assert scene.conditions["Ready"] == ("False", "InternalError")
        assert scene.conditions["Available"] == ("Unknown", "InternalError")

    asyncio.run(story())


def test_pods_and_replicasets_of_others_say_nothing_about_an_application() -> None:
    """Whoever may make pods in the namespace may give them our labels."""

    async def story() -> None:
        scene = Scene()
        await served(scene)
        ailing = {"conditions": [], "reason": "Evicted", "containerStatuses": []}
        for name, owner in (
            ("nobodys", []),
            ("of-others", [{"kind": "ReplicaSet", "uid": "theirs", "controller": True}]),
        ):
            scene.kube.put({**pod_body(name, ownerReferences=owner), "spec": {"containers": []}, "status": ailing})
        scene.kube.objects = {
            ("ReplicaSet", "web", "theirs"): replicaset("theirs", "another", available=0)
        } | scene.kube.objects
        scene.kube.objects["Deployment", "web", "shop"]["status"] |= {"replicas": 2}
        scene.cache.look_again(SHOP)
        await scene.refresh()
        assert scene.conditions["Ready"] == ("False", "RollingOut"), "no cause is seen in a pod of its own"

    asyncio.run(story())


def test_a_pod_is_of_the_application_whose_deployment_controls_its_replicaset_whatever_that_is_called() -> None:
    async def story() -> None:
        scene = Scene()
        await served(scene)
        named = {"kind": "ReplicaSet", "name": "shop-a", "controller": True}
        for name, uid in (("own", "shop-a"), ("strange", "made-by-hand"), ("dangling", "nowhere")):
            scene.cache.pod(pod_body(name, ownerReferences=[{**named, "uid": uid}]))
        by_hand = scene.kube.put(replicaset("made-by-hand", "another", available=1))
        assert set(scene.cache.pods_of(SHOP)) == {"own", "strange", "dangling"}, "as far as names tell"
        await scene.refresh()
        assert set(scene.cache.pods_of(SHOP)) == {"own"}
        # A Deployment adopts the ReplicaSets that its selector finds.
        by_hand["metadata"]["ownerReferences"][0]["uid"] = scene.kube.objects["Deployment", "web", "shop"]["metadata"][
            "uid"
        ]
        scene.kube.put(by_hand)
        scene.cache.look_again(SHOP)
        await scene.refresh()
        assert set(scene.cache.pods_of(SHOP)) == {"own", "strange"}

    asyncio.run(story())


def test_a_deployment_of_somebody_else_brings_no_pods() -> None:
    async def story() -> None:
        scene = Scene()
        scene.kube.put({"kind": "Deployment", "metadata": {"name": "shop", "namespace": "web"}, "spec": {}})
        await scene.reconcile()
        scene.cache.pod(pod_body("theirs"))
        await scene.refresh()
        assert scene.conditions["Ready"] == ("False", "NameTaken")
        assert scene.cache.pods_of(SHOP) == {}

    asyncio.run(story())


def test_a_new_manifest_does_not_wait_behind_statuses() -> None:
    """Every worker of the statuses' lane hangs at a slow API server."""

    async def story() -> None:
        names = [f"app-{number}" for number in range(8)]
        scene = Scene(*names, "shop")
        hangs = asyncio.Event()

        async def slow(body: dict[str, Any], **more: Any) -> dict[str, Any]:
            if more.get("subresource") == "status":
                await hangs.wait()
            return body

        scene.kube.apply = slow  # type: ignore[method-assign]
        working = asyncio.create_task(scene.reconciler.run())
        try:
            await until(lambda: len(scene.reconciler.done) == len(names) + 1)
            scene.app["metadata"]["generation"] = 2
            scene.cache.specs.mark(SHOP)
            await until(lambda: scene.reconciler.done[SHOP].generation == 2)
        finally:
            working.cancel()

    asyncio.run(story())


def test_what_is_gone_is_forgotten() -> None:
    async def story() -> None:
        scene = Scene()
        await served(scene)
        del scene.kube.objects["UwsgiApp", "web", "shop"]
        assert await scene.reconcile() == "ok"
        assert (scene.reconciler.done, scene.reconciler.statuses.known) == ({}, {})
        await scene.refresh()
        assert Key("web", "shop") not in scene.reconciler.done

    asyncio.run(story())


def test_a_field_of_a_newer_definition_is_no_reason_to_leave_an_application_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """After a rollback the definition stays as it was, and fills its defaults in."""

    async def story() -> None:
        scene = Scene("shop", "blog")
        for name in ("shop", "blog"):
            scene.kube.objects["UwsgiApp", "web", name]["spec"]["future"] = {"mode": "Bright"}
        assert await scene.reconcile() == "ok"
        assert await scene.reconciler.reconcile(Key("web", "blog")) == "ok"
        assert ("Deployment", "web", "shop") in scene.kube.objects

    asyncio.run(story())
    assert [each.message for each in caplog.records if "no effect" in each.message] == [
        "spec.future has no effect: a newer version than this operator knows it app=web/shop"
    ]
