"""What is written, and what is left alone, when an application's objects are brought to what is desired."""

import asyncio
import copy
from types import SimpleNamespace

import pytest

from tests.unit.controller.fakes import FakeKube
from uwsgi_autopilot.controller.cache import Cache
from uwsgi_autopilot.controller.children import Children, NameTaken, holds
from uwsgi_autopilot.controller.kube import ApiError, Conflict
from uwsgi_autopilot.controller.relist import Relist
from uwsgi_autopilot.resources import labels

APP = SimpleNamespace(name="shop", namespace="web", uid="u1", replicas=None)


def desired(config: str = "one", image: str = "shop:1") -> list[dict]:
    def made(kind: str, name: str, **fields: object) -> dict:
        return {"apiVersion": "v1", "kind": kind, "metadata": labels.metadata("shop", "web", "u1", name), **fields}

    return [
        made("ConfigMap", f"shop-config-{config}", data={"a": config}),
        made("Service", "shop", spec={"ports": [{"port": 80}]}),
        made("Deployment", "shop", spec={"template": {"spec": {"containers": [{"name": "app", "image": image}]}}}),
    ]


class Scene:
    """The watch shows every write at once."""

    def __init__(self) -> None:
        self.kube = FakeKube()
        self.cache = Cache()
        self.children = Children(self.kube, self.cache)

    def ensure(self, bodies: list[dict], app: SimpleNamespace = APP) -> list[tuple[str, str, str]]:
        before = len(self.kube.log)
        asyncio.run(self.children.ensure(app, bodies))
        self.watch()
        return self.kube.log[before:]

    def watch(self) -> None:
        self.cache.children.clear()
        for body in self.kube.objects.values():
            self.cache.child(copy.deepcopy(body))


def test_the_first_time_everything_is_made_and_the_deployment_last() -> None:
    scene = Scene()
    done = scene.ensure(desired())
    assert [(verb, kind) for verb, kind, _ in done] == [
        ("create", "ConfigMap"),
        ("create", "Service"),
        ("create", "Deployment"),
    ]
    assert scene.kube.objects["Deployment", "web", "shop"]["spec"]["replicas"] == 1


def test_the_second_time_nothing_is_written() -> None:
    scene = Scene()
    scene.ensure(desired())
    assert scene.ensure(desired()) == []


def test_only_what_differs_is_applied_and_never_the_replicas() -> None:
    scene = Scene()
    scene.ensure(desired())
    scene.kube.objects["Deployment", "web", "shop"]["spec"]["replicas"] = 5
    scene.watch()
    assert ("apply", "Deployment", "shop") in scene.ensure(desired(image="shop:2"))
    assert "Service" not in scene.kube.writes("apply")


def test_the_annotation_that_every_new_deployment_gets_is_no_reason_to_apply_it_again() -> None:
    scene = Scene()
    scene.ensure(desired())
    made = scene.kube.objects["Deployment", "web", "shop"]["metadata"]
    made["annotations"] = {**made["annotations"], "deployment.kubernetes.io/revision": "1"}
    scene.watch()
    assert scene.ensure(desired()) == []


class Busy(FakeKube):
    """A controller writes each object as soon as it appears, and again `times` more; fields have managers as far as
    these tests need them: a POST's are an "Update" of ours, and an apply removes what belongs to an "Apply" alone."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times
        self.left: dict[str, int] = {}

    async def create(self, body: dict) -> dict:
        made = await super().create(body)
        entry = {"manager": labels.FIELD_MANAGER, "operation": "Update", "fieldsV1": fields_of(body["spec"])}
        self.live(body)["metadata"]["managedFields"] = [entry] if body["kind"] == "Deployment" else []
        self.left[body["kind"]] = self.times
        return {**made, "metadata": copy.deepcopy(self.live(body)["metadata"])}

    async def merge(self, kind: str, namespace: str, name: str, body: dict, *, subresource: str = "") -> dict:
        if self.left.get(kind):
            self.left[kind] -= 1
            self.put(self.objects[kind, namespace, name])
        return await super().merge(kind, namespace, name, body, subresource=subresource)

    async def apply(self, body: dict, *, subresource: str = "", dry_run: bool = False) -> dict:
        live = self.live(body)
        updated = [each for each in live["metadata"]["managedFields"] if each["operation"] == "Update"]
        posted = {name for each in updated for name in each["fieldsV1"]["f:spec"]}
        stays = {name: value for name, value in live["spec"].items() if f"f:{name}" in posted}
        return await super().apply({**body, "spec": {**stays, **body["spec"]}})

    def live(self, body: dict) -> dict:
        return self.objects[body["kind"], body["metadata"]["namespace"], body["metadata"]["name"]]


def fields_of(spec: dict) -> dict:
    return {"f:spec": {f"f:{name}": {} for name in spec}}


@pytest.mark.parametrize("times", [0, 1, 3])
def test_a_field_that_only_the_first_manifest_had_goes_however_busy_the_object_is(times) -> None:
    scene = Scene()
    scene.kube = scene.children.kube = Busy(times)
    first, then = desired()[2:], desired()[2:]
    first[0]["spec"]["paused"] = True
    scene.ensure(first)
    scene.ensure(then)
    assert "paused" not in scene.kube.objects["Deployment", "web", "shop"]["spec"]


def test_a_field_of_the_first_manifest_goes_although_its_operator_ended_just_after_the_post() -> None:
    scene = Scene()
    scene.kube = scene.children.kube = Busy(0)
    first = desired()[2:]
    first[0]["spec"]["paused"] = True
    asyncio.run(scene.kube.create(first[0]))
    scene.watch()
    scene.ensure(desired()[2:])
    assert "paused" not in scene.kube.objects["Deployment", "web", "shop"]["spec"]


def test_an_object_that_is_never_left_alone_is_tried_again_later() -> None:
    scene = Scene()
    scene.kube = scene.children.kube = Busy(99)
    with pytest.raises(Conflict):
        scene.ensure(desired()[2:])
    scene.kube.times = scene.kube.left["Deployment"] = 0
    scene.watch()
    scene.ensure(desired()[2:])
    entries = scene.kube.objects["Deployment", "web", "shop"]["metadata"]["managedFields"]
    assert {each["operation"]: set(each["fieldsV1"]["f:spec"]) for each in entries} == {
        "Apply": {"f:template"},
        "Update": {"f:replicas"},
    }


def test_what_somebody_changed_is_applied_again() -> None:
    scene = Scene()
    scene.ensure(desired())
    scene.kube.objects["Service", "web", "shop"]["spec"] = {"ports": [{"port": 81}]}
    scene.watch()
    assert scene.ensure(desired()) == [("apply", "Service", "shop")]
    assert scene.kube.objects["Service", "web", "shop"]["spec"] == {"ports": [{"port": 80}]}


def test_another_operator_finds_what_was_applied_and_writes_nothing() -> None:
    scene = Scene()
    scene.ensure(desired())
    scene.children = Children(scene.kube, scene.cache)
    assert scene.ensure(desired()) == []
    scene.kube.reads.clear()
    assert scene.ensure(desired()) == []
    assert scene.kube.reads == [], "nor does it read them again"


def test_another_operator_writes_nothing_either_before_it_has_seen_them() -> None:
    scene = Scene()
    scene.ensure(desired())
    scene.cache.children.clear()
    scene.children = Children(scene.kube, scene.cache)
    assert scene.ensure(desired()) == []


@pytest.mark.parametrize(
    ("spec", "image", "applied"),
    [
        pytest.param({"ports": [{"port": 81}]}, "shop:1", "Service", id="somebody has changed it"),
        pytest.param({}, "shop:1", "Service", id="somebody has removed a part of it"),
        pytest.param({"ports": [{"port": 80, "name": "x"}], "more": 1}, "shop:2", "Deployment", id="a new manifest"),
    ],
)
def test_another_operator_applies_what_is_different(spec: dict, image: str, applied: str) -> None:
    scene = Scene()
    scene.ensure(desired())
    scene.kube.objects["Service", "web", "shop"]["spec"] = spec
    scene.watch()
    scene.children = Children(scene.kube, scene.cache)
    assert scene.ensure(desired(image=image)) == [("apply", applied, "shop")]


@pytest.mark.parametrize(
    ("live", "asked", "expected"),
    [
        pytest.param({"a": 1, "more": 2}, {"a": 1}, True, id="somebody has added something"),
        pytest.param({}, {"envFrom": [], "annotations": {}, "x": None}, True, id="what is empty is not kept"),
        pytest.param({}, {"replicas": 0}, False, id="a zero is a value"),
        pytest.param({"automount": True}, {"automount": 1}, False, id="another type"),
        pytest.param({"ports": [{"port": 80, "protocol": "TCP"}]}, {"ports": [{"port": 80}]}, True, id="a default"),
        pytest.param({"ports": [{"port": 80}, {"port": 81}]}, {"ports": [{"port": 80}]}, False, id="one more"),
        pytest.param({"spec": None}, {"spec": {"a": 1}}, False, id="nothing where much should be"),
        pytest.param({"cpu": "500m"}, {"cpu": "0.5"}, False, id="the same in other words, which is applied once more"),
    ],
)
def test_what_counts_as_unchanged(live: dict, asked: dict, expected: bool) -> None:
    assert holds(live, asked) is expected


def test_what_is_no_longer_asked_for_is_taken_away_by_another_operator() -> None:
    scene = Scene()
    more = desired()
    more[1]["spec"]["type"] = "NodePort"
    scene.ensure(more)
    scene.children = Children(scene.kube, scene.cache)
    assert scene.ensure(desired()) == [("apply", "Service", "shop")]


def test_what_somebody_deleted_is_made_again() -> None:
    scene = Scene()
    scene.ensure(desired())
    del scene.kube.objects["Service", "web", "shop"]
    scene.watch()
    assert scene.ensure(desired()) == [("create", "Service", "shop")]


def test_a_foreign_object_of_that_name_is_left_alone() -> None:
    scene = Scene()
    foreign = {"kind": "Service", "metadata": {"name": "shop", "namespace": "web"}, "spec": {"theirs": True}}
    scene.kube.put(foreign)
    with pytest.raises(NameTaken, match="Service shop already exists"):
        scene.ensure(desired())
    assert scene.kube.objects["Service", "web", "shop"]["spec"] == {"theirs": True}


def test_an_old_configuration_goes_when_no_replicaset_names_it() -> None:
    scene = Scene()
    scene.ensure(desired("one"))
    volumes = [{"name": "config", "configMap": {"name": "shop-config-one"}}]
    old = {"kind": "ReplicaSet", "metadata": {"name": "shop-1", "namespace": "web"}}
    scene.kube.put({**old, "spec": {"template": {"spec": {"volumes": volumes}}}})
    assert not any(verb == "delete" for verb, _, _ in scene.ensure(desired("two")))
    del scene.kube.objects["ReplicaSet", "web", "shop-1"]
    assert ("delete", "ConfigMap", "shop-config-one") in scene.ensure(desired("two"))


@pytest.mark.parametrize("instead", [None, {"theirs": True}], ids=["nothing", "somebody else's"])
def test_what_went_in_a_gap_of_the_watch_is_found_out_by_the_next_write(instead) -> None:
    """The cache still has the Service: its write meets nothing, or another one of that name."""
    scene = Scene()
    scene.ensure(desired())
    del scene.kube.objects["Service", "web", "shop"]
    if instead:
        scene.kube.put({"kind": "Service", "metadata": {"name": "shop", "namespace": "web"}, "spec": instead})
    changed = desired()
    changed[1]["spec"] = {"ports": [{"port": 81}]}
    with pytest.raises(ApiError):
        asyncio.run(scene.children.ensure(APP, changed))
    if instead:
        with pytest.raises(NameTaken):
            asyncio.run(scene.children.ensure(APP, changed))
    else:
        asyncio.run(scene.children.ensure(APP, changed))
    assert scene.kube.objects["Service", "web", "shop"]["spec"] == (instead or changed[1]["spec"])


def test_what_went_in_a_gap_of_the_watch_is_made_again_after_the_next_list() -> None:
    scene = Scene()
    scene.ensure(desired())
    for kind, name in (("Service", "shop"), ("ConfigMap", "shop-config-one"), ("Deployment", "shop")):
        del scene.kube.objects[kind, "web", name]
    asyncio.run(Relist(scene.kube, scene.cache).compare())
    done = [(verb, kind) for verb, kind, _ in scene.ensure(desired())]
    assert done == [("create", "ConfigMap"), ("create", "Service"), ("create", "Deployment")]


@pytest.mark.parametrize(
    ("labels_of", "deaf"),
    [
        pytest.param(labels.object_labels("shop"), True, id="a child that the watch has never shown"),
        pytest.param({labels.MANAGED_BY: labels.MANAGER}, False, id="anybody's, with one label of ours"),
    ],
)
def test_a_watch_is_deaf_when_it_misses_what_three_lists_have(labels_of: dict, deaf: bool) -> None:
    kube = FakeKube()
    kube.put({"kind": "ConfigMap", "metadata": {"name": "x", "namespace": "web", "labels": labels_of}, "data": {}})
    relist = Relist(kube, Cache())

    async def story() -> None:
        for _ in range(3):
            await relist.compare()

    asyncio.run(story())
    assert relist.deaf() is deaf


@pytest.mark.parametrize("name", ["shop-promoted", "shop-tuning"])
def test_what_outlives_the_operator_is_never_pruned(name: str) -> None:
    scene = Scene()
    scene.kube.put({"kind": "ConfigMap", "metadata": labels.metadata("shop", "web", "u1", name)})
    scene.watch()
    scene.ensure(desired())
    assert ("ConfigMap", "web", name) in scene.kube.objects


def test_replicas_are_written_only_when_the_manifest_has_them_and_they_differ() -> None:
    scene = Scene()
    scene.ensure(desired())
    three = SimpleNamespace(**{**vars(APP), "replicas": 3})
    assert ("merge", "Deployment", "shop") in scene.ensure(desired(), three)
    assert scene.ensure(desired(), three) == []
