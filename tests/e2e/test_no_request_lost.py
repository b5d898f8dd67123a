"""What happens to an application every week, under load: not one request fails.

Each with clients that keep their connection and clients that open one per request, counted on the client's side.
"""

import subprocess
import time

import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.figures import Figures
from tests.e2e.place import Place, until
from tests.e2e.traffic import Traffic, breathe

SHAPE = {"pin": {"processes": 2, "threads": 8}}
WORKER = "uwsgi-autopilot-worker"
NODES = (WORKER, "uwsgi-autopilot-control-plane")


@pytest.mark.alone
def test_a_new_image_rolls_out(front: Place, figures: Figures) -> None:
    for node in NODES:
        tag = ["ctr", "--namespace=k8s.io", "images", "tag", "--force"]
        names = ["docker.io/library/uwsgi-autopilot-app:dev", "docker.io/library/uwsgi-autopilot-app:next"]
        subprocess.run(["docker", "exec", node, *tag, *names], check=True, capture_output=True, timeout=60)
    front.make(tuning=SHAPE)
    with Traffic("/io?ms=50") as load:
        breathe(3)
        front.change({"image": "uwsgi-autopilot-app:next"})
        front.ready()
        until("only new pods are left", lambda: len(front.items("pods")) == 2)
        breathe(3)
    figures.append(str(load.count))
    load.nothing_lost()
    images = {pod["spec"]["containers"][0]["image"] for pod in front.pods()}
    assert images == {"uwsgi-autopilot-app:next"}


@pytest.mark.alone
def test_a_pod_is_deleted(front: Place, figures: Figures) -> None:
    front.make(tuning=SHAPE)
    with Traffic("/io?ms=50") as load:
        breathe(3)
        front.kubectl("delete", "pod", front.pods()[0]["metadata"]["name"])
        front.ready()
        breathe(3)
    figures.append(str(load.count))
    load.nothing_lost()


@pytest.mark.alone
def test_a_node_is_emptied(front: Place, cluster: Cluster, figures: Figures) -> None:
    front.make(tuning=SHAPE)
    with Traffic("/io?ms=50") as load:
        breathe(3)
        try:
            cluster.kubectl("drain", WORKER, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=120s",
                            "--pod-selector=uwsgi-autopilot.dev/app=shop")  # fmt: skip
            front.ready()
            breathe(3)
        finally:
            cluster.kubectl("uncordon", WORKER)
    figures.append(str(load.count))
    load.nothing_lost()
    assert {pod["spec"]["nodeName"] for pod in front.pods()} == {NODES[1]}


@pytest.mark.alone
def test_it_is_scaled_up_and_down(front: Place, figures: Figures) -> None:
    front.make(tuning=SHAPE)
    with Traffic("/io?ms=50") as load:
        for replicas in (3, 1):
            front.kubectl("scale", "uwsgiapp/shop", f"--replicas={replicas}")
            until(f"{replicas} pods", lambda number=replicas: len(front.items("pods")) == number)
            front.ready()
            breathe(3)
    figures.append(str(load.count))
    load.nothing_lost()


@pytest.mark.alone
def test_the_shape_changes_again_and_again(front: Place, figures: Figures) -> None:
    front.make(tuning=SHAPE)
    with Traffic("/io?ms=50") as load:
        for number in range(6):
            threads = 4 + number % 3
            front.change({"tuning": {"pin": {"processes": 1 + number % 2, "threads": threads}}})
            wanted = [f"{1 + number % 2}x{threads}"] * 2
            until(f"every pod serves {wanted[0]}", lambda shapes=wanted: front.shapes() == shapes)
    figures.append(str(load.count))
    load.nothing_lost()
    assert front.restarts() == 0


def test_ten_times_more_than_it_can_serve_kills_nobody(front: Place, figures: Figures) -> None:
    """2 pods of 1x2 serve 40 requests of 100 ms a second; 400 clients ask for far more, for two minutes."""
    front.make(tuning={"pin": {"processes": 1, "threads": 2}})
    looks, out, end = 0, 0, time.monotonic() + 120
    with Traffic("/io?ms=100", kept=350, fresh=50) as load:
        while time.monotonic() < end:
            slices = front.items("endpointslices", "--selector=kubernetes.io/service-name=shop")
            ready = [each for part in slices for each in part["endpoints"] if each["conditions"]["ready"]]
            looks += 1
            out += len(ready) != 2
            breathe(2)
    figures.append(f"{load.count}; {out} of {looks} looks saw a pod out of the endpoints")
    assert load.count.answered > 0
    assert front.restarts() == 0
    assert out == 0
