"""`make chaos`: one fault after the other around the operator, what each cost, and that nothing else was touched.

    python -m tests.reliability.chaos                    # all of them
    python -m tests.reliability.chaos --only watch       # those with that in their names; the table keeps the others

A few applications, each with a pin, so that what their pods should serve is known. After each fault a new pin is
written for one of them: the fault is over when its pods have that, and every other application is as it was before.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from tests.reliability import apps, faultsofagents, faultsofapi, faultsofobjects
from tests.reliability.api import Refused
from tests.reliability.figures import Figure, remember, remembered, report
from tests.reliability.kindcluster import Missing, up
from tests.reliability.proxy import Proxy
from tests.reliability.scene import Scene, Wrong
from tests.reliability.stage import TooLate, stage, tell

Story = Callable[[Scene], Awaitable[Figure]]
STORIES: dict[str, Story] = {**faultsofapi.STORIES, **faultsofagents.STORIES, **faultsofobjects.STORIES}
APPLICATIONS = 6


async def run(only: str) -> None:
    installed = await asyncio.to_thread(up)
    async with Proxy(installed).running() as proxy, stage(server=proxy.url) as it:
        await apps.remove_all(it.api)
        scene = Scene(it, proxy)
        async with it.kept_running():
            await scene.begin(APPLICATIONS)
            for name, story in STORIES.items():
                if only in name:
                    remember("chaos", name, await told(scene, name, story))


async def told(scene: Scene, name: str, story: Story) -> Figure:
    tell(f"{name} …")
    began, restarts = time.monotonic(), scene.restarts
    try:
        figure = await story(scene)
    except (TooLate, Wrong) as error:
        figure = Figure(claim=name, target="nothing is stuck", measured=str(error), reached=False)
    finally:
        scene.proxy.well()
        for agent in scene.stage.agents.by_uid.values():
            agent.fault = None
    tell(f"    {figure.measured} ({time.monotonic() - began:.0f} s, {scene.restarts - restarts} restarts)")
    return figure


@contextmanager
def complaints() -> Iterator[None]:
    try:
        yield
    except (Missing, TooLate, Refused) as error:
        sys.exit(f"chaos: {error}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="TEXT", help="faults with that text in their names")
    parser.add_argument("--list", action="store_true", help="print the faults' names")
    asked = parser.parse_args()
    if asked.list:
        print("\n".join(STORIES))
        return 0
    began = time.monotonic()
    with complaints():
        asyncio.run(run(asked.only))
    tell(f"all that took {(time.monotonic() - began) / 60:.0f} minutes; docs/reliability.md has the table")
    return report("chaos", remembered("chaos", STORIES), f"{APPLICATIONS} applications of two pods.")


if __name__ == "__main__":
    sys.exit(main())
