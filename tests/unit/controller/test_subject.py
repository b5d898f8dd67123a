"""When the load of the pods is not to be compared with a minute ago: a rollout, seen among all pods."""

from dataclasses import replace

import pytest
from uwsgi_autopilot.controller.podview import PodView
from uwsgi_autopilot.controller.subject import STUCK_S, Crowd

from uwsgi_autopilot.controller.mirror import PodSeen

NOW = 1_800_000_000.0
OLD = PodSeen(
    uid="old", name="old", ip="10.0.0.1", ready=True, running=True, leaving=False, revision="a", wanted=None,
    restarts=0, ready_at=NOW - 9999.0, created_at=NOW - 9999.0,
)  # fmt: skip
NEW = replace(OLD, uid="new", revision="b", ready=False, running=False, ready_at=None, created_at=NOW - 1.0)
ROLLOUT = "a rollout is on its way"


def disturbed(*pods: PodSeen) -> str | None:
    views = {each.uid: PodView(uid=each.uid, name=each.name, ip=each.ip, seen=each) for each in pods if each.running}
    crowd = Crowd()
    crowd.see(views, NOW - 9999.0)
    return crowd.disturbed(views, [each for each in pods if not each.running], NOW)


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        pytest.param({}, ROLLOUT, id="a pod of a new version waits for a node"),
        pytest.param({"running": True}, ROLLOUT, id="it runs and is not ready"),
        pytest.param({"created_at": NOW - STUCK_S}, ROLLOUT, id="it was made just 10 minutes ago"),
        pytest.param({"created_at": NOW - STUCK_S - 1}, None, id="a second more: that version is broken"),
        pytest.param({"created_at": NOW - STUCK_S - 1, "running": True}, None, id="broken, though it runs"),
        pytest.param(
            {"created_at": NOW - STUCK_S - 1, "running": True, "ready": True, "ready_at": NOW - 300.0},
            ROLLOUT,
            id="two versions serve, however long",
        ),
        pytest.param({"leaving": True}, None, id="it goes before it ever ran"),
        pytest.param({"revision": "a"}, None, id="one more pod of the same version waits for a node"),
        pytest.param(
            {"revision": "a", "running": True, "created_at": NOW - 9999.0},
            "not every pod is ready",
            id="a pod of the version that serves fails",
        ),
    ],
)
def test_beside_a_pod_that_serves(other, expected):
    assert disturbed(OLD, replace(NEW, **other)) == expected


def test_a_new_version_is_not_stuck_while_nothing_else_serves():
    assert disturbed(replace(OLD, ready=False, ready_at=None), replace(NEW, created_at=NOW - 9999.0)) == ROLLOUT
