"""What /proc says about one process: children, identity, CPU, time waited for a CPU, memory.

Every function answers None (or an empty list) when the process is gone or may not be looked at: a process can end
between any two lines, and that is not an error.
"""

import os
from dataclasses import dataclass

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
RECORD_BYTES = 16384


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineCpu:
    """CPU seconds of the whole machine since boot, all cores together.

    busy_s: spent working. steal_s: wanted but taken by the hypervisor. total_s: all that existed, idle included.
    In a container these are the node's figures.
    """

    busy_s: float
    steal_s: float
    total_s: float


def read_file(path: str) -> bytes | None:
    """A file of /proc or /sys in one piece, without the layers of open(): these run many times a second."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        parts = []
        while part := os.read(descriptor, RECORD_BYTES):
            parts.append(part)
        return b"".join(parts)
    except OSError:  # ESRCH: the process ended while its file was open
        return None
    finally:
        os.close(descriptor)


def read_record(path: str) -> bytes | None:
    """Its first RECORD_BYTES, with one read instead of two or more: enough for a file that the kernel writes as one
    record, such as stat, schedstat and all of a cgroup's numbers. Trap: a list, such as children, comes in pieces."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.read(descriptor, RECORD_BYTES)
    except OSError:  # ESRCH: the process ended while its file was open
        return None
    finally:
        os.close(descriptor)


def _stat_fields(pid: int) -> list[bytes] | None:
    """Fields of /proc/PID/stat from the state (field 3) on: the name before may contain spaces and brackets."""
    text = read_record(f"/proc/{pid}/stat")
    if not text:
        return None
    return text[text.rfind(b")") + 2 :].split()


def catches(pid: int, number: int) -> bool | None:
    """Whether it has a handler of its own for a signal. None: it is gone, or cannot be seen."""
    for line in (read_file(f"/proc/{pid}/status") or b"").splitlines():
        if line.startswith(b"SigCgt:"):
            return bool(int(line.split()[1], 16) >> (number - 1) & 1)
    return None


def children_of(pid: int) -> list[int]:
    """Direct children of all threads of `pid`, in order of start.

    From /proc/PID/task/*/children; where the kernel was built without that file, from the parent of every process.
    """
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []
    found: list[int] = []
    for task in tasks:
        text = read_file(f"/proc/{pid}/task/{task}/children")
        if text is None and not os.path.exists(f"/proc/self/task/{os.getpid()}/children"):
            return _children_by_parent(pid)
        found.extend(int(each) for each in (text or b"").split())
    return found


def _children_by_parent(pid: int) -> list[int]:
    return sorted(int(name) for name in os.listdir("/proc") if name.isdigit() and parent_of(int(name)) == pid)


def parent_of(pid: int) -> int | None:
    fields = _stat_fields(pid)
    return int(fields[1]) if fields else None


def state_of(pid: int) -> str | None:
    """One letter: R runs, S sleeps, D disk, Z zombie, T stopped."""
    fields = _stat_fields(pid)
    return fields[0].decode("ascii") if fields else None


def start_ticks(pid: int) -> int | None:
    """When it started, in clock ticks since boot. The pair (pid, start_ticks) identifies a process for good: a reused
    pid has another start."""
    fields = _stat_fields(pid)
    return int(fields[19]) if fields else None


def cpu_seconds(pid: int) -> float | None:
    """User and system time of all threads, including ended ones, without children; in steps of 10 ms."""
    fields = _stat_fields(pid)
    return (int(fields[11]) + int(fields[12])) / _TICKS if fields else None


def runqueue_seconds(pid: int, max_threads: int) -> float | None:
    """Seconds that the threads of `pid` were ready to run but waited for a CPU, summed over the threads.

    With more than `max_threads` threads only so many are read, spread evenly and always the same ones while the
    threads stay the same, and the sum is *scaled up* to all of them. None where the kernel has no schedstat.
    """
    try:
        tasks = sorted(map(int, os.listdir(f"/proc/{pid}/task")))
    except OSError:
        return None
    count = len(tasks)
    looked = min(count, max(1, max_threads))
    waited_ns = read = 0
    for index in range(looked):
        text = read_record(f"/proc/{pid}/task/{tasks[index * count // looked]}/schedstat")
        if text:
            waited_ns += int(text.split()[1])
            read += 1
    return waited_ns / 1e9 * count / read if read else None


def written_bytes(pid: int, tid: int) -> int | None:
    """Bytes that one thread has passed to write() and sendfile() since it started, whatever the target: sockets, pipes,
    files.

    send() does not count. Measured: a read takes 15 microseconds on a saturated machine.
    """
    text = read_record(f"/proc/{pid}/task/{tid}/io")
    at = text.find(b"wchar:") if text else -1
    return int(text[at + 6 :].split(None, 1)[0]) if text and at >= 0 else None


def pss_bytes(pid: int) -> int | None:
    """Proportional set size: private pages and a fair share of the shared ones.

    Costs the kernel a walk over all mappings (about 0.5 ms for each 100 MB), so one process at a time and seldom.
    Needs the same uid; falls back to RSS, which counts every shared page in full.
    """
    text = read_record(f"/proc/{pid}/smaps_rollup")
    if text:
        at = text.find(b"\nPss:")
        if at >= 0:
            return int(text[at + 5 :].split(None, 1)[0]) * 1024
    return rss_bytes(pid)


def rss_bytes(pid: int) -> int | None:
    text = read_record(f"/proc/{pid}/statm")
    return int(text.split()[1]) * _PAGE if text else None


def command_of(pid: int) -> str | None:
    """The command line with spaces between the words; empty for a kernel thread or a zombie."""
    text = read_file(f"/proc/{pid}/cmdline")
    return text.rstrip(b"\0").replace(b"\0", b" ").decode("utf-8", "replace") if text is not None else None


def machine_cpu() -> MachineCpu | None:
    """Raises nothing; None where /proc/stat cannot be read."""
    text = read_record("/proc/stat")
    if not text:
        return None
    # user nice system idle iowait irq softirq steal; guest time is already part of user.
    ticks = [int(each) for each in text[: text.find(b"\n")].split()[1:9]]
    busy = ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6]
    return MachineCpu(busy_s=busy / _TICKS, steal_s=ticks[7] / _TICKS, total_s=sum(ticks) / _TICKS)
