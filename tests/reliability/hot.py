"""Scale: a hundred applications get a load at once, then a thousand pods fall silent."""

import asyncio
import time

from tests.reliability import apps
from tests.reliability.agents import Agent, Agents
from tests.reliability.audit import Audit, most_per_second
from tests.reliability.calm import STATUS_WRITES
from tests.reliability.figures import Figure, at_most
from tests.reliability.kindcluster import WEB
from tests.reliability.load import IDLE, Load
from tests.reliability.stage import Stage, TooLate, tell

HOT = 100
LOAD = Load(clients=24)
LATE_SECONDS = 5.0
NEW_SECONDS = 5.0
# From the first load to the first decision the law wants about half a minute of seconds that it may average.
PATIENCE_SECONDS = 120.0
SILENT = 1000


async def first_decisions(it: Stage, names: list[str]) -> dict[str, float]:
    """Put a load on these applications; seconds until one of each one's pods was given a shape."""
    began = time.monotonic()
    load(it.agents, names, LOAD)
    found: dict[str, float] = {}

    def all_decided() -> bool:
        for name in names:
            times = [at for each in it.agents.of(name) if (at := each.annotated_at or 0.0) > began]
            if times and name not in found:
                found[name] = min(times) - began
        return len(found) == len(names)

    try:
        await it.until("a decision for each", all_decided, PATIENCE_SECONDS, every=0.5)
    except TooLate as error:
        tell(f"{error}: {len(found)} of {len(names)}")
    return found


def load(agents: Agents, names: list[str], what: Load) -> None:
    chosen = set(names)
    for agent in agents.by_uid.values():
        if agent.app in chosen:
            agent.put(what)


async def new_manifest(it: Stage, name: str) -> float:
    """Seconds until the Deployment of a new application is there."""
    began = time.monotonic()
    await apps.create(it.api, [name])

    async def made() -> bool:
        return await it.api.get("Deployment", WEB, name) is not None

    await it.until(f"the Deployment of {name}", made, 120.0, every=0.1)
    took = time.monotonic() - began
    tell(f"a new manifest was worked on after {took:.1f} s")
    return took


async def pinned(it: Stage, names: list[str]) -> float:
    """Seconds until the last of these has the shape that its manifest was just given."""
    began = time.monotonic()
    for name in names:
        await apps.edit(it.api, name, pin={"processes": 3, "threads": 3})

    def given() -> bool:
        return all(any((each.annotated_at or 0.0) > began for each in it.agents.of(name)) for name in names)

    await it.until("each has its pin", given, 120.0, every=0.1)
    return time.monotonic() - began


async def hot_applications(it: Stage, there: list[str]) -> list[Figure]:
    alone = await first_decisions(it, there[:1])
    usual = alone.get(there[0], PATIENCE_SECONDS)
    tell(f"one application alone: its first decision {usual:.1f} s after the load")
    audit, cpu, began = Audit(), it.operator.cpu_seconds(), time.monotonic()
    chosen = there[1 : 1 + HOT]
    deciding = asyncio.create_task(first_decisions(it, chosen))
    await asyncio.sleep(8.0)
    new = await new_manifest(it, "new-in-the-middle")
    found = await deciding
    missing = len(chosen) - len(found)
    latest = max(found.values(), default=PATIENCE_SECONDS)
    pins = await pinned(it, chosen[:10])
    await asyncio.sleep(20.0)
    cores = (it.operator.cpu_seconds() - cpu) / (time.monotonic() - began)
    statuses = [each for each in audit.read() if each.writes and each.what == "uwsgiapps/status"]
    load(it.agents, [*there[:1], *chosen], IDLE)
    told = f" ({usual:.0f} s alone, {latest:.0f} s the last of {len(chosen)}; {cores:.2f} of a core)"
    return [
        at_most(f"a decision is later with {len(chosen)} hot applications than alone by", max(0.0, latest - usual),
                LATE_SECONDS, "s", more=told + (f"; {missing} without one" if missing else "")),
        at_most("ten pins are written in the middle of it, and all pods have them", pins, LATE_SECONDS, "s"),
        at_most("a new manifest in the middle of it has its Deployment", new, NEW_SECONDS, "s"),
        at_most("status writes in one second meanwhile", most_per_second(statuses), STATUS_WRITES, "", digits=0),
    ]  # fmt: skip


def never(agent: Agent, transport: asyncio.Transport, since: int) -> None:
    """The connection is there, and nobody answers."""


async def silent_pods(it: Stage, there: list[str]) -> list[Figure]:
    victims = there[1 + HOT :]
    silent = [each for each in it.agents.by_uid.values() if each.app in set(victims)][:SILENT]
    for agent in silent:
        agent.fault = never
    await asyncio.sleep(30.0)
    left = [each for each in there[1 : 1 + HOT] if each not in there[1:11]]
    last = left[-5:]
    load(it.agents, last, IDLE)
    pins = await pinned(it, last)
    new = await new_manifest(it, "new-among-the-silent")
    others = [each for each in it.agents.by_uid.values() if each.fault is None]
    now = time.monotonic()
    unasked = max(now - (each.asked_at or 0.0) for each in others)
    for agent in silent:
        agent.fault = None
    return [
        at_most(f"with {len(silent)} silent pods five pins reach their pods", pins, LATE_SECONDS, "s",
                more=f" (no other agent was unasked for longer than {unasked:.0f} s)"),
        at_most("and a new manifest has its Deployment", new, NEW_SECONDS, "s"),
    ]  # fmt: skip
