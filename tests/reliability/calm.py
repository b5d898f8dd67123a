"""Scale: a restart finds all applications, and then nothing happens for minutes."""

import asyncio
import time
from collections import Counter

from tests.reliability.audit import Audit, Request, count, most_per_second
from tests.reliability.figures import Figure, at_most
from tests.reliability.kindcluster import on_node
from tests.reliability.stage import Stage, TooLate, tell

MIB = 2**20
TAKEN_OVER_SECONDS = 60.0
MOST_MIB = 150.0
MOST_CORES = 0.2
STATUS_WRITES = 20
# Until what a restart has asked for is done, such as the look at each status.
SETTLE_SECONDS = 45.0
ETCD = "curl -s http://127.0.0.1:2381/metrics | grep -E '^etcd_mvcc_db_total_size_in_(use_in_)?bytes '"


async def taken_over(it: Stage, applications: int) -> list[Figure]:
    audit, began = Audit(), time.monotonic()
    await it.operator.start()

    def asked() -> bool:
        return all((each.asked_at or 0.0) >= began for each in it.agents.by_uid.values())

    async def reconciled() -> bool:
        found = await it.operator.metrics()
        return found.get('operator_reconciles_total{result="ok"}', 0.0) >= applications

    took, late = [], ""
    for what, done in (("every agent is asked", asked), ("every application is reconciled", reconciled)):
        try:
            await it.until(what, done, 5 * TAKEN_OVER_SECONDS, every=0.5)
        except TooLate as error:
            late = f" ({error})"
        took.append(time.monotonic() - began)
        tell(f"{what} after {took[-1]:.0f} s")
    cpu = it.operator.cpu_seconds()
    requests = audit.read()
    told = Counter(f"{each.verb} {each.what}" for each in requests if each.writes)
    more = f" (agents asked after {took[0]:.0f} s; {cpu:.0f} s of CPU; {len(requests)} requests){late}"
    writes = sum(number for what, number in told.items() if "leases" not in what and "status" not in what)
    tell(f"requests: {count(requests).most_common(14)}")
    return [
        at_most("all applications are taken over after a restart", max(took), TAKEN_OVER_SECONDS, "s", more=more),
        Figure(
            claim="a restart writes nothing to objects that are as they should be",
            target="0 writes",
            measured=f"{writes} writes",
            reached=writes == 0,
        ),
    ]


async def quiet_minutes(it: Stage, minutes: float) -> list[Figure]:
    tell(f"{SETTLE_SECONDS:.0f} s for what the restart has left, then {minutes:g} minutes in which nothing happens")
    await asyncio.sleep(SETTLE_SECONDS)
    audit, before, began, cpu = Audit(), etcd(), time.monotonic(), it.operator.cpu_seconds()
    polls = {uid: each.asked for uid, each in it.agents.by_uid.items()}
    highest, late = 0, 0.0
    while time.monotonic() - began < 60.0 * minutes:
        await asyncio.sleep(5.0)
        now = time.monotonic()
        highest = max(highest, it.operator.resident_bytes())
        late = max(late, *(now - (each.asked_at or began) for each in it.agents.by_uid.values()))
    seconds = time.monotonic() - began
    cores = (it.operator.cpu_seconds() - cpu) / seconds
    rate = sum(each.asked - polls[uid] for uid, each in it.agents.by_uid.items()) / seconds
    requests, after = audit.read(), etcd()
    tell(f"requests in {seconds:.0f} s: {count(requests).most_common(14)}")
    ever = it.operator.highest_bytes() / MIB
    return [
        at_most("memory at rest, all agents polled", highest / MIB, MOST_MIB, "MiB",
                more=f" (highest since its start: {ever:.0f} MiB)", digits=0),
        at_most("CPU at rest, all agents polled", cores, MOST_CORES, "of a core",
                more=f" ({rate:.0f} polls a second; no agent unasked for longer than {late:.0f} s)", digits=2),
        *_written(requests, seconds),
        _growth(before, after, seconds),
    ]  # fmt: skip


def _written(requests: list[Request], seconds: float) -> list[Figure]:
    statuses = [each for each in requests if each.writes and each.what == "uwsgiapps/status"]
    of_one = max(Counter((each.name, int(each.at) // 60) for each in statuses).values(), default=0)
    lists = [each for each in requests if each.verb == "list"]
    unbounded = sorted({each.what for each in lists if each.unbounded})
    events = sum(each.what == "events" and each.writes for each in requests)
    others = count([each for each in requests if each.writes and each.what not in ("uwsgiapps/status", "leases")])
    return [
        at_most("status writes of one application in a minute at rest", of_one, 1, "", digits=0,
                more=f" ({len(statuses)} of all in {seconds:.0f} s)"),
        at_most("status writes in one second at rest", most_per_second(statuses), STATUS_WRITES, "", digits=0),
        at_most("Events at rest", events, 0, "", digits=0),
        Figure(claim="unbounded lists at rest", target="none", reached=not unbounded,
               measured=", ".join(unbounded) or f"none ({len(lists)} lists, all in chunks)"),
        Figure(claim="other writes at rest, but the Lease", target="none", reached=not others,
               measured=", ".join(f"{number} {what}" for what, number in others.most_common(5)) or "none"),
    ]  # fmt: skip


def etcd() -> dict[str, float]:
    """Bytes: of its file, and of that in use."""
    pairs = (line.split() for line in on_node(ETCD).splitlines())
    return {name: float(value) for name, value in pairs}


def _growth(before: dict[str, float], after: dict[str, float], seconds: float) -> Figure:
    used = [each["etcd_mvcc_db_total_size_in_use_in_bytes"] / MIB for each in (before, after)]
    an_hour = (used[1] - used[0]) / seconds * 3600
    return Figure(
        claim="etcd at rest",
        target="bounded: its compaction removes more than the operator writes in five minutes",
        measured=f"{used[0]:.1f} → {used[1]:.1f} MiB in use in {seconds:.0f} s ({an_hour:+.0f} MiB an hour)",
    )
