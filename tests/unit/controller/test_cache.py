"""What the watches show: a few fields, whose pods they are, and which work follows from it."""

import pytest

from tests.unit.controller.making import PROMOTED, SHOP, app_body, config_map, pod_body, promoted_map
from uwsgi_autopilot.api.desired import DesiredShape, Version
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.controller.cache import Cache
from uwsgi_autopilot.controller.seen import pod_info
from uwsgi_autopilot.resources.labels import DESIRED


def work(cache: Cache) -> tuple[bool, bool]:
    """Are its objects, and is its status to be looked at? Forgets both."""
    found = SHOP in cache.specs._at, SHOP in cache.statuses._at
    cache.specs._at.pop(SHOP, None)
    cache.statuses._at.pop(SHOP, None)
    return found


def deployment(replicas: int = 1, ready: int = 0) -> dict:
    spec = {"replicas": replicas, "template": {}}
    return config_map("shop", {}) | {"kind": "Deployment", "spec": spec, "status": {"readyReplicas": ready}}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param(None, app_body(), (True, False), id="a new application"),
        pytest.param(app_body(), app_body(generation=2), (True, False), id="a manifest that was edited"),
        pytest.param(app_body(), {**app_body(), "status": {"replicas": 1}}, (False, False), id="our own status"),
        pytest.param(None, pod_body("shop-0"), (False, True), id="a new pod"),
        pytest.param(pod_body("shop-0"), pod_body("shop-0"), (False, False), id="a pod that is as it was"),
        pytest.param(pod_body("shop-0", running=False), pod_body("shop-0"), (False, True), id="a pod that runs now"),
        pytest.param(deployment(), deployment(ready=1), (False, True), id="how a rollout goes"),
        pytest.param(deployment(), deployment(replicas=3), (False, True), id="somebody scaled"),
        pytest.param(config_map("x", {}), config_map("x", {"a": "b"}), (True, False), id="a child that was edited"),
    ],
)
def test_what_is_to_be_done_about_it(before: dict | None, after: dict, expected: tuple[bool, bool]) -> None:
    cache = Cache()
    take = {"UwsgiApp": cache.app, "Pod": cache.pod}.get(after["kind"], cache.child)
    if before is not None:
        take(before)
        work(cache)
    take(after)
    assert work(cache) == expected


def test_whatever_a_manifest_holds_its_application_is_worked_on() -> None:
    """The reconcile says in the status what is wrong with it. An object can be older than the CRD."""
    cache = Cache()
    body = app_body()
    body["spec"]["nginx"] = {"static": [{"path": 7, "dir": "static"}]}
    cache.app(body)
    assert work(cache) == (True, False)
    assert cache.apps[SHOP].spec is None


@pytest.mark.parametrize(
    "owners",
    [
        pytest.param([], id="nobody's"),
        pytest.param([{"kind": "ReplicaSet", "name": "other-a", "controller": True}], id="another application's"),
        pytest.param([{"kind": "Job", "name": "shop-a", "controller": True}], id="a Job's"),
        pytest.param([{"kind": "ReplicaSet", "name": "shop-a"}], id="only owned, not controlled"),
    ],
)
def test_a_pod_with_our_labels_that_we_did_not_make_is_not_one_of_ours(owners: list[dict]) -> None:
    """It would be polled, judged by, and given shapes."""
    cache = Cache()
    cache.pod(pod_body("stranger", ownerReferences=owners))
    assert cache.pods == {}
    assert work(cache) == (False, False)


def test_the_annotation_of_a_pod_is_read() -> None:
    desired = DesiredShape(version=Version(2, 3), shape=Shape(4, 8), uid="shop-0", trial_seconds=90.0)
    assert pod_info(pod_body("shop-0", annotations={DESIRED: desired.to_text()})).desired == desired
    assert pod_info(pod_body("shop-0", annotations={DESIRED: "{"})).desired is None
    assert pod_info(pod_body("shop-0")).desired is None


def test_what_is_promoted_is_known_with_its_owner_until_it_is_gone() -> None:
    cache = Cache()
    cache.child(promoted_map(PROMOTED))
    assert cache.promoted == {SHOP: ("app-shop", PROMOTED)}
    cache.child(promoted_map(PROMOTED), gone=True)
    assert cache.promoted == {}


def test_a_lost_end_is_found_by_a_list() -> None:
    cache = Cache()
    news = []
    cache.on_news = news.append
    cache.app(app_body())
    cache.pod(pod_body("shop-0"))
    cache.child(promoted_map(PROMOTED))
    news.clear()
    for kind, uid in (("Pod", "shop-0"), ("UwsgiApp", "app-shop"), ("ConfigMap", "uid-shop-promoted")):
        cache.forget(kind, {uid})
    assert (cache.apps, cache.pods, cache.promoted) == ({}, {}, {})
    assert news == [SHOP] * 3
