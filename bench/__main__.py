"""python -m bench: the screen. Prints a table and writes bench/results/TIME.json.

Exit 0: measured. 1: an application could not be served. 2: wrong command line or workload.
"""

import argparse
import json
import os
import platform
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import table
from bench.result import Result
from bench.screen import run_screen
from bench.workload import read_workloads
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.errors import AutopilotError, UsageError
from uwsgi_autopilot.local.programs import find_programs

HERE = Path(__file__).resolve().parent
INTERRUPTED = 130


def main() -> int:
    asked = _parser().parse_args()
    results: list[Result] = []
    try:
        workloads = [each for each in read_workloads(asked.workloads) if not asked.only or each.name in asked.only]
        if not workloads:
            raise UsageError(f"--only: {asked.workloads} has no workload of that name")
        programs = find_programs()
        file = asked.results / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
        began = time.monotonic()
        print(f"screen of {', '.join(each.name for each in workloads)}: about {3 * len(workloads)} minutes", flush=True)
        for workload in workloads:
            print(f"\n{workload.name}: {workload.clients} clients", flush=True)
            results.append(run_screen(workload, programs, start=asked.start, seed=asked.seed, say=_say))
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
    parser.add_argument("--workloads", type=Path, default=HERE / "workloads", help="folder of workload folders, or one")
    parser.add_argument("--only", action="append", help="name of a workload; may be repeated")
    parser.add_argument("--start", type=_shape, default=Shape(1, 2), help="where the autopilot starts (default 1x2)")
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
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cores": len(os.sched_getaffinity(0)), "kernel": platform.release(), "arch": platform.machine()},
        "python": platform.python_version(),
        "workloads": [table.as_json(each) for each in results],
    }
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_suffix(".new")
        fresh.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
        fresh.replace(file)
    except OSError as error:
        raise UsageError(f"--results: {file} cannot be written: {error.strerror}") from None


if __name__ == "__main__":
    sys.exit(main())
