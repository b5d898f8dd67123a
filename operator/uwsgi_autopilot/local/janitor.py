"""Outlive the runner by a moment: when it is gone, whatever the cause, leave no process and no file of the run.

    python -m uwsgi_autopilot.local.janitor RUN_DIRECTORY

Standard input is a pipe that only the runner holds open, so its end means that the runner is gone, by SIGKILL too.
The children got their own parent-death signals and finish what is in flight; what has not ended after a while is
killed. Which processes belong to the run is told by a variable in their environment, or, for nginx, which writes
its title over its environment, by the directory that it works in.
"""

import os
import shutil
import signal
import sys
import time
from pathlib import Path

RUN_VARIABLE = "AUTOPILOT_RUN_DIR"
FINISH_SECONDS = 15.0


def processes_of(run: str) -> list[int]:
    """Process ids of everything that was started in this run, but not our own."""
    mark = f"{RUN_VARIABLE}={run}".encode()
    found = []
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            environment = Path(entry.path, "environ").read_bytes().split(b"\0")
            if mark in environment or os.readlink(Path(entry.path, "cwd")) == run:
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def clean_up(run: str) -> None:
    deadline = time.monotonic() + FINISH_SECONDS
    while (left := processes_of(run)) and time.monotonic() < deadline:
        time.sleep(0.1)
    while left:
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.05)
        left = processes_of(run)
    shutil.rmtree(run, ignore_errors=True)


def main() -> None:
    run = sys.argv[1]
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)
    while os.read(0, 4096):
        pass
    clean_up(run)


if __name__ == "__main__":
    main()
