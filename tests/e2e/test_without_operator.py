"""The operator is away, is killed, is uninstalled: the applications do not notice."""

import functools
import json
import statistics
import time
import urllib.request
from typing import Any

import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.place import Place, until
from tests.e2e.release import Release
from tests.e2e.traffic import Traffic, breathe

pytestmark = pytest.mark.alone

POOR = {"start": {"processes": 1, "threads": 2}}


@pytest.fixture
def away(release: Release):
    """Whatever happens in the test, the operator is there again after it."""
    yield release
    release.install()


def wanted_by(pod: dict) -> dict:
    return json.loads(pod["metadata"].get("annotations", {}).get("uwsgi-autopilot.dev/wanted", "{}"))


def test_nothing_happens_to_an_application_while_the_operator_is_gone(
    front: Place, away: Release, figures: list[str]
) -> None:
    front.make(tuning=POOR)
    with Traffic("/io?ms=100", kept=32, fresh=16) as load:
        until("a shape was found", lambda: any(each["kind"] == "promote" for each in front.decisions()))
        until("every pod serves it", lambda: len(set(front.shapes())) == 1 and "1x2" not in front.shapes())
        found = front.shapes()
        away.scale(0)
        front.kubectl("delete", "pod", front.pods()[0]["metadata"]["name"])
        until("its replacement serves", lambda: len(front.items("pods")) == 2 and front.shapes() == found)
        assert wanted_by(front.pods()[0]) == {} or wanted_by(front.pods()[1]) == {}, "born without a wish"
        away.scale(1)
        breathe(15)
    figures.append(f"{found[0]} before, while and after the operator was away; {load.count}")
    load.nothing_lost()
    assert front.shapes() == found
    assert front.restarts() == 0


def test_an_annotation_alone_moves_a_pod(front: Place, cluster: Cluster, away: Release, figures: list[str]) -> None:
    """What the operator writes can be written by hand. How long the kubelet and the agent take is told at the end."""
    front.make(replicas=1, tuning={"pin": {"processes": 1, "threads": 2}})
    until("the pin is served", lambda: front.shapes() == ["1x2"])
    away.scale(0)
    (pod,) = (each["metadata"]["name"] for each in front.pods())
    accepted, serving = [], []
    with cluster.proxy() as server:

        def state() -> dict[str, Any]:
            url = f"{server}/api/v1/namespaces/{front.name}/pods/{pod}:9117/proxy/v1/state?since=999999999"
            with urllib.request.urlopen(url, timeout=10) as answer:
                return dict(json.load(answer))

        def has_accepted(seq: int) -> bool:
            return (state()["accepted"] or {}).get("seq") == seq

        def serves(shape: dict[str, int]) -> bool:
            now = state()
            return now["shape"] == shape and now["change"] is None

        for seq in range(101, 109):
            shape = {"processes": 1, "threads": 2 + seq % 2}
            text = json.dumps({"seq": seq, **shape, "uid": "*", "trialSeconds": None})
            front.kubectl("annotate", "--overwrite", "pod", pod, f"uwsgi-autopilot.dev/wanted={text}")
            began = time.monotonic()
            until("the agent has it", functools.partial(has_accepted, seq), every=0.02)
            accepted.append(time.monotonic() - began)
            until("it is served", functools.partial(serves, shape), every=0.02)
            serving.append(time.monotonic() - began)
    figures.append(f"annotation to the agent: {spread(accepted)}; to the new generation serving: {spread(serving)}")


def spread(seconds: list[float]) -> str:
    return f"median {statistics.median(seconds):.2f} s, worst {max(seconds):.2f} s of {len(seconds)}"


@pytest.mark.timeout(300)
def test_an_operator_killed_in_a_trial_leaves_no_trial_behind(front: Place, away: Release, figures: list[str]) -> None:
    front.make(replicas=1, tuning=POOR)

    def trying() -> bool:
        return any(wanted_by(pod).get("trialSeconds") for pod in front.pods())

    with Traffic("/io?ms=100", kept=8, fresh=4) as load:
        until("a trial begins", trying, every=0.1)
        away.scale(0)
        assert trying()
        until("the shape is tried", lambda: front.shapes() != ["1x2"])
        until("the pod has returned by itself", lambda: front.shapes() == ["1x2"], 150)
    figures.append(str(load.count))
    load.nothing_lost()
    assert front.restarts() == 0


@pytest.mark.timeout(300)
def test_uninstalling_keeps_applications_and_installing_takes_them_over(
    front: Place, away: Release, figures: list[str]
) -> None:
    front.make(tuning={"pin": {"processes": 1, "threads": 3}})

    def uids() -> set[str]:
        kinds = "uwsgiapps,deployments,replicasets,pods,services,configmaps,poddisruptionbudgets"
        return {each["metadata"]["uid"] for each in front.items(kinds)}

    until("the pin is served", lambda: front.shapes() == ["1x3", "1x3"])
    breathe(5)
    before = uids()
    with Traffic("/io?ms=50") as load:
        away.uninstall()
        breathe(5)
        assert uids() == before
        away.install()
        front.ready()
        breathe(10)
    figures.append(str(load.count))
    load.nothing_lost()
    assert uids() == before
    assert front.restarts() == 0
