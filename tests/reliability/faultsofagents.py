"""Chaos in the pods: agents that hang, lie, talk too much, send elsewhere, or speak for another pod."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable

from tests.reliability.agents import Agent, Fault, ok
from tests.reliability.figures import Figure
from tests.reliability.scene import USUAL_SECONDS, Scene, Wrong

MIB = 2**20
# What all faulty agents together may cost in memory: the budget for long answers, and small change.
MOST_MIB = 48.0
FAULTY_SECONDS = 30.0


def hangs(agent: Agent, transport: asyncio.Transport, since: int) -> None:
    pass


def trickles(agent: Agent, transport: asyncio.Transport, since: int) -> None:
    """An answer that never ends."""
    transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{")


def ten_megabytes(agent: Agent, transport: asyncio.Transport, since: int) -> None:
    transport.write(ok(b'{"version": 2, "x": "' + b"x" * (10 * MIB) + b'"}'))


def nearly_a_megabyte(agent: Agent, transport: asyncio.Transport, since: int) -> None:
    """As long as is allowed, and never finished."""
    transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n" + b"x" * (MIB - 4096))


def redirects(agent: Agent, transport: asyncio.Transport, since: int) -> None:
    transport.write(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")


def speaks_for_another(agent: Agent, transport: asyncio.Transport, since: int) -> None:
    transport.write(ok(json.dumps({**agent.state().to_json(), "uid": "somebody-else"}).encode()))


def lies(agent: Agent, transport: asyncio.Transport, since: int) -> None:
    """It has accepted the greatest version there is, serves 9,999 processes, and its clock is at the end of time."""
    data = {**agent.state().to_json(), "accepted": {"epoch": 2**53 - 1, "seq": 2**53 - 1}, "now": 1e300}
    data["shape"] = data["target"] = {"processes": 9999, "threads": 9999}
    transport.write(ok(json.dumps(data).encode()))


def not_json(agent: Agent, transport: asyncio.Transport, since: int) -> None:
    transport.write(ok(b"[" * 100_000))


def faulty(words: str, fault: Fault) -> Callable[[Scene], Awaitable[Figure]]:
    """One pod of one application, and all pods of another; a third one and the sound pod get pins meanwhile."""

    async def story(scene: Scene) -> Figure:
        half, whole, sound = scene.names[2:5]
        before = await scene.picture(half, sound)
        memory = scene.stage.operator.resident_bytes()
        for agent in [scene.agents(half)[0], *scene.agents(whole)]:
            agent.fault = fault
        restarts, highest = scene.restarts, 0
        took = await scene.decided(sound)
        took = max(took, await scene.decided(half, pods=1))
        until = time.monotonic() + FAULTY_SECONDS
        while time.monotonic() < until:
            await asyncio.sleep(0.5)
            highest = max(highest, scene.stage.operator.resident_bytes())
        if scene.restarts != restarts:
            raise Wrong("the operator has ended")
        await scene.untouched(before, half, sound)
        for agent in scene.stage.agents.by_uid.values():
            agent.fault = None
        back = await scene.decided(half)
        await scene.ready(half)
        grown = (highest - memory) / MIB
        return Figure(
            claim=f"an agent that {words}",
            target=f"its own pod alone; others ≤ {USUAL_SECONDS:.0f} s, ≤ {MOST_MIB:.0f} MiB",
            measured=f"others after {took:.1f} s; the pod itself {back:.1f} s after it is well; {grown:+.0f} MiB",
            reached=max(took, back) <= USUAL_SECONDS and grown <= MOST_MIB,
        )

    return story


FAULTS: dict[str, Fault] = {
    "never answers": hangs,
    "begins an answer that never ends": trickles,
    "answers 10 MB": ten_megabytes,
    "says all that it may and does not end": nearly_a_megabyte,
    "redirects": redirects,
    "speaks for another pod": speaks_for_another,
    "lies about its version, shape and clock": lies,
    "answers no JSON": not_json,
}
STORIES = {f"an agent that {words}": faulty(words, fault) for words, fault in FAULTS.items()}
