"""Application code shares the agent's uid: whatever a pod answers concerns that pod alone."""

import asyncio
import json

import pytest
from aiohttp import web
from uwsgi_autopilot.api.wish import Wish
from uwsgi_autopilot.controller.podview import PodView
from uwsgi_autopilot.controller.wishes import MOST_TOLD, Wishes

from tests.unit.controller.loop import Loop, pod_body, sample, state
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.controller.agents import FIRST_BYTES, MOST_BYTES, Agents
from uwsgi_autopilot.controller.mirror import pod_seen
from uwsgi_autopilot.report.histogram import LAST
from uwsgi_autopilot.report.reasons import WishReason
from uwsgi_autopilot.resources.labels import WANTED

ENDLESS = int("1" + "0" * 400)  # an int in JSON, and no float
CROWD = {"processes": 10**30, "threads": 1}

HOSTILE = [
    pytest.param({"now": ENDLESS}, id="a time without end"),
    pytest.param({"now": float("nan")}, id="a time that is no number"),
    pytest.param({"shape": CROWD}, id="more processes than can be"),
    pytest.param({"target": CROWD}, id="more processes than can be wanted"),
    pytest.param({"refused": {"reason": "MemoryLimit", "shape": CROWD}}, id="more processes than can be refused"),
    pytest.param({"samples": [sample(shape=CROWD)]}, id="more processes than can have served"),
    pytest.param({"samples": [sample(requests=ENDLESS)]}, id="requests without end"),
    pytest.param({"samples": [sample(queue_mean="x")]}, id="text where a queue should be"),
    pytest.param({"samples": [sample(worker_bytes="x")]}, id="text where bytes should be"),
    pytest.param({"samples": [sample(memory_bytes=[[]] * 50_000)]}, id="much to remember where bytes should be"),
    pytest.param({"samples": [sample(settled=[[]] * 50_000)]}, id="much to remember where true or false should be"),
    pytest.param({"samples": [sample(foreign_cpu=-1.0)]}, id="less than no CPU"),
    pytest.param({"samples": [sample(seconds=1e-300)]}, id="hardly a second"),
    pytest.param({"samples": [sample(latency=[[float("inf"), 1]])]}, id="a bucket without end"),
    pytest.param({"samples": [sample(latency=[[LAST + 1, 1]])]}, id="a bucket after the last"),
    pytest.param({"samples": [sample(latency=[[0, 2**31]])]}, id="a bucket too full"),
    pytest.param({"samples": [sample(latency=[[0, 1]] * (LAST + 2))]}, id="more buckets than there are"),
    pytest.param(
        {"samples": [sample(census=dict.fromkeys(
            ("running", "io", "interpreter_lock", "application_lock", "idle", "looks"), "x"))]},
        id="text where threads should be counted",
    ),
]  # fmt: skip


@pytest.mark.parametrize("change", HOSTILE)
def test_it_is_refused_whole(change):
    seen = PodView(uid="u", name="shop-1", ip="10.0.0.1")
    with pytest.raises(ValueError):
        seen.take(json.loads(json.dumps({**state("u"), **change})), wall=1e9, monotonic=5.0)
    assert not seen.samples


@pytest.mark.parametrize(
    "answer",
    [
        *(pytest.param({**state("evil-1"), **each.values[0]}, id=each.id) for each in HOSTILE),
        pytest.param("[" * 100_000, id="brackets without end"),
        pytest.param("9" * 10_000, id="digits without end"),
        pytest.param([state("evil-1")], id="a list"),
        pytest.param(KeyError("x"), id="what our own code did not expect"),
    ],
)
def test_the_other_applications_go_on(answer):
    async def story() -> None:
        loop = Loop("evil", "good")
        loop.agents.answers["evil-1"] = answer
        await loop.turns(10)
        (good,) = loop.tuned("good").pilot.pods.values()
        (evil,) = loop.tuned("evil").pilot.pods.values()
        assert good.state is not None
        assert evil.state is None
        assert loop.agents.failures >= 2
        assert loop.agents.asked.count("good-1") >= 3, "every 4 s in 10 s"

    asyncio.run(story())


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        *(pytest.param(each.value, each.value, id=each.value) for each in WishReason),
        pytest.param("YourClusterIsBroken", "Refused", id="a word of its own"),
        pytest.param(["MemoryLimit"], "Refused", id="no word at all"),
        pytest.param(None, "Refused", id="nothing"),
    ],
)
def test_the_pod_does_not_choose_the_word(told, expected):
    """It becomes the reason of an Event, and each new one a new series of a metric."""
    seen = PodView(uid="u", name="shop-1", ip="10.0.0.1")
    refused = {"reason": told, "message": "no", "seq": 1, "shape": None}
    seen.take(state("u", refused=refused), wall=1e9, monotonic=5.0)
    assert seen.state.refused.reason == expected


def heard(uid: str, seq: int) -> PodView:
    view = PodView(uid=uid, name=uid, ip="10.0.0.1")
    view.take(state(uid, seq=seq), wall=1e9, monotonic=5.0)
    return view


def written(uid: str, seq: int) -> PodView:
    """Its annotation says so: anybody may write one who may patch pods."""
    view = heard(uid, 0)
    body = pod_body(uid, "shop")
    body["metadata"]["annotations"] = {WANTED: Wish(seq=seq, shape=Shape(2, 4)).to_text()}
    view.seen = pod_seen(body)
    return view


@pytest.mark.parametrize(
    ("told", "next_one"),
    [
        pytest.param(7, 8, id="a pod has seen more than we remember"),
        pytest.param(MOST_TOLD, 4, id="a number that nobody gave"),
        pytest.param(2**53, 4, id="the last number there is"),
    ],
)
def test_the_next_wish_is_one_that_every_pod_can_follow(told, next_one):
    wishes = Wishes(promoted=Wish(seq=3, shape=Shape(2, 4)), seq=3)
    wishes.learn({"told": heard("told", told)})
    wishes.learn({"written": written("written", told)})
    assert wishes.everyone(Shape(3, 4)) == next_one
    assert heard("honest", next_one).state.seq == next_one


@pytest.mark.parametrize(
    ("size", "answered"),
    [
        pytest.param(MOST_BYTES - 1000, [True, True], id="a few seconds of samples"),
        pytest.param(MOST_BYTES + 1000, [False, True], id="minutes of samples: the next time it may be as much"),
        pytest.param(FIRST_BYTES + 1000, [False, False], id="more than there can be to tell"),
    ],
)
def test_how_much_an_agent_may_say(size, answered):
    """A real answer over a real connection, by a pod that was heard before."""

    async def story() -> list[bool]:
        async def answer(request: web.Request) -> web.Response:
            return web.json_response(state("u", padding="x" * size))

        server = web.Application()
        server.add_routes([web.get("/v1/state", answer)])
        runner = web.AppRunner(server)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        agents = Agents(port=runner.addresses[0][1])
        await agents.open()
        pod = PodView(uid="u", name="shop-1", ip="127.0.0.1", cursor=5)
        try:
            return [bool(await agents.poll([pod])) for _ in range(2)]
        finally:
            await agents.close()
            await runner.cleanup()

    assert asyncio.run(story()) == answered
