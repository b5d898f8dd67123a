"""A new version that cannot serve: the status says why in a sentence, and the old one goes on, new pods included."""

import functools
from typing import Any

import pytest

from tests.e2e.figures import Figures
from tests.e2e.place import Place, until
from tests.e2e.traffic import Traffic

GOOD = {"image": "uwsgi-autopilot-app:dev", "module": "wsgi:app"}
BROKEN = {
    "ImageNotPulled": ({"image": "uwsgi-autopilot-app:nowhere"}, "uwsgi-autopilot-app:nowhere of container app cannot"),
    "ImportFailed": ({"module": "nowhere:app"}, "ModuleNotFoundError: No module named 'nowhere'"),
    "NoUwsgi": ({"image": "uwsgi-autopilot:dev"}, "the image uwsgi-autopilot:dev has no uwsgi"),
}


@pytest.mark.alone
def test_a_broken_version_says_why_and_the_old_one_serves(front: Place, figures: Figures) -> None:
    """One broken version after the other; each time a pod of the old one is lost, and replaced."""
    front.make(tuning={"pin": {"processes": 2, "threads": 8}})
    (old,) = {_replicaset(pod) for pod in front.pods()}
    with Traffic("/io?ms=50") as load:
        for reason, (change, words) in BROKEN.items():
            front.change({**GOOD, **change})
            until(f"Ready says {reason}", functools.partial(_says, front, reason))
            assert words in front.condition("Ready")["message"]
            available = front.condition("Available")
            assert (available["status"], available["reason"]) == ("True", "PreviousVersionServes")
            assert "2 of 2 pods of the previous version are serving" in available["message"]

            before = _serving(front, old)
            front.kubectl("delete", "pod", min(before))
            until("its replacement serves", functools.partial(_replaced, front, old, before))
        front.change(GOOD)
        front.ready()
    figures.append(str(load.count))
    load.nothing_lost()


def _says(front: Place, reason: str) -> bool:
    return front.condition("Ready").get("reason") == reason


def _replaced(front: Place, replicaset: str, before: set[str]) -> bool:
    """And available: until minReadySeconds are over, a rollout that begins takes an old pod for an unhealthy one, and
    ends it first."""
    now = _serving(front, replicaset)
    available = front.json("replicaset", replicaset)["status"].get("availableReplicas", 0)
    return len(now) == 2 and now != before and available == 2


def _replicaset(pod: dict[str, Any]) -> str:
    return str(pod["metadata"]["ownerReferences"][0]["name"])


def _serving(front: Place, replicaset: str) -> set[str]:
    """The names of that ReplicaSet's pods that are ready."""
    return {
        pod["metadata"]["name"]
        for pod in front.pods()
        if _replicaset(pod) == replicaset
        and any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", ()))
    }
