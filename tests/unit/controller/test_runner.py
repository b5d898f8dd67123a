"""One application's runner: what it writes and keeps, what becomes of its trouble, and that it may end at any write."""

import json
import logging
from dataclasses import replace

import pytest

from tests.simulator import workload
from tests.unit.controller.making import PROMOTED, SHOP, answer, app_body, config_map, pod_body, promoted_map, sample
from tests.unit.controller.world import START, Quiet, World
from uwsgi_autopilot.api.desired import UNVERSIONED, DesiredShape, Version, parse_desired
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import ResourceLimits
from uwsgi_autopilot.controller import told
from uwsgi_autopilot.controller.kube import ApiError, Conflict, Unreachable
from uwsgi_autopilot.report.reasons import Reason

IO = workload.IO
PIN = {"processes": 3, "threads": 5}


# --- a whole story


def test_a_better_shape_is_tried_promoted_and_kept() -> None:
    world = World(IO)
    world.until("promote")
    world.run(5)
    assert world.told[:2] == ["try", "promote"]
    assert world.shapes == [str(world.stored.shape)] * 2 != [str(START)] * 2
    kept = json.loads(world.kube.objects["ConfigMap", "web", "shop-tuning"]["data"]["memory.json"])
    assert [each["kind"] for each in kept["history"]] == ["try", "promote"]


def begun(world: World) -> None:
    """The load has let it try, promote and, by a pin, go elsewhere."""
    world.until("promote")
    world.run(3)
    world.tune(2, pin=PIN)
    world.run(10)


def test_how_many_writes_there_are() -> None:
    """So that the next test reaches all of them."""
    world = World(IO)
    begun(world)
    assert world.shapes == ["3x5", "3x5"]
    assert len(world.kube.log) - 1 <= WRITES, "ensure_promoted has made one of them"


WRITES = 18


@pytest.mark.parametrize("writes", range(1, WRITES + 1))
def test_the_operator_ends_after_any_write_and_another_one_comes_to_the_same_shapes(writes: int) -> None:
    world = World(IO)
    world.kube.killed_after = writes
    begun(world)
    assert world.kube.killed_after is None or world.kube.killed_after > 0
    assert world.shapes == ["3x5", "3x5"]
    assert world.stored.shape == Shape(3, 5)
    assert world.state.change is None
    assert world.state.last >= world.stored.version


def test_a_trial_ends_by_itself_when_no_operator_comes_back() -> None:
    world = World(IO)
    world.until("try")
    world.run(4)
    assert len(set(world.shapes)) == 2
    world.away = True
    world.run(100)
    assert world.shapes == [str(START)] * 2


# --- the same without a load


@pytest.mark.parametrize(
    ("tuning", "after"),
    [
        pytest.param({}, Shape(4, 16), id="nothing was changed"),
        pytest.param({"pin": {"processes": 2, "threads": 2}}, Shape(2, 2), id="a pin"),
        pytest.param({"processes": {"max": 1}}, Shape(1, 16), id="less room"),
    ],
)
def test_what_changed_while_the_operator_was_away_reaches_the_pods(tuning: dict, after: Shape) -> None:
    scene = Quiet(promoted_map(PROMOTED), **tuning)
    scene.answers["shop-0"] = answer("shop-0", shape=Shape(4, 16), accepted=PROMOTED.version)
    scene.step(3)
    state, desired = scene.runner.state, scene.desired("shop-0")
    assert state.shape == after
    assert (desired is None) == (after == PROMOTED.shape)
    assert desired is None or (desired.shape == after and desired.version > PROMOTED.version)


def test_what_is_promoted_is_stored_before_any_pod_gets_it() -> None:
    scene = Quiet(promoted_map(PROMOTED), pin=PIN)
    scene.answers["shop-0"] = answer("shop-0", shape=Shape(4, 16), accepted=PROMOTED.version)
    scene.step(2)
    done = [name for _, _, name in scene.kube.log]
    assert done.index("shop-promoted") < done.index("shop-0")


def test_each_time_that_memory_was_the_reason_for_a_fresh_generation_is_told_once() -> None:
    scene = Quiet(promoted_map(PROMOTED), pods=2)

    def reports(pod: str, at: float) -> None:
        scene.answers[pod] = answer(pod, recycled={"message": f"486 of 512 MiB at {at:g}", "at": at})
        scene.step(3)

    reports("shop-0", 5.0)  # before this operator was there
    reports("shop-1", 6.0)
    reports("shop-1", 7.0)
    waiting = scene.runner.events._queue
    events = [waiting.get_nowait()[1] for _ in range(waiting.qsize())]
    assert [(each["type"], each["note"]) for each in events if each["reason"] == "Recycled"] == [
        ("Warning", "pod shop-1: 486 of 512 MiB at 6"),
        ("Warning", "pod shop-1: 486 of 512 MiB at 7"),
    ]


def test_a_pin_is_stored_though_no_pod_runs() -> None:
    """The next one to be born starts with it."""
    scene = Quiet(promoted_map(PROMOTED), pods=0, pin=PIN)
    scene.step()
    stored = parse_desired(scene.kube.objects["ConfigMap", "web", "shop-promoted"]["data"]["desired"])
    assert (stored.shape, stored.version > PROMOTED.version) == (Shape(3, 5), True)


def test_a_promoted_shape_that_somebody_changed_is_written_again() -> None:
    scene = Quiet(promoted_map(PROMOTED))
    scene.answers["shop-0"] = answer("shop-0", shape=Shape(4, 16), accepted=PROMOTED.version)
    scene.step(2)
    scene.kube.put(promoted_map(DesiredShape(version=UNVERSIONED, shape=Shape(1, 1))))
    scene.step(2)
    stored = parse_desired(scene.kube.objects["ConfigMap", "web", "shop-promoted"]["data"]["desired"])
    assert stored == PROMOTED


@pytest.mark.parametrize(("times", "told"), [(1, False), (2, False), (3, True)])
def test_a_write_that_meets_another_is_made_again_before_it_is_told(times: int, told: bool) -> None:
    scene = Quiet(promoted_map(PROMOTED), pin=PIN)
    merge, left = scene.kube.merge, [times]

    async def meets_another(kind: str, *which: str, **more: object) -> dict:
        if kind == "ConfigMap" and left[0]:
            left[0] -= 1
            raise Conflict(409, "Conflict", "the object has been modified")
        return await merge(kind, *which, **more)

    scene.kube.merge = meets_another
    for _ in range(times):
        scene.step()
    assert (scene.runner.status().trouble is not None) is told
    scene.step(2)
    assert scene.runner.status().trouble is None
    assert parse_desired(scene.kube.objects["ConfigMap", "web", "shop-promoted"]["data"]["desired"]).shape == Shape(
        3, 5
    )


def test_a_foreign_promoted_map_stays_as_it_is_and_nothing_is_given_out() -> None:
    scene = Quiet(promoted_map(PROMOTED, uid="theirs"), pin=PIN)
    scene.step(5)
    assert scene.kube.log == []
    status = scene.runner.status()
    assert status.trouble is not None
    assert status.trouble[0] == "ShapeNotWritten"
    assert "shop-promoted already exists and does not belong" in status.trouble[1]


def test_a_foreign_tuning_map_stays_as_it_is_and_is_named_once(caplog: pytest.LogCaptureFixture) -> None:
    scene = Quiet(promoted_map(PROMOTED), config_map("shop-tuning", {"theirs": "1"}, uid="theirs"), pin=PIN)
    with caplog.at_level(logging.WARNING):
        scene.step(5)
    assert scene.kube.objects["ConfigMap", "web", "shop-tuning"]["data"] == {"theirs": "1"}
    assert [each.getMessage() for each in caplog.records if "shop-tuning" in each.getMessage()] != []
    assert len(caplog.records) <= 2
    assert scene.desired("shop-0").shape == Shape(3, 5), "it is tuned all the same"


def test_nothing_is_written_while_nothing_happens() -> None:
    scene = Quiet(promoted_map(PROMOTED))
    scene.answers["shop-0"] = answer("shop-0", shape=Shape(4, 16), accepted=PROMOTED.version)
    scene.step(2)
    scene.kube.log.clear()
    scene.kube.reads.clear()
    scene.step(200)
    assert scene.kube.log == scene.kube.reads == []


def test_it_is_calm_while_nothing_is_pending_and_no_pod_has_a_load_that_a_decision_may_come_of() -> None:
    scene = Quiet(promoted_map(PROMOTED))
    idle = answer("shop-0", shape=Shape(4, 16), accepted=PROMOTED.version)
    scene.answers["shop-0"] = idle
    assert not scene.runner.calm, "nothing is known of it"
    scene.step(3)
    assert scene.runner.calm
    scene.runner._told()
    assert scene.runner.news.is_set()
    scene.runner.news.clear()
    many = [sample(seq=seq, at=float(seq), requests=500.0, queue_mean=9.0) for seq in range(1, 4)]
    scene.answers["shop-0"] = {**idle, "samples": many}
    scene.step()
    assert not scene.runner.calm
    scene.runner._told()
    assert not scene.runner.news.is_set()
    scene.answers["shop-0"] = idle
    scene.cache.app(app_body(generation=2, pin=PIN))
    scene.runner.app = scene.cache.apps[SHOP].spec
    scene.step()
    assert not scene.runner.calm, "a pod is being given the pin"


def test_a_status_is_asked_for_once_a_minute_while_nothing_happens() -> None:
    scene = Quiet(promoted_map(PROMOTED))
    asked = []
    scene.cache.statuses.mark = lambda key, after=0.0: asked.append((key, scene.now))
    scene.answers["shop-0"] = answer("shop-0", shape=Shape(4, 16), accepted=PROMOTED.version)
    scene.step(10)
    asked.clear()
    objects = []
    scene.cache.specs.mark = lambda key, after=0.0: objects.append(key)
    scene.step(180)
    assert len(asked) == 3
    assert objects == [], "its objects are none of the runner's business"


# --- trouble


def test_a_mistake_of_ours_is_said_once_counted_and_over_when_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    scene = Quiet(promoted_map(PROMOTED))
    scene.answers["shop-0"] = answer("shop-0", shape=Shape(4, 16), accepted=PROMOTED.version)
    scene.step(2)
    good = scene.cache.pods
    scene.cache.pods = {SHOP: {"shop-0": None}}  # what no watch would show
    scene.watch = lambda: None
    with caplog.at_level(logging.INFO):
        scene.step(5)
    assert [each.levelname for each in caplog.records] == ["ERROR"]
    assert caplog.records[0].exc_info is not None
    assert scene.runner.counters.tuning_errors == 5
    assert scene.runner.status().trouble[0] == "InternalError"
    assert scene.runner.failures == 5
    scene.cache.pods = good
    scene.step()
    assert (scene.runner.status().trouble, scene.runner.failures) == (None, 0)
    assert scene.runner.state.promoted == PROMOTED


def test_a_mistake_in_what_is_to_be_shown_is_told_and_the_shape_is_looked_after_all_the_same(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = Quiet(promoted_map(PROMOTED))
    scene.step()
    with monkeypatch.context() as patch, caplog.at_level(logging.INFO):
        patch.setattr(told, "words_of", lambda state, now: 1 / 0)  # no state that we know of leads to one
        scene.cache.statuses._at.pop(SHOP, None)
        scene.step(3)
    assert scene.runner.status().trouble[0] == "InternalError"
    assert SHOP in scene.cache.statuses._at
    assert [each.levelname for each in caplog.records] == ["ERROR"]
    scene.step()
    assert scene.runner.status().trouble is None


@pytest.mark.parametrize("error", [Unreachable("no route"), ApiError(500, "InternalError", "etcd is away")])
def test_an_api_server_that_is_away_when_the_runner_begins(error: Exception) -> None:
    scene = Quiet(promoted_map(PROMOTED))
    read = scene.kube.get

    async def away(*which: str) -> dict:
        raise error

    scene.kube.get = away
    scene.step(2)
    assert (scene.runner.state, scene.runner.failures) == (None, 2)
    assert scene.runner.status().trouble[0] == "ShapeNotWritten"
    scene.kube.get = read
    scene.step()
    assert scene.runner.state.promoted == PROMOTED


def test_what_one_pod_refuses_reaches_the_others() -> None:
    scene = Quiet(promoted_map(PROMOTED), pods=4, pin={"processes": 3, "threads": 4})
    merge = scene.kube.merge

    async def admitted(kind: str, namespace: str, name: str, body: dict, **more: str) -> dict:
        if name == "shop-0":
            raise ApiError(403, "Forbidden", "denied by policy")
        return await merge(kind, namespace, name, body, **more)

    scene.kube.merge = admitted
    scene.step(4)
    given = [scene.desired(f"shop-{number}") for number in range(4)]
    assert [each is not None for each in given] == [False, True, True, True]
    (late,) = scene.runner.status().late
    assert late.startswith("pod shop-0: the API server refuses its annotation uwsgi-autopilot.dev/desired: denied")


def test_before_the_first_reconcile_the_promoted_map_is_asked_for() -> None:
    scene = Quiet(pods=0, pin=PIN)
    scene.answers["shop-0"] = answer("shop-0", accepted=Version(9, 9))
    scene.kube.put(pod_body("shop-0"))
    scene.step(3)
    assert len(scene.cache.specs) == 1
    assert scene.runner.status().trouble[0] == "ShapeNotWritten"
    scene.kube.put(promoted_map(DesiredShape(version=UNVERSIONED, shape=START)))
    scene.step(3)
    assert scene.desired("shop-0").version > Version(9, 9)


@pytest.mark.parametrize(
    ("body", "held"),
    [
        pytest.param(pod_body("shop-2", running=False, creationTimestamp="2999-01-01T00:00:00Z"), False, id="of this"),
        pytest.param(
            pod_body("shop-2", revision="b", running=False, creationTimestamp="2999-01-01T00:00:00Z"),
            True,
            id="of another",
        ),
    ],
)
def test_pods_that_do_not_run_yet_are_seen(body: dict, held: bool) -> None:
    scene = Quiet(promoted_map(PROMOTED))
    scene.kube.put(body)
    scene.step(2)
    state = scene.runner.state
    assert list(state.pods) == ["shop-0"]
    assert len(state.coming) == 1
    assert (state.hold is not None and state.hold.reason.value == "RolloutInProgress") is held


# --- a pod that is not what the Deployment says: a VerticalPodAutoscaler, a LimitRange


def test_what_a_pod_may_use_its_agent_says_and_not_the_manifest() -> None:
    """The manifest's half a core and 64 MiB, of which a VerticalPodAutoscaler has made two cores and 1 GiB."""
    world = World(IO, pods=1, clients=64)
    for agent in world.agents.values():
        agent.observer.memory_limit = 2**30
    seen = world.cache.apps[SHOP]
    assert seen.spec is not None
    limits = ResourceLimits(cpu=0.5, memory=64 << 20)
    world.cache.apps[SHOP] = replace(seen, spec=replace(seen.spec, limits=limits))
    world.begin()
    world.run(1)
    assert world.state.app.limits == limits, "no agent has answered yet"
    world.until("promote")
    assert (world.state.limits.cores, world.state.limits.memory_limit) == (None, None)
    assert world.stored.shape.slots >= 40, "64 MiB would have had room for none of that"


def test_where_the_cgroup_shows_no_limit_the_manifest_counts() -> None:
    world = World(IO, pods=1, clients=64)
    seen = world.cache.apps[SHOP]
    assert seen.spec is not None
    world.cache.apps[SHOP] = replace(seen, spec=replace(seen.spec, limits=ResourceLimits(memory=64 << 20)))
    world.begin()
    world.run(30)
    assert world.state.limits.memory_limit == 64 << 20
    assert world.state.memory.said is Reason.MEMORY_LIMIT, world.told


def test_how_busy_its_pods_are_is_worked_out_on_the_way() -> None:
    world = World(IO, pods=1, clients=16)
    world.run(1)
    assert world.runner.gauge.read(world.runner.clock()) is None, "the pod was seen for a second"
    world.run(12)
    value = world.runner.gauge.read(world.runner.clock())
    assert value is not None
    assert 0.0 < value < 1.0
