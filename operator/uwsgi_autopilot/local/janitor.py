"""Outlive the runner by a moment: when it is gone, whatever the cause, leave no process and no file of the run.

    python -m uwsgi_autopilot.local.janitor RUN_DIRECTORY

Standard input is a pipe that only the runner holds open, so its end means that the runner is gone, by SIGKILL too.
Until then the runner writes a line for each process of the run, `PID START`, with the start from /proc: together they
name a process for good, also when its pid is given to another one. Those, and what they have started, are ours; who
merely works in the run directory is not. They got their own parent-death signals and finish what is in flight; what
has not ended after a while is killed.
"""

import contextlib
import os
import shutil
import signal
import sys
import time

from uwsgi_autopilot.kernel.process import children_of, start_ticks, state_of

FINISH_SECONDS = 15.0
# One that cannot be killed (asleep in a disk that is gone, or another user by now) must not keep the files.
KILL_SECONDS = 5.0
# A pid, and when it started: start_ticks.
Process = tuple[int, int]


def read_processes(fd: int) -> set[Process]:
    """All that the runner has written by its end. A last line that is cut short names nobody."""
    text = b""
    while part := os.read(fd, 65536):
        text += part
    lines = text[: text.rfind(b"\n") + 1].splitlines()
    return {(int(pid), int(start)) for pid, start in (line.split() for line in lines)}


def running(known: set[Process]) -> set[Process]:
    """Those of `known` that still run, and everything below them."""
    found: set[Process] = set()
    todo = set(known)
    while todo:
        pid, start = todo.pop()
        if (pid, start) in found or start_ticks(pid) != start or state_of(pid) in (None, "Z", "X"):
            continue
        found.add((pid, start))
        todo |= {(child, began) for child in children_of(pid) if (began := start_ticks(child)) is not None}
    return found


def clean_up(run: str, known: set[Process]) -> None:
    kill_at = time.monotonic() + FINISH_SECONDS
    give_up_at = kill_at + KILL_SECONDS
    while (left := running(known)) and (now := time.monotonic()) < give_up_at:
        known |= left  # else the children of one that ends next would be nobody's
        if now >= kill_at:
            for pid, _ in left:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)
    shutil.rmtree(run, ignore_errors=True)


def main() -> None:
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)
    clean_up(sys.argv[1], read_processes(0))


if __name__ == "__main__":
    main()
