"""One loop for all applications: what ends, is slow or belongs to others stops nothing else."""

import asyncio
import json
import logging
from dataclasses import replace

import pytest

from tests.unit.controller.loop import Loop, app_body, pod_body, state
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.wish import Wish, parse_wish
from uwsgi_autopilot.controller.mirror import Key
from uwsgi_autopilot.resources import labels
from uwsgi_autopilot.resources.app import App
from uwsgi_autopilot.resources.configmaps import promoted_map
from uwsgi_autopilot.tuner.decision import Entry
from uwsgi_autopilot.tuner.memory import Memory


def test_an_application_that_goes_while_another_one_is_loaded():
    async def story() -> Loop:
        loop = Loop("old")
        await loop.turn()
        loop.mirror.app(app_body("new"))
        loop.pod(pod_body("new-1", "new"))
        read = loop.kube.get

        async def slow(*which: str) -> object:
            await asyncio.sleep(0)
            loop.mirror.app(app_body("old"), gone=True)
            return await read(*which)

        loop.kube.get = slow
        await loop.turn()
        return loop

    assert [key.name for key in asyncio.run(story()).tuning.apps] == ["new"]


def test_a_slow_write_of_one_application_is_no_concern_of_another():
    async def story() -> None:
        loop = Loop("slow", "other")
        answers = asyncio.Event()
        write = loop.kube.merge

        async def waiting(kind: str, *rest: object, **more: object) -> object:
            await answers.wait()
            return await write(kind, *rest, **more)

        loop.kube.merge = waiting
        loop.kube.put(promoted_of("slow"))
        await loop.turn()
        loop.mirror.app({**app_body("slow", pin={"processes": 3, "threads": 4}), "status": {}} | bumped("slow"))
        for _ in range(5):
            loop.now += 1.0
            await asyncio.wait_for(loop.tuning.tick(loop.now), 5.0)
            await asyncio.sleep(0)
        assert not loop.tuned("slow").work.done(), "its write hangs"
        assert loop.tuned("other").stepped_at == loop.now
        before = loop.tuned("slow").work
        answers.set()
        await before
        assert loop.tuned("slow").stored_seq == 1

    asyncio.run(story())


def bumped(name: str) -> dict:
    return {"metadata": {**app_body(name)["metadata"], "generation": 2}}


def promoted_of(name: str) -> dict:
    meta = labels.metadata(name, "web", f"app-{name}", labels.promoted_name(name))
    return {"kind": "ConfigMap", "metadata": meta, "data": {}}


def decided(loop: Loop, name: str) -> None:
    entry = Entry(
        at=1.0, kind="change", from_shape=Shape(2, 4), to_shape=Shape(3, 4), reason="MoreProcesses", message=""
    )
    pilot = loop.tuned(name).pilot
    pilot.history.append(entry)
    pilot.said.append(entry)


def test_a_foreign_configmap_stays_as_it_is_and_is_named_once(caplog):
    async def story() -> Loop:
        loop = Loop("shop")
        meta = {"name": "shop-tuning", "namespace": "web"}
        loop.kube.put({"kind": "ConfigMap", "metadata": meta, "data": {"theirs": "1"}})
        await loop.turn()
        decided(loop, "shop")
        await loop.turns(10)
        return loop

    with caplog.at_level(logging.WARNING):
        loop = asyncio.run(story())
    found = loop.kube.objects["ConfigMap", "web", "shop-tuning"]
    assert found["data"] == {"theirs": "1"}
    assert "ownerReferences" not in found["metadata"]
    told = [each.getMessage() for each in caplog.records if "shop-tuning" in each.getMessage()]
    assert 1 <= len(told) <= 2, "once at first, once for the decision"


def test_what_was_learnt_is_written_to_our_own_and_read_again():
    async def story() -> Loop:
        loop = Loop("shop")
        await loop.turn()
        for number in (1, 2):
            loop.tuned("shop").pilot.wishes.seq = 10 * number
            decided(loop, "shop")
            await loop.turn()
        del loop.tuning.apps[Key("web", "shop")]
        await loop.turn()
        return loop

    loop = asyncio.run(story())
    assert loop.kube.writes("create").count("ConfigMap") == 1
    assert loop.tuned("shop").pilot.wishes.seq == 20
    assert [each.kind for each in loop.tuned("shop").pilot.history] == ["change", "change"]


def test_nothing_is_written_while_nothing_is_learnt():
    async def story() -> tuple[int, int]:
        loop = Loop("shop")
        await loop.turn()
        first = len(loop.kube.log)
        tuned = loop.tuned("shop")
        for second in range(1, 6):
            # Looked at, and nothing concluded; a minute later.
            tuned.pilot.memory = replace(tuned.pilot.memory, seq=second, at=1000.0 + second)
            tuned.saved_at = 0.0
            await loop.turn()
        return first, len(loop.kube.log)

    first, last = asyncio.run(story())
    assert last == first


@pytest.mark.parametrize(
    ("tuning", "before", "seq", "after"),
    [
        pytest.param({}, Shape(4, 16), 5, Shape(4, 16), id="nothing was changed"),
        pytest.param({"pin": {"processes": 2, "threads": 2}}, Shape(4, 16), 6, Shape(2, 2), id="a pin"),
        pytest.param({"processes": {"max": 1}}, Shape(4, 16), 6, Shape(1, 16), id="less room"),
    ],
)
def test_what_changed_while_the_operator_was_away_reaches_the_pods(tuning, before, seq, after):
    """The reconcile writes NAME-promoted before the loop reads it."""

    async def story() -> Loop:
        loop = Loop()
        loop.mirror.app(app_body("shop", **tuning))
        loop.pod(pod_body("shop-1", "shop"))
        loop.agents.answers["shop-1"] = state("shop-1", shape=before, seq=5)
        loop.kube.put({"kind": "Pod", "metadata": {"name": "shop-1", "namespace": "web", "uid": "shop-1"}})
        loop.kube.put(promoted_map(App.from_body(app_body("shop", **tuning)), Wish(seq=5, shape=before)))
        await loop.turns(3)
        return loop

    loop = asyncio.run(story())
    wishes = loop.tuned("shop").pilot.wishes
    assert (wishes.promoted.seq, wishes.shape) == (seq, after)
    told = loop.kube.objects["Pod", "web", "shop-1"]["metadata"].get("annotations", {}).get(labels.WANTED)
    assert told == (wishes.promoted.to_text() if seq > 5 else None)


def test_a_shape_from_an_earlier_manifest_gets_a_number_though_nothing_was_promoted():
    """`start` or the bounds were changed before anything was promoted: 0 is what the running pods have already."""

    async def story() -> Loop:
        loop = Loop("shop")
        loop.agents.answers["shop-1"] = state("shop-1", shape=Shape(8, 8))
        loop.kube.put(
            {**promoted_of("shop"), "data": {labels.PROMOTED_KEY: '{"seq": 0, "processes": 2, "threads": 4}'}}
        )
        loop.kube.put({"kind": "Pod", "metadata": {"name": "shop-1", "namespace": "web", "uid": "shop-1"}})
        await loop.turns(3)
        return loop

    loop = asyncio.run(story())
    stored = parse_wish(loop.kube.objects["ConfigMap", "web", "shop-promoted"]["data"][labels.PROMOTED_KEY])
    told = parse_wish(loop.kube.objects["Pod", "web", "shop-1"]["metadata"]["annotations"][labels.WANTED])
    assert (stored.seq, stored.shape) == (told.seq, told.shape) == (1, Shape(2, 4))


@pytest.mark.parametrize(
    ("body", "quiet"),
    [
        pytest.param(pod_body("shop-2", "shop", running=False), False, id="another pod of this version"),
        pytest.param(pod_body("shop-2", "shop", revision="b", running=False), True, id="a pod of another version"),
    ],
)
def test_pods_that_do_not_run_yet_are_seen(body, quiet):
    async def story() -> Loop:
        loop = Loop("shop")
        # As if it had just been made: time itself is not faked here.
        body["metadata"]["creationTimestamp"] = "2999-01-01T00:00:00Z"
        loop.pod(body)
        await loop.turns(2)
        return loop

    pilot = asyncio.run(story()).tuned("shop").pilot
    assert list(pilot.pods) == ["shop-1"]
    assert (pilot.quiet == "a rollout is on its way") is quiet


@pytest.mark.parametrize(
    ("owner", "text"),
    [
        pytest.param("app-shop", None, id="that of this very application"),
        pytest.param("app-shop-made-again", "theirs", id="the application was deleted and made again"),
        pytest.param(None, "theirs", id="somebody else's"),
    ],
)
def test_a_promoted_shape_is_written_to_its_own_application_only(owner, text):
    """What was decided for an application that is gone must not reach the next one of that name."""

    async def story() -> str:
        loop = Loop("shop")
        loop.kube.put(promoted_of("shop"))
        await loop.turn()
        meta = labels.metadata("shop", "web", owner or "", "shop-promoted")
        if owner is None:
            del meta["ownerReferences"]
        loop.kube.objects.clear()
        loop.kube.put({"kind": "ConfigMap", "metadata": meta, "data": {labels.PROMOTED_KEY: "theirs"}})
        loop.tuned("shop").pilot.wishes.everyone(Shape(4, 16))
        await loop.turn()
        return loop.kube.objects["ConfigMap", "web", "shop-promoted"]["data"][labels.PROMOTED_KEY]

    stored = asyncio.run(story())
    assert stored == text if text else parse_wish(stored).shape == Shape(4, 16)


def test_a_promoted_shape_is_not_written_over_what_came_in_between():
    async def story() -> tuple[str, int]:
        loop = Loop("shop")
        loop.kube.put(promoted_of("shop"))
        await loop.turn()
        read = loop.kube.get

        async def meanwhile(kind: str, namespace: str, name: str) -> dict:
            found = await read(kind, namespace, name)
            if name == "shop-promoted":
                loop.kube.put({**found, "data": {labels.PROMOTED_KEY: "theirs"}})
            return found

        loop.kube.get = meanwhile
        loop.tuned("shop").pilot.wishes.everyone(Shape(4, 16))
        await loop.turn()
        stored = loop.kube.objects["ConfigMap", "web", "shop-promoted"]["data"][labels.PROMOTED_KEY]
        return stored, loop.tuned("shop").stored_seq

    assert asyncio.run(story()) == ("theirs", 0)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[" * 5000, id="too deep"),
        pytest.param('{"memory": [], "trial": null, "history": [], "seq": 1}', id="a list for the memory"),
        pytest.param('{"memory": {}, "trial": 7, "history": [], "seq": 1}', id="a number for the trial"),
        pytest.param('{"memory": {}, "trial": null, "history": {}, "seq": 1}', id="a mapping for the history"),
        pytest.param(
            json.dumps({"memory": Memory().to_json(), "trial": None, "history": [], "seq": float("inf")}),
            id="a number without end",
        ),
    ],
)
def test_whatever_somebody_writes_into_the_memory_the_loop_goes_on(text):
    async def story() -> Loop:
        loop = Loop("shop")
        meta = labels.metadata("shop", "web", "app-shop", "shop-tuning")
        loop.kube.put({"kind": "ConfigMap", "metadata": meta, "data": {labels.TUNING_KEY: text}})
        await loop.turns(2)
        return loop

    assert asyncio.run(story()).tuned("shop").pilot.pods.keys() == {"shop-1"}
