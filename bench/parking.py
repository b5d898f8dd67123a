"""python -m bench.parking: what parking gives back at night, and what a surge then costs.

The application keeps 30 MiB of its own in each worker, once it has been asked for anything, and answers after 20 ms.
First 64 clients ask, then two requests come in a second. Printed are the memory of all its processes (PSS) before and
after the workers above need were put away, the seconds that the agent took to bring them back when the 64 clients came
again, and the longest request in the first three seconds of that, with parking and without. Five minutes of quiet are
one second here.

Exit 0: measured. 1: the application could not be served. 2: wrong command line.
"""

import argparse
import re
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from bench.serving import free_port, step_until
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import Mode, TuningSpec, UwsgiApp
from uwsgi_autopilot.errors import AutopilotError, UsageError
from uwsgi_autopilot.kernel.process import children_of, pss_bytes
from uwsgi_autopilot.local.files import RunFiles, of_manifest
from uwsgi_autopilot.local.programs import Programs, find_programs
from uwsgi_autopilot.local.ready import wait_ready
from uwsgi_autopilot.local.session import Session

SHAPES = (Shape(8, 1), Shape(8, 4))
CLIENTS = "clients=64,path=/"
NIGHT = "rate=2,path=/"
NIGHT_SECONDS = 12.0
QUIET_SECONDS = 1.0
SURGE_SECONDS = 3.0
PATIENCE = 60.0
APPLICATION = """
KEPT = []
def app(environ, start_response):
    if not KEPT:
        KEPT.append(bytearray(b"x") * (30 * 2**20))
    time.sleep(0.02)
    start_response("200 OK", [("Content-Length", "3")])
    return [b"ok\\n"]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surge:
    """before, at_night: bytes of all processes. live: workers that were left. back: seconds until all were back; None:
    none was away. longest: seconds of the longest request. failed: requests."""

    before: int
    at_night: int
    live: int
    back: float | None
    longest: float
    failed: int


def main() -> int:
    asked = _parser().parse_args()
    if asked.rounds < 1:
        print(f"bench.parking: --rounds: expected at least 1, found {asked.rounds}", file=sys.stderr)
        return UsageError.exit_code
    print(f"{'shape':6}{'parking':>8}{'PSS':>10}{'at night':>10}{'live':>6}{'back':>8}{'longest':>10}{'failed':>8}")
    try:
        programs = find_programs()
        for shape in SHAPES:
            for parking in (False, True) * asked.rounds:
                print(_line(shape, surge(programs, shape, parking=parking), parking=parking), flush=True)
    except AutopilotError as error:
        print(f"bench.parking: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _line(shape: Shape, found: Surge, *, parking: bool) -> str:
    back = "-" if found.back is None else f"{found.back:.1f} s"
    before, at_night = (f"{each / 2**20:.0f} MiB" for each in (found.before, found.at_night))
    return (
        f"{shape!s:6}{'on' if parking else 'off':>8}{before:>10}{at_night:>10}{found.live:>6}{back:>8}"
        f"{found.longest * 1000:>7.0f} ms{found.failed:>8}"
    )


def surge(programs: Programs, shape: Shape, *, parking: bool) -> Surge:
    """Raises NotServing."""
    told: list[str] = []
    app = UwsgiApp(name="night", module="night:app", tuning=TuningSpec(mode=Mode.DISABLED, pin=shape, parking=parking))
    port = free_port()

    def files(run: Path) -> RunFiles:
        made = of_manifest(app, run, host="127.0.0.1", port=port, folder=folder, uwsgi=programs.uwsgi, start=shape)
        return replace(made, agent=replace(made.agent, parking_seconds=QUIET_SECONDS))

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "night.py").write_text(APPLICATION, encoding="utf-8")
        with Session(app, folder=folder, port=port, programs=programs, sink=told.append, files=files) as session:
            wait_ready(session)
            _load(session)
            before = _pss(session)
            if parking:
                # Threads of a worker that was told to go end with the next requests.
                night = session.start_load([NIGHT], NIGHT_SECONDS)
                step_until(session, lambda: not night.running(), PATIENCE)
                night.stop()
            at_night, live = _pss(session), len(_processes(session)) - 1
            told.clear()
            longest, failed = _load(session)
    backs = re.findall(r"workers are back after ([\d.]+) s", "\n".join(told))
    back = float(backs[0]) if backs else None
    return Surge(before=before, at_night=at_night, live=live, back=back, longest=longest, failed=failed)


def _load(session: Session) -> tuple[float, int]:
    """Seconds of the longest request, and how many failed."""
    load = session.start_load([CLIENTS], SURGE_SECONDS)
    step_until(session, lambda: not load.running(), PATIENCE)
    summary = load.stop() or {}
    return summary["latency_ms"]["max"] / 1000, summary["failed"]


def _processes(session: Session) -> list[int]:
    """uWSGI's: the master and its workers."""
    (master,) = children_of(session.children["agent"].pid)
    return [master, *children_of(master)]


def _pss(session: Session) -> int:
    return sum(pss_bytes(pid) or 0 for pid in _processes(session))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.parking", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="of each shape (default 3)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
