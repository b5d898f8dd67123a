"""The shape under load: found, recommended, pinned, left alone, held back by memory."""

import pytest

from tests.e2e.figures import Figures
from tests.e2e.place import Place, metric, until
from tests.e2e.release import Release
from tests.e2e.traffic import Traffic, breathe

pytestmark = pytest.mark.alone

POOR = {"start": {"processes": 1, "threads": 2}}


def test_a_wrong_shape_becomes_a_good_one_and_no_request_fails(
    front: Place, release: Release, figures: Figures
) -> None:
    front.make(tuning=POOR)
    decided = "uwsgi_autopilot_operator_decisions_total"
    with Traffic("/io?ms=100", kept=32, fresh=16) as load:
        breathe(8)
        before = load.rps()
        until("a shape was found", lambda: any(each["kind"] == "promote" for each in front.decisions()))
        until("every pod serves it", lambda: len(set(front.shapes())) == 1 and front.shapes() != ["1x2", "1x2"])
        breathe(6)
        after = load.rps()
        figures.append(usage(front, release, 10.0))
    load.nothing_lost()
    figures.append(f"1x2 -> {front.shape()}, {before:.0f} -> {after:.0f} requests/s; {load.count}")
    assert after > 3 * before
    assert front.restarts() == 0
    reasons = [each["reason"] for each in front.items("events") if each["involvedObject"]["kind"] == "UwsgiApp"]
    assert "FirstJump" in reasons
    assert metric(release.metrics(), decided) >= len(front.decisions())


def usage(front: Place, release: Release, seconds: float) -> str:
    """What the operator and one agent need meanwhile."""
    pod = front.pods()[0]["metadata"]["name"]
    operators = "uwsgi_autopilot_operator_cpu_seconds_total"
    agent, operator = front.agent_usage(pod)[0], metric(release.metrics(), operators)
    breathe(seconds)
    again, memory = front.agent_usage(pod)
    page = release.metrics()
    return (
        f"agent {100 * (again - agent) / seconds:.1f} % of a core, {memory:.0f} MiB PSS; "
        f"operator {100 * (metric(page, operators) - operator) / seconds:.1f} % of a core, "
        f"{metric(page, 'uwsgi_autopilot_operator_memory_bytes') / 2**20:.0f} MiB resident"
    )


def test_recommend_changes_nothing_and_says_what_it_would_do(front: Place, figures: Figures) -> None:
    front.make(tuning={**POOR, "mode": "Recommend"})
    with Traffic("/io?ms=100") as load:
        told = until("a recommendation", lambda: front.app()["status"].get("recommendation"))
    load.nothing_lost()
    figures.append(str(load.count))
    figures.append(f"recommends {told['shape']} ({told.get('gain')}): {told['message']}")
    assert front.shapes() == ["1x2", "1x2"]
    assert told["shape"]["threads"] > 2
    assert front.condition("Tuned")["reason"] == "Recommending"


def test_disabled_leaves_the_shape_alone_and_a_pin_is_taken_live(front: Place, figures: Figures) -> None:
    front.make(tuning={**POOR, "mode": "Disabled"})
    uids = {pod["metadata"]["uid"] for pod in front.pods()}
    with Traffic("/io?ms=100") as load:
        breathe(15)
        assert front.shapes() == ["1x2", "1x2"]
        assert front.decisions() == []
        front.change({"tuning": {"mode": "Auto", "pin": {"processes": 2, "threads": 6}}})
        until("every pod has it", lambda: front.shapes() == ["2x6", "2x6"])
        breathe(6)
    figures.append(str(load.count))
    load.nothing_lost()
    assert front.shapes() == ["2x6", "2x6"]
    assert front.condition("Tuned")["reason"] == "Pinned"
    assert {pod["metadata"]["uid"] for pod in front.pods()} == uids, "without a new pod"


def test_little_memory_is_refused_and_nobody_is_killed(front: Place, figures: Figures) -> None:
    resources = {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "112Mi"}}
    front.make(resources=resources, replicas=1, tuning={"start": {"processes": 2, "threads": 1}, "threads": {"max": 1}})
    with Traffic("/io?ms=100") as load:
        until("it refuses", lambda: any(each["reason"] == "MemoryLimit" for each in front.decisions()))
        breathe(6)
    figures.append(str(load.count))
    load.nothing_lost()
    assert front.restarts() == 0
    assert front.condition("Tuned")["reason"] == "LimitedByMemory"


def test_a_shape_that_hurts_is_seen_by_one_pod_and_taken_back(front: Place, figures: Figures) -> None:
    """The application answers ten times slower with more than two threads, which nobody could know beforehand."""
    code = (
        "import time, uwsgi\n"
        "def app(environ, start):\n"
        "    if environ['PATH_INFO'] != '/healthz':\n"
        "        end = time.thread_time() + 0.002\n"
        "        while time.thread_time() < end: pass\n"
        "        time.sleep(0.1 if int(uwsgi.opt.get('threads', 1)) <= 2 else 1.0)\n"
        "    start('200 OK', [('Content-Type', 'text/plain')])\n"
        "    return [b'ok']\n"
    )
    front.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "code"}, "data": {"trap.py": code}})
    template = {
        "spec": {
            "containers": [{"name": "app", "volumeMounts": [{"name": "code", "mountPath": "/code"}]}],
            "volumes": [{"name": "code", "configMap": {"name": "code"}}],
        }
    }
    front.make(module="trap:app", chdir="/code", template=template, replicas=3,
               tuning={"start": {"processes": 2, "threads": 2}, "processes": {"max": 2}})  # fmt: skip
    most = 0

    def taken_back() -> bool:
        nonlocal most
        most = max(most, sum(shape != "2x2" for shape in front.shapes()))
        return any(each["kind"] in ("back", "undecided") for each in front.decisions())

    with Traffic("/", kept=18, fresh=4) as load:
        until("it is taken back", taken_back, 180, every=0.5)
        until("all pods are as before", lambda: front.shapes() == ["2x2"] * 3)
    load.nothing_lost()
    figures.append(f"{[(each['kind'], each['message']) for each in front.decisions()]}; {load.count}")
    assert most == 1
    assert not any(each["kind"] == "promote" for each in front.decisions())
