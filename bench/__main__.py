"""python -m bench: the screen. Prints a table and writes bench/results/TIME.json.

Exit 0: measured. 1: an application could not be served. 2: wrong command line or workload.
"""

import argparse
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import table
from bench.pace import QUICK, SCREEN
from bench.result import Result
from bench.saving import save
from bench.screen import run_screen
from bench.select import choose_workloads, workloads_of
from bench.whereabouts import stamp
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.errors import AutopilotError
from uwsgi_autopilot.local.programs import find_programs

HERE = Path(__file__).resolve().parent
INTERRUPTED = 130


def main() -> int:
    asked = _parser().parse_args()
    results: list[Result] = []
    try:
        workloads = workloads_of(asked)
        programs = find_programs()
        file = asked.results / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
        began = time.monotonic()
        pace, minutes = (QUICK, 2) if asked.quick else (SCREEN, 4)
        names = ", ".join(each.name for each in workloads)
        print(f"screen of {names}: about {minutes * len(workloads)} minutes", flush=True)
        for workload in workloads:
            print(f"\n{workload.name}: {workload.told}", flush=True)
            results.append(run_screen(workload, programs, starts=[asked.start], seed=asked.seed, say=_say, pace=pace))
            _write(file, results)
    except AutopilotError as error:
        print(f"bench: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("\nbench: stopped", file=sys.stderr)
        return INTERRUPTED
    finally:
        if results:
            print("\n".join(table.lines(results)))
            print(f"Written to {file}.")
    print(f"{(time.monotonic() - began) / 60:.1f} minutes")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=(__doc__ or "").splitlines()[0])
    choose_workloads(parser)
    parser.add_argument("--start", type=_shape, default=Shape(1, 2), help="where the autopilot starts (default 1x2)")
    parser.add_argument("--quick", action="store_true", help="only whether it works, in half the time: few shapes")
    parser.add_argument("--seed", type=int, default=1, help="of the random order of the rounds")
    parser.add_argument("--results", type=Path, default=HERE / "results")
    return parser


def _shape(text: str) -> Shape:
    try:
        return Shape.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _say(text: str) -> None:
    print(f"  {text}", flush=True)


def _write(file: Path, results: list[Result]) -> None:
    """After each workload, so that an interrupted run keeps what it has. Raises UsageError."""
    data: dict[str, Any] = {
        "kind": "screen",
        **stamp(),
        "workloads": [table.as_json(each) for each in results],
    }
    save(file, json.dumps(data, indent=1) + "\n", "--results")


if __name__ == "__main__":
    sys.exit(main())
