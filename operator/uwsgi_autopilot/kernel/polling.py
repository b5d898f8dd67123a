"""What does the main thread of a process wait for in poll()? Tells what a signal to a uWSGI worker would interrupt.

A worker with one thread waits with poll() for nothing while it is paused, and for one connection until it may read a
request or go on writing an answer; for the next connection it waits with epoll_wait() (core/utils.c, core/reader.c,
core/writer.c; 2.0.31). /proc/PID/syscall holds the number of the system call and its arguments.
"""

import platform

# poll, ppoll; of both the second argument is how many descriptors.
_CALLS = {"x86_64": (b"7", b"271"), "aarch64": (b"73",)}
_POLL = _CALLS.get(platform.machine(), ())
ELSEWHERE = -1


def polled(pid: int) -> int | None:
    """How many descriptors; ELSEWHERE: it is not in poll(). None: it cannot be seen."""
    try:
        with open(f"/proc/{pid}/syscall", "rb") as call:
            words = call.read().split()
    except OSError:
        return None
    if not words or not _POLL:
        return None
    return int(words[2], 16) if words[0] in _POLL and len(words) > 2 else ELSEWHERE
