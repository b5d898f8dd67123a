"""`make scale`: many applications at once, and what the operator needs and does meanwhile.

    python -m tests.reliability.scale build --apps 1000      # minutes; the applications stay in the cluster
    python -m tests.reliability.scale measure --minutes 10   # an operator that finds them there
    python -m tests.reliability.scale                        # both

Build-up is not measured: what takes its time there is the API server and its controllers.
"""

import argparse
import asyncio
import sys
import time

from tests.reliability import apps
from tests.reliability.api import Refused
from tests.reliability.calm import quiet_minutes, taken_over
from tests.reliability.figures import Figure, report
from tests.reliability.hot import hot_applications, silent_pods
from tests.reliability.kindcluster import Missing
from tests.reliability.stage import Stage, TooLate, stage, tell

PODS_EACH = 3
BUILD_SECONDS = 3600.0


def names(count: int) -> list[str]:
    return [f"app-{number:04}" for number in range(count)]


async def build(count: int) -> None:
    async with stage() as it, it.kept_running():
        await apps.remove_others(it.api, names(count))
        telling = asyncio.create_task(progress(it, count * PODS_EACH))
        await apps.create(it.api, names(count), replicas=PODS_EACH)
        await it.until("all pods run", lambda: it.kubelet.started >= count * PODS_EACH, BUILD_SECONDS, every=2.0)
        await it.until("all is reconciled", lambda: idle(it), BUILD_SECONDS, every=2.0)
        telling.cancel()
        tell(f"{count} applications with {it.kubelet.started} pods are there")


async def progress(it: Stage, pods: int) -> None:
    while True:
        await asyncio.sleep(15.0)
        tell(f"{it.kubelet.started} of {pods} pods")


async def idle(it: Stage) -> bool:
    return (await it.operator.metrics()).get('operator_due{lane="spec"}') == 0


async def measure(minutes: float) -> tuple[list[Figure], str]:
    async with stage() as it:
        await it.until("the kubelet knows all pods", lambda: all_known(it), 600, every=1.0)
        there = sorted({each.app for each in it.agents.by_uid.values()})
        tell(f"{len(there)} applications with {it.kubelet.started} pods")
        remark = f"{len(there)} applications with {it.kubelet.started} pods, {minutes:g} quiet minutes."
        figures = await taken_over(it, len(there))
        # Written after each part: a run that is cut short leaves what it has found.
        report("scale", figures, remark)
        for part in (quiet_minutes(it, minutes), hot_applications(it, there), silent_pods(it, there)):
            figures += await part
            report("scale", figures, remark)
        return figures, remark


async def all_known(it: Stage) -> bool:
    pods, _ = await it.api.list("Pod", "web")
    return bool(pods) and len(pods) == it.kubelet.started and not it.kubelet.starting


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("build", "measure", "both"), default="both")
    parser.add_argument("--apps", type=int, default=1000, metavar="N", help="applications to make, of three pods each")
    parser.add_argument("--minutes", type=float, default=10.0, metavar="M", help="how long nothing happens")
    asked = parser.parse_args()
    began = time.monotonic()
    try:
        if asked.what != "measure":
            asyncio.run(build(asked.apps))
        if asked.what == "build":
            return 0
        figures, remark = asyncio.run(measure(asked.minutes))
    except (Missing, TooLate, Refused) as error:
        print(f"scale: {error}", file=sys.stderr)
        return 1
    tell(f"all that took {(time.monotonic() - began) / 60:.0f} minutes; docs/reliability.md has the table")
    return report("scale", figures, remark)


if __name__ == "__main__":
    sys.exit(main())
