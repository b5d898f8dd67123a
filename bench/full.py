"""python -m bench.full: the full measurement. Writes docs/scoreboard.md, and for each workload JSON and a picture.

It takes about seven minutes for a gating workload, which has three flights, and five for any other. What has been
measured is kept: it goes on from there when it is called again, and begins no further workload after --minutes. Exit 0:
all is measured. 3: not yet.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from bench import scoreboard, table
from bench.drawn import draw_workloads
from bench.named import SETS
from bench.pace import FULL
from bench.picture import picture
from bench.rivals import rivals
from bench.saving import save
from bench.screen import run_screen
from bench.select import COUNT, choose_workloads, workloads_of
from bench.whereabouts import stamp
from bench.workload import Workload
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.errors import AutopilotError, UsageError
from uwsgi_autopilot.local.programs import Programs, find_programs

DOCS = Path(__file__).resolve().parents[1] / "docs"
# Of the gating workloads; the others have one flight.
STARTS = (Shape(1, 1), Shape(2, 4), Shape(16, 64))
START = Shape(2, 4)
# Drawn at random: this seed belongs to the page.
SEED = 1
NOT_YET = 3
FLAG = "--into"
INTERRUPTED = 130


def main() -> int:
    asked = _parser().parse_args()
    until = time.monotonic() + 60 * asked.minutes
    try:
        workloads, programs = workloads_of(asked), find_programs()
        for each in workloads:
            if not _file(asked.into, each.name).exists() and time.monotonic() < until:
                data = measure(each, programs)
                save(_file(asked.into, each.name), json.dumps(data, indent=1) + "\n", FLAG)
                write_page(asked.into)
        write_page(asked.into)
        missing = [each.name for each in workloads if not _file(asked.into, each.name).exists()]
    except AutopilotError as error:
        print(f"bench.full: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("\nbench.full: stopped; what was measured is kept", file=sys.stderr)
        return INTERRUPTED
    if missing:
        print(f"bench.full: not measured yet: {', '.join(missing)}; call it again to go on")
    return NOT_YET if missing else 0


def measure(workload: Workload, programs: Programs) -> dict[str, Any]:
    print(f"\n{workload.name}: {workload.told}", flush=True)
    others = rivals(len(os.sched_getaffinity(0)))
    starts = STARTS if workload.name in SETS["gating"] else (START,)
    result = run_screen(workload, programs, starts=starts, seed=1, say=_say, pace=FULL, rivals=others)
    return {
        "kind": "full",
        **stamp(),
        "told": workload.told,
        **table.as_json(result),
    }


def write_page(into: Path) -> None:
    """From all result files, also of workloads that were not asked for now; whoever asked, what is missing is said."""
    known = {each["workload"]: each for each in (_read(file) for file in sorted((into / "scoreboard").glob("*.json")))}
    wanted = wanted_of_page()
    missing = [name for name in wanted if name not in known]
    order = [*(name for name in wanted if name in known), *(name for name in known if name not in wanted)]
    for name, data in known.items():
        save(_file(into, name).with_suffix(".svg"), picture(data), FLAG)
    save(into / "scoreboard.md", scoreboard.page([known[name] for name in order], missing), FLAG)


def wanted_of_page() -> list[str]:
    """What the page is about: the gating workloads, the other named ones, and those of one random seed."""
    drawn = [each.name for each in draw_workloads(SEED, COUNT)]
    return list(dict.fromkeys([*SETS["gating"], *SETS["all"], *drawn]))


def _file(into: Path, name: str) -> Path:
    return into / "scoreboard" / f"{name}.json"


def _read(file: Path) -> dict[str, Any]:
    """Raises UsageError."""
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} cannot be read ({error}); remove it, and it is measured again") from None
    if not isinstance(data, dict) or data.get("kind") != "full":
        raise UsageError(f"{file}: expected a result of bench.full, found something else; remove it")
    return data


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.full", description=(__doc__ or "").splitlines()[0])
    choose_workloads(parser, default="gating")
    parser.add_argument("--minutes", type=float, default=600, help="begin no other workload after them (default 600)")
    parser.add_argument("--into", type=Path, default=DOCS, metavar="FOLDER", help="of the page (default docs/)")
    return parser


def _say(text: str) -> None:
    print(f"  {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
