"""python -m bench.record: record the real grids of workloads as JSON, one file each.

Stops after --minutes and goes on from there when it is called again. A visit during which somebody else used the
machine is written down, and made again by the next call. Exit 0: all is recorded. 3: not yet.
"""

import argparse
import json
import platform
import sys
import time
from collections import deque
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.calibration import read_rounds
from bench.fixed import FixedShapes
from bench.recording import VISITS, order_of, row_of, text_of
from bench.saving import save
from bench.select import choose_workloads, workloads_of
from bench.serving import CACHE, served
from bench.whereabouts import machine
from bench.workload import Workload
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.errors import AutopilotError, NotServing, UsageError
from uwsgi_autopilot.local.programs import Programs, find_programs

WARM_S, WINDOW_S = 1.0, 2.5
NOT_YET = 3
# Cores used by others from which on a visit is made again: 5 % of two.
DISTURBED = 0.1


def main() -> int:
    asked = _parser().parse_args()
    until = time.monotonic() + 60 * asked.minutes
    complete = True
    try:
        programs = find_programs()
        for workload in workloads_of(asked):
            complete &= record(workload, programs, asked.into / f"{workload.name}.json", until)
    except AutopilotError as error:
        print(f"bench.record: {error}", file=sys.stderr)
        return error.exit_code
    return 0 if complete else NOT_YET


def record(workload: Workload, programs: Programs, file: Path, until: float) -> bool:
    """True: the file is complete. until: on the monotonic clock."""
    grid = _read(file) or _empty(workload)
    left = _left(grid, workload.clients)
    print(f"{workload.name}: {workload.told}; {len(left)} visits left", flush=True)
    if not left or time.monotonic() >= until:
        return not left
    said: deque[str] = deque(maxlen=40)
    with served(workload, programs, start=left[0][1], sink=said.append) as (session, load):
        grid["generator"] = load.name
        load.keep_going()
        fixed = FixedShapes(session, load, change_s=workload.change_s)
        for visit, shape in left:
            if time.monotonic() >= until:
                return False
            try:
                found = row_of(fixed.look(shape, WARM_S, WINDOW_S))
            except NotServing as error:
                raise NotServing("\n".join([str(error), *said])) from None
            _put(grid, {"shape": str(shape), "visit": visit, **found})
            disturbed = f"  (others used {found['foreign']:.1f} cores)" if _disturbed(found) else ""
            print(f"  {shape!s:>5}  {found['rps']:8.1f} requests/s{disturbed}", flush=True)
            _write(file, grid)
    return not _left(grid, workload.clients)


def _put(grid: dict[str, Any], row: dict[str, Any]) -> None:
    """Instead of an earlier one of the same visit."""
    others = [each for each in grid["visits"] if (each["visit"], each["shape"]) != (row["visit"], row["shape"])]
    grid["visits"] = [*others, row]


def _disturbed(row: dict[str, Any]) -> bool:
    return row["foreign"] is not None and row["foreign"] > DISTURBED


def _left(grid: dict[str, Any], clients: int) -> list[tuple[int, Shape]]:
    done = {(each["visit"], each["shape"]) for each in grid["visits"] if not _disturbed(each)}
    return [
        (visit, shape)
        for visit in range(VISITS)
        for shape in order_of(visit, clients)
        if (visit, str(shape)) not in done
    ]


def _empty(workload: Workload) -> dict[str, Any]:
    return {
        "kind": "grid",
        "workload": workload.name,
        "clients": workload.clients,
        "parameters": None if workload.parameters is None else asdict(workload.parameters),
        "rounds": asdict(read_rounds(CACHE)),
        "machine": machine(),
        "python": platform.python_version(),
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "window_s": WINDOW_S,
        "visits": [],
    }


def _read(file: Path) -> dict[str, Any] | None:
    """None where there is none yet. Raises UsageError: something else is in its place."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UsageError(f"--into: {file} is no recorded grid ({error}): move it away") from None
    if not isinstance(found, dict) or not isinstance(found.get("visits"), list):
        raise UsageError(f"--into: {file} is no recorded grid (it has no visits): move it away")
    return found


def _write(file: Path, grid: dict[str, Any]) -> None:
    save(file, text_of(grid), "--into")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.record", description=(__doc__ or "").splitlines()[0])
    choose_workloads(parser)
    parser.add_argument("--into", type=Path, required=True, metavar="FOLDER", help="of the files, NAME.json each")
    parser.add_argument("--minutes", type=float, default=60.0, help="stop after so many; call again to go on")
    return parser


if __name__ == "__main__":
    sys.exit(main())
