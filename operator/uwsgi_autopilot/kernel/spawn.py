"""Start a child that never outlives us: own session, clean environment, a signal when its parent dies.

Linux sends the parent-death signal when the *thread* that forked ends, so call `spawn` from the main thread only.
And it may send it several times: when a process with threads is killed, its child is handed from each thread that ends
to one that has not ended yet (kernel/exit.c:forget_original_parent; seen in 1 of 8 kills on a busy machine). So it must
be a signal that means no more when it comes twice.
"""

import ctypes
import os
import signal
import subprocess
from collections.abc import Container, Mapping, Sequence
from contextlib import suppress
from typing import IO, Any

from uwsgi_autopilot.kernel.process import start_ticks

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

# uWSGI reads every UWSGI_* variable as an option: UWSGI_SERVICE_HOST, a service link of a Service called "uwsgi",
# ends a strict start. It also answers on NOTIFY_SOCKET itself, and takes LISTEN_FDS for its own sockets.
LEAKING_PREFIXES = ("UWSGI_", "WATCHDOG_", "LISTEN_")
LEAKING_NAMES = ("NOTIFY_SOCKET", "NGINX")

# Loaded once, before any fork: importing in the child of a threaded process can deadlock.
_libc = ctypes.CDLL(None, use_errno=True)


def become_subreaper() -> None:
    """Orphans among our descendants become our children, so that we can see, wait for and end them."""
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def clean_environment(base: Mapping[str, str], extra: Mapping[str, str]) -> dict[str, str]:
    """`base` without what would leak into uWSGI or nginx, then `extra` on top."""
    kept = {
        name: value
        for name, value in base.items()
        if not name.startswith(LEAKING_PREFIXES) and name not in LEAKING_NAMES
    }
    return {**kept, **extra}


def path_with(program: str, base: Mapping[str, str]) -> str:
    """PATH that begins with the program's own directory: that is how uWSGI's embedded Python finds the virtual
    environment that it is installed in."""
    return os.pathsep.join([os.path.dirname(program), base.get("PATH", os.defpath)])


def spawn(
    command: Sequence[str],
    *,
    when_parent_dies: signal.Signals,
    env: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
    cwd: str | None = None,
    record: int | None = None,
    stdout: int | IO[Any] | None = None,
    stderr: int | IO[Any] | None = None,
) -> "subprocess.Popen[bytes]":
    """Start `command` in a session of its own: a terminal's Ctrl-C does not reach it, its process group is its pid.

    record: a descriptor to which the child writes the line `PID START` (kernel/process.py:start_ticks) before it
    becomes the program, so that no program runs unrecorded, whenever its parent is killed.
    Raises OSError when the program cannot be started.
    """
    parent = os.getpid()

    def in_child() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, int(when_parent_dies), 0, 0, 0)
        if record is not None:
            with suppress(OSError):  # a full disk or pipe must not keep the program from starting
                os.write(record, f"{os.getpid()} {start_ticks(os.getpid())}\n".encode("ascii"))
        # The parent may have died between fork and prctl: then nobody would ever signal us.
        if os.getppid() != parent:
            os._exit(1)

    return subprocess.Popen(
        list(command),
        env=dict(clean_environment(os.environ, {})) if env is None else dict(env),
        pass_fds=tuple(pass_fds),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
        preexec_fn=in_child,
    )


def kill_group(pid: int, signum: signal.Signals = signal.SIGKILL) -> None:
    """Signal every process of the group that `pid` leads; nothing happens when none is left."""
    try:
        os.killpg(pid, signum)
    except (ProcessLookupError, PermissionError):
        return


def reap_orphans(ours: Container[int]) -> None:
    """As PID 1 or a subreaper we inherit orphans of the application. Those of `ours` are waited for elsewhere."""
    while True:
        try:
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if found is None or found.si_pid in ours:
            return
        os.waitpid(found.si_pid, os.WNOHANG)
