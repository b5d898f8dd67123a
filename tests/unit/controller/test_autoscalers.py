"""Which autoscaler may make how many pods of what; and that a list which is refused stops nothing."""

import asyncio
from typing import Any

import pytest

from tests.unit.controller.fakes import FakeKube
from tests.unit.controller.making import SHOP
from uwsgi_autopilot.controller.autoscalers import Autoscalers, targets_of
from uwsgi_autopilot.controller.cache import Cache
from uwsgi_autopilot.controller.kube import ApiError, NotFound, Unreachable
from uwsgi_autopilot.controller.workqueue import Key
from uwsgi_autopilot.fleet.state import Autoscaler

UWSGIAPP = {"apiVersion": "uwsgi-autopilot.dev/v1alpha1", "kind": "UwsgiApp", "name": "shop"}


def scaler(name: str = "shop", most: Any = 10, namespace: str = "web", **target: str) -> dict[str, Any]:
    spec = {"scaleTargetRef": UWSGIAPP | target, "minReplicas": 2, "maxReplicas": most}
    return {"kind": "HorizontalPodAutoscaler", "metadata": {"name": name, "namespace": namespace}, "spec": spec}


@pytest.mark.parametrize(
    ("bodies", "expected"),
    [
        pytest.param([], {}, id="there is none"),
        pytest.param([scaler()], {SHOP: Autoscaler(name="shop", most=10)}, id="of the UwsgiApp"),
        pytest.param(
            [scaler("keda-hpa-shop", 30, apiVersion="apps/v1", kind="Deployment")],
            {SHOP: Autoscaler(name="keda-hpa-shop", most=30)},
            id="KEDA's, of its Deployment",
        ),
        pytest.param(
            [scaler(apiVersion="uwsgi-autopilot.dev/v9")],
            {SHOP: Autoscaler(name="shop", most=10)},
            id="whatever the version of the group",
        ),
        pytest.param([scaler(apiVersion="apps/v1", kind="StatefulSet")], {}, id="of something else of that name"),
        pytest.param([scaler(apiVersion="elsewhere.io/v1")], {}, id="of another group's UwsgiApp"),
        pytest.param(
            [scaler("a", 5), scaler("b", 9), scaler("c", 7)],
            {SHOP: Autoscaler(name="b", most=9)},
            id="of several the one that may make the most",
        ),
        pytest.param(
            [scaler(namespace="other")],
            {Key("other", "shop"): Autoscaler(name="shop", most=10)},
            id="of an application in another namespace",
        ),
        pytest.param([scaler(most=None), {"metadata": {"name": "x", "namespace": "y"}}], {}, id="unreadable ones"),
    ],
)
def test_targets(bodies, expected):
    assert targets_of(bodies) == expected


class Refusing(FakeKube):
    """refused: namespaces, None: the cluster, of which no list is answered."""

    def __init__(self, error: Exception, *refused: str | None) -> None:
        super().__init__()
        self.error, self.refused = error, refused

    async def list(self, kind: str, namespace: str | None, labels: str = ""):
        if namespace in self.refused:
            raise self.error
        async for body in super().list(kind, namespace, labels):
            yield body


FORBIDDEN = ApiError(403, "Forbidden", "horizontalpodautoscalers.autoscaling is forbidden")


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(FORBIDDEN, id="no right"),
        pytest.param(NotFound(404, "", "the server could not find the requested resource"), id="no such API"),
        pytest.param(Unreachable("GET: ClientConnectorError"), id="no API server"),
    ],
)
def test_a_list_that_is_refused_stops_nothing_and_is_told_once(error, caplog):
    cache = Cache()
    found = Autoscalers(Refusing(error, None), cache)
    for _ in range(3):
        asyncio.run(found.look())
    assert cache.autoscalers == {}
    assert len(caplog.records) == 1
    assert "maxConnections is divided by the pods that are there" in caplog.text


def test_what_was_known_stays_while_the_api_server_is_away():
    kube, cache = Refusing(Unreachable("away")), Cache()
    kube.put(scaler())
    found = Autoscalers(kube, cache)
    asyncio.run(found.look())
    kube.refused = (None,)
    asyncio.run(found.look())
    assert cache.autoscalers == {SHOP: Autoscaler(name="shop", most=10)}


def test_one_namespace_without_the_right_does_not_hide_another():
    kube, cache = Refusing(FORBIDDEN, "closed"), Cache()
    kube.put(scaler())
    found = Autoscalers(kube, cache, ("closed", "web"))
    asyncio.run(found.look())
    assert cache.autoscalers == {SHOP: Autoscaler(name="shop", most=10)}


def test_one_that_is_gone_counts_no_longer():
    kube, cache = FakeKube(), Cache()
    kube.put(scaler())
    found = Autoscalers(kube, cache)
    asyncio.run(found.look())
    kube.objects.clear()
    asyncio.run(found.look())
    assert cache.autoscalers == {}
