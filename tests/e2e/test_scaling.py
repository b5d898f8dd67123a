"""The number of pods belongs to whoever sets it: the manifest, a person, an autoscaler. Applications do not meet."""

from collections.abc import Iterator

import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.place import Place, until


def replicas(namespace: Place) -> int:
    return int(namespace.json("deployment", "shop")["spec"]["replicas"])


def test_kubectl_scale_and_a_free_deployment_are_respected(namespace: Place) -> None:
    namespace.make(replicas=1)
    namespace.kubectl("scale", "uwsgiapp/shop", "--replicas=2")
    until("two pods", lambda: replicas(namespace) == 2)
    namespace.kubectl(
        "patch", "uwsgiapp", "shop", "--type=json", '--patch=[{"op": "remove", "path": "/spec/replicas"}]'
    )
    namespace.kubectl("scale", "deployment/shop", "--replicas=3")
    namespace.change({"env": [{"name": "A", "value": "1"}]})
    namespace.ready()
    assert replicas(namespace) == 3


def test_an_autoscaler_acts_on_the_application(namespace: Place) -> None:
    """It needs no metrics, which this cluster has not, as long as there are fewer pods than minReplicas."""
    namespace.make(replicas=1)
    target = {"apiVersion": "uwsgi-autopilot.dev/v1alpha1", "kind": "UwsgiApp", "name": "shop"}
    cpu = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}
    spec = {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 4, "metrics": [cpu]}
    namespace.apply(
        {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "shop"}, "spec": spec}
    )
    until("it asks for two pods", lambda: namespace.app()["spec"]["replicas"] == 2)
    until("the application has them", lambda: replicas(namespace) == 2)
    namespace.ready()
    # It counts the pods by the selector in the status.
    found = until("it counts", lambda: namespace.json("hpa", "shop")["status"].get("currentReplicas") == 2)
    assert found


@pytest.fixture
def elsewhere(cluster: Cluster, namespace: Place) -> Iterator[Place]:
    """A second namespace."""
    place = Place.fresh(cluster, f"{namespace.name}-2")
    yield place
    place.remove()


def test_applications_do_not_meet(namespace: Place, elsewhere: Place) -> None:
    """Two in one namespace, and one of the same name in another: each has its own shape, and one that goes takes only
    its own objects along."""
    namespace.make("shop", wait=False, replicas=1, tuning={"pin": {"processes": 1, "threads": 3}})
    namespace.make("till", wait=False, replicas=1, tuning={"pin": {"processes": 2, "threads": 2}})
    elsewhere.make("shop", wait=False, replicas=1, tuning={"pin": {"processes": 1, "threads": 5}})
    for place, name in ((namespace, "shop"), (namespace, "till"), (elsewhere, "shop")):
        place.ready(name)
    assert namespace.shapes("shop") == ["1x3"]
    assert namespace.shapes("till") == ["2x2"]
    assert elsewhere.shapes("shop") == ["1x5"]

    kinds = "deployments,services,configmaps,serviceaccounts,poddisruptionbudgets"
    mine = "--selector=uwsgi-autopilot.dev/app"
    before = {each["metadata"]["uid"] for each in namespace.items(kinds, f"{mine}=shop")}
    namespace.kubectl("delete", "uwsgiapp", "till")
    until("what was its own is gone", lambda: not namespace.items(kinds, f"{mine}=till"))
    assert {each["metadata"]["uid"] for each in namespace.items(kinds, f"{mine}=shop")} == before
    assert elsewhere.shapes("shop") == ["1x5"]
