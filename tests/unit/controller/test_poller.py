"""Agents are asked each in its own time, over real sockets on the loopback; whatever one answers concerns it alone."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from tests.unit.controller.fakes import FakeKube, until
from tests.unit.controller.making import answer, app_body, pod_body, sample
from uwsgi_autopilot.api.desired import Version
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.controller.cache import Cache
from uwsgi_autopilot.controller.counters import Counters
from uwsgi_autopilot.controller.events import Events
from uwsgi_autopilot.controller.poller import (
    CALM_PER_SECOND,
    CALM_SECONDS,
    FIRST_BYTES,
    HOT_SECONDS,
    LONG_AT_ONCE,
    LONGEST_CALM_SECONDS,
    LONGEST_SECONDS,
    MOST_BYTES,
    MOST_HOT,
    Asked,
    Poller,
    pause_after,
)
from uwsgi_autopilot.controller.runners import Runners
from uwsgi_autopilot.controller.tuningstatus import FRESH_S
from uwsgi_autopilot.controller.workqueue import Key
from uwsgi_autopilot.fleet.pod import KEPT, KEPT_IDLE, Pod, PodInfo
from uwsgi_autopilot.report.histogram import LAST
from uwsgi_autopilot.report.reasons import RefusalReason

Say = Callable[[str], Any]


class Agents:
    """One server for many agents, each with an address of its own. say: the body of an answer, by address: an object, a
    text, or a response. port: of all of them."""

    def __init__(self, say: Say) -> None:
        self.say = say
        self.asked: list[str] = []
        self.port = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        address = request.transport.get_extra_info("sockname")[0]
        self.asked.append(address)
        said = self.say(address)
        if isinstance(said, web.StreamResponse):
            return said
        return web.Response(text=said if isinstance(said, str) else json.dumps(said))


@asynccontextmanager
async def agents(say: Say, host: str = "0.0.0.0", port: int = 0) -> AsyncIterator[Agents]:
    made = Agents(say)
    server = web.Application()
    server.add_routes([web.get("/v1/state", made.answer)])
    runner = web.AppRunner(server)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    made.port = runner.addresses[0][1]
    try:
        yield made
    finally:
        await runner.cleanup()


def pod_at(ip: str, uid: str | None = None) -> Pod:
    return Pod(info=PodInfo(uid=uid or ip, name=uid or ip, ip=ip))


def played(story: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(story(), 60))  # type: ignore[arg-type]


# --- silence


def silent_sockets(count: int, port: int) -> list[socket.socket]:
    """They accept, because the kernel does, and never answer."""
    made = []
    for number in range(count):
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((f"127.1.{number // 250}.{number % 250 + 1}", port))
        listening.listen(8)
        made.append(listening)
    return made


def test_three_hundred_silent_pods_delay_no_other_and_no_runner() -> None:
    """Those of another application, all there when the operator begins: before the first of them has failed, the one
    that answers was heard, and both runners have planned."""

    async def story() -> None:
        free = socket.socket()
        free.bind(("127.2.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        sockets = silent_sockets(300, port)
        kube, cache = FakeKube(), Cache()
        for number, each in enumerate(sockets):
            cache.pod(pod_body(f"dead-{number}", "dead", ip=each.getsockname()[0]))
        cache.app(app_body("dead"))
        cache.app(app_body("good"))
        cache.pod(pod_body("good-0", "good", ip="127.2.0.1"))
        failed_by_then: list[int] = []
        async with agents(lambda address: answer("good-0"), "127.2.0.1", port), Poller(port, timeout=5.0) as poller:
            runners = Runners(cache, kube, poller, Events(kube, "operator-1"), Counters())
            running = asyncio.create_task(runners.run())

            def heard() -> bool:
                good = runners.running.get(Key("web", "good"))
                return good is not None and good.state is not None and any(p.state for p in good.state.pods.values())

            await until(heard)
            failed_by_then.append(poller.failures)
            planned = [runner.state.hold for runner in runners.running.values() if runner.state]
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        for each in sockets:
            each.close()
        assert failed_by_then == [0]
        assert len(planned) == 2
        assert None not in planned

    played(story)


def test_a_pod_that_is_silent_is_asked_more_and_more_rarely() -> None:
    pauses = [pause_after(failures, hot=True) for failures in range(1, 12)]
    assert 1.6 <= pauses[0] <= 2.0 < pauses[1] <= 4.0 < pauses[2] <= 8.0 < pauses[3] <= LONGEST_SECONDS
    assert 0.8 * LONGEST_SECONDS <= min(pauses[3:]) <= max(pauses) <= LONGEST_SECONDS
    assert pause_after(0, hot=True) == HOT_SECONDS
    assert pause_after(0, hot=False) == CALM_SECONDS


def test_a_pod_says_what_kept_it_from_being_heard() -> None:
    async def story() -> None:
        (listening,) = silent_sockets(1, 0)
        port = listening.getsockname()[1]
        silent, refusing = pod_at("127.1.0.1"), pod_at("127.3.0.1")
        async with Poller(port, timeout=0.2) as poller:
            poller.follow(silent)
            poller.follow(refusing)
            await until(lambda: silent.problem is not None and refusing.problem is not None)
        listening.close()
        assert silent.problem == f"port {port} has not answered within 0.2 s"
        assert refusing.problem == f"port {port} does not accept connections: Connection refused"
        assert not silent.incompatible
        assert not refusing.incompatible

    played(story)


def test_what_was_forgotten_is_asked_no_more_and_nothing_is_left_behind() -> None:
    async def story() -> None:
        before = asyncio.all_tasks()
        async with agents(answer) as made, Poller(made.port) as poller:
            gone, stays = pod_at("127.0.1.1"), pod_at("127.0.1.2")
            poller.follow(gone)
            poller.follow(stays)
            poller.attend(gone.uid, True)
            poller.forget([gone.uid])
            poller.attend(stays.uid, True)
            await until(lambda: made.asked.count(stays.info.ip) >= 2)
            assert gone.info.ip not in made.asked
        assert asyncio.all_tasks() == before

    played(story)


def test_only_so_many_are_asked_every_second() -> None:
    async def story() -> None:
        async with agents(answer) as made, Poller(made.port) as poller:
            pods = [pod_at(f"127.0.2.{number}") for number in range(1, 251)]
            for pod in pods:
                poller.follow(pod)
                poller.attend(pod.uid, True)
            assert sum(each.hot for each in poller._asked.values()) == MOST_HOT
            poller.attend(pods[0].uid, False)
            poller.attend(pods[-1].uid, True)
            assert poller._asked[pods[-1].uid].hot

    played(story)


def test_a_pod_that_became_ready_is_asked_soon() -> None:
    """It was silent for a while: its next turn would be far away."""

    async def story() -> None:
        up = False

        def say(address: str) -> Any:
            return answer(address) if up else web.Response(status=503)

        async with agents(say) as made, Poller(made.port) as poller:
            pod = pod_at("127.0.1.1")
            before = PodInfo(uid=pod.uid, name="x", ready=False)
            poller.follow(pod)
            await until(lambda: pod.problem is not None)
            poller._asked[pod.uid].failures = 5
            poller._at(poller._asked[pod.uid], 1000.0)
            up = True
            poller.changed(pod.uid, before, pod.info)
            await until(lambda: pod.state is not None)

    played(story)


# --- what an agent may say: application code shares its uid


ENDLESS = int("1" + "0" * 400)  # an int in JSON, and no float
CROWD = {"processes": 10**30, "threads": 1}
WORDS = ("running", "io", "interpreter_lock", "application_lock", "idle", "looks")

HOSTILE = [
    pytest.param({"now": ENDLESS}, id="a time without end"),
    pytest.param({"now": float("nan")}, id="a time that is no number"),
    pytest.param({"now": "soon"}, id="a time that is none"),
    pytest.param({"shape": CROWD}, id="more processes than can be"),
    pytest.param({"target": CROWD}, id="more processes than can be desired"),
    pytest.param({"target": {"processes": 0, "threads": 4}}, id="a shape that cannot be"),
    pytest.param({"accepted": {"epoch": 1, "seq": True}}, id="a number that is none"),
    pytest.param({"accepted": {"epoch": 1, "seq": 2**53}}, id="a number after the last"),
    pytest.param({"refused": {"reason": "MemoryLimit", "shape": CROWD}}, id="more processes than can be refused"),
    pytest.param({"samples": {}}, id="samples that are no list"),
    pytest.param({"samples": [{"seq": 1}]}, id="half a sample"),
    pytest.param({"samples": [sample(shape=CROWD)]}, id="more processes than can have served"),
    pytest.param({"samples": [sample(requests=ENDLESS)]}, id="requests without end"),
    pytest.param({"samples": [sample(requests=float("nan"))]}, id="requests that are no number"),
    pytest.param({"samples": [sample(busy=-1.0)]}, id="fewer than none"),
    pytest.param({"samples": [sample(cpu_s="1")]}, id="text where a number should be"),
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
    pytest.param({"samples": [sample(census=dict.fromkeys(WORDS, "x"))]}, id="text where threads should be counted"),
]


@pytest.mark.parametrize("change", HOSTILE)
def test_it_is_refused_whole(change: dict[str, Any]) -> None:
    pod = pod_at("10.0.0.1", "u")
    with pytest.raises(ValueError):
        pod.take(json.loads(json.dumps({**answer("u"), **change})), 1e9)
    assert not pod.samples
    assert pod.state is None


@pytest.mark.parametrize(
    "said",
    [
        *(pytest.param({**answer("127.0.1.1"), **each.values[0]}, id=each.id) for each in HOSTILE),
        pytest.param("[" * 100_000, id="brackets without end"),
        pytest.param("9" * 10_000, id="digits without end"),
        pytest.param("", id="nothing at all"),
        pytest.param([answer("127.0.1.1")], id="a list"),
        pytest.param({**answer("127.0.1.1"), "version": 99}, id="a version from the future"),
        pytest.param({"hello": "world"}, id="another program's answer"),
    ],
)
def test_what_cannot_be_read_is_that_pods_problem_and_no_silence(said: Any) -> None:
    async def story() -> None:
        def say(address: str) -> Any:
            return said if address == "127.0.1.1" else answer(address)

        async with agents(say) as made, Poller(made.port) as poller:
            evil, good = pod_at("127.0.1.1"), pod_at("127.0.1.2")
            poller.follow(evil)
            poller.follow(good)
            await until(lambda: evil.problem is not None and good.state is not None)
            assert evil.incompatible
            assert evil.state is None
            assert good.problem is None
            assert (poller.incompatible, poller.failures) == (1, 0)

    played(story)


def test_version_skew_is_said_with_the_parsers_sentence() -> None:
    async def story() -> None:
        async with agents(lambda address: {**answer(address), "version": 99}) as made, Poller(made.port) as poller:
            pod = pod_at("127.0.1.1")
            poller.follow(pod)
            await until(lambda: pod.problem is not None)
            assert "found 99: its agent is of another release" in (pod.problem or "")

    played(story)


def test_another_pod_at_the_same_address_is_not_believed() -> None:
    async def story() -> None:
        async with agents(lambda address: answer("somebody")) as made, Poller(made.port) as poller:
            pod = pod_at("127.0.1.1")
            poller.follow(pod)
            await until(lambda: pod.problem is not None)
            assert pod.state is None
            assert (poller.wrong_pods, poller.incompatible) == (1, 0)

    played(story)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        *(pytest.param(each.value, each, id=each.value) for each in RefusalReason),
        pytest.param("YourClusterIsBroken", RefusalReason.OTHER, id="a word of its own"),
        pytest.param(["MemoryLimit"], RefusalReason.OTHER, id="no word at all"),
        pytest.param(None, RefusalReason.OTHER, id="nothing"),
    ],
)
def test_the_pod_does_not_choose_the_word(told: Any, expected: RefusalReason) -> None:
    """It becomes the reason of an Event, and each new one a new series of a metric."""
    pod = pod_at("10.0.0.1", "u")
    pod.take(answer("u", refused={"reason": told, "message": "no", "at": 1.0, "shape": None}), 1e9)
    assert pod.state is not None
    assert pod.state.refused is not None
    assert pod.state.refused.reason is expected


def test_control_characters_and_length_do_not_reach_the_status() -> None:
    pod = pod_at("10.0.0.1", "u")
    message = "a\x1b[31m" + "x" * 9999
    pod.take(answer("u", refused={"reason": "Bad", "message": message, "at": 1.0, "shape": None}), 1e9)
    assert pod.state is not None
    assert pod.state.refused is not None
    assert len(pod.state.refused.message) <= 256
    assert "\x1b" not in pod.state.refused.message


def test_what_all_of_them_say_at_once_has_a_bound() -> None:
    """Each stops just before it has said more than it may."""
    count, highest = 120, 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n" + b"x" * (FIRST_BYTES - 4096))
            await reader.read()
        writer.close()

    async def story() -> None:
        nonlocal highest
        server = await asyncio.start_server(talk, "0.0.0.0", 0)
        port = server.sockets[0].getsockname()[1]
        async with Poller(port, timeout=3.0) as poller:
            pods = [pod_at(f"127.0.3.{number}") for number in range(1, count + 1)]
            for pod in pods:
                poller.follow(pod)

            def all_failed() -> bool:
                nonlocal highest
                highest = max(highest, poller.held)
                return all(each.problem for each in pods)

            await until(all_failed)
        assert poller.held == 0
        server.close()

    played(story)
    assert highest > 0
    # Sixteen as long as they may be, and of each other what one or two reads of a socket gave.
    assert highest <= LONG_AT_ONCE * FIRST_BYTES + count * 2**19 < count * FIRST_BYTES * 2 / 3


# --- samples


def test_samples_come_once_and_on_our_clock() -> None:
    pod = pod_at("10.0.0.1", "u")
    of = [sample(seq=number, at=40.0 + number) for number in (1, 2, 3)]
    assert pod.take(answer("u", samples=of[:2]), 1000.0) == 2
    assert pod.take(answer("u", now=51.0, samples=of[1:]), 1001.0) == 1
    assert [each.at for each in pod.samples] == [991.0, 992.0, 993.0]


def test_a_pod_without_a_load_keeps_a_few_seconds_and_with_one_all_that_the_tuner_looks_at() -> None:
    pod, seq = pod_at("10.0.0.1", "u"), 0

    def second(**fields: float) -> None:
        nonlocal seq
        seq += 1
        pod.take(answer("u", now=float(seq), samples=[sample(seq=seq, at=float(seq), **fields)]), 1000.0 + seq)

    for _ in range(300):
        second(requests=1.0)  # a probe
    assert len(pod.samples) == KEPT_IDLE
    for _ in range(KEPT):
        second(requests=50.0)
    assert len(pod.samples) == KEPT
    for _ in range(KEPT):
        second(requests=0.0, queue_mean=3.0)  # all of them wait
    assert len(pod.samples) == KEPT


def test_whoever_follows_a_pod_is_told_of_a_load_and_of_a_change_and_not_of_each_answer() -> None:
    async def story() -> None:
        seq, said = 0, {}

        def say(address: str) -> Any:
            nonlocal seq
            seq += 1
            requests = {"requests": 0.0, **said}.pop("requests")
            more = {name: value for name, value in said.items() if name != "requests"}
            return answer(address, now=float(seq), samples=[sample(seq=seq, requests=requests)], **more)

        async with agents(say) as made, Poller(made.port, timeout=30.0) as poller:
            pod, told = pod_at("127.0.1.1"), []
            poller.follow(pod, lambda: told.append(seq))
            poller.forget([pod.uid])  # its turns are taken by hand
            asked = Asked(pod, lambda: told.append(seq))

            async def turn(**change: Any) -> int:
                before = len(told)
                said.update(change)
                await poller._turn(asked)
                if asked.timer is not None:
                    asked.timer.cancel()
                return len(told) - before

            assert await turn() == 1, "the first answer"
            assert [await turn() for _ in range(3)] == [0, 0, 0]
            assert await turn(requests=50.0) == 1
            assert await turn(requests=0.0) == 0
            assert await turn(draining=True) == 1
            assert await turn(version=99) == 1
            assert await turn(version=99) == 0

    played(story)


def test_thousands_are_asked_a_little_less_often_and_stay_fresh() -> None:
    poller = Poller()
    assert poller.calm_seconds == CALM_SECONDS
    poller._asked = dict.fromkeys(map(str, range(3000)))  # type: ignore[arg-type]
    assert CALM_SECONDS < poller.calm_seconds == 3000 / CALM_PER_SECOND
    poller._asked = dict.fromkeys(map(str, range(30_000)))  # type: ignore[arg-type]
    assert poller.calm_seconds == LONGEST_CALM_SECONDS < FRESH_S - 1.0


def test_a_container_that_began_anew_is_heard_again() -> None:
    pod = pod_at("10.0.0.1", "u")
    pod.take(answer("u", samples=[sample(seq=500)]), 1000.0)
    pod.take(answer("u", pid=8, now=1.0), 1001.0)
    assert (pod.cursor, len(pod.samples)) == (-1, 0)
    assert pod.take(answer("u", pid=8, now=2.0, samples=[sample(seq=1)]), 1002.0) == 1


@pytest.mark.parametrize(
    ("size", "answered"),
    [
        pytest.param(MOST_BYTES - 1000, [True, True], id="a few seconds of samples"),
        pytest.param(MOST_BYTES + 1000, [False, True], id="minutes of samples: the next time it may be as much"),
        pytest.param(FIRST_BYTES + 1000, [False, False], id="more than there can be to tell"),
    ],
)
def test_how_much_an_agent_may_say(size: int, answered: list[bool]) -> None:
    """Of a pod that was heard before."""

    async def story() -> None:
        say = lambda address: answer(address, accepted=Version(1, 1), shape=Shape(2, 4), padding="x" * size)  # noqa: E731
        async with agents(say) as made, Poller(made.port) as poller:
            pod = pod_at("127.0.1.1")
            pod.cursor = 5
            assert [await poller._poll(pod) for _ in range(2)] == answered

    played(story)
