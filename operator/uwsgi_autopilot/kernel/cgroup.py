"""What the cgroup allows and what it uses: memory, CPU quota, throttling; version 1, version 2 and both mixed.

The files are located once; their contents are read at each call, because a running pod can be resized. Only the levels
that this process can see count: in a container usually just its own.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from uwsgi_autopilot.kernel.process import read_record

# Version 1 says "no limit" with the highest multiple of the page size below 2**63.
_UNLIMITED = 1 << 60


@dataclass(frozen=True, slots=True, kw_only=True)
class _Controller:
    """version: 1 or 2. levels: directories from this process's own cgroup up to the highest that can be seen."""

    version: int
    levels: tuple[Path, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryReading:
    """Bytes; None where there is no such file or no limit.

    limit: the smallest of this cgroup and those above it. usage: in use and not simply to be dropped by the kernel: all
    charged memory less the inactive file pages, which is what the kubelet calls the working set. held: less all file
    pages: what the kernel cannot get back by dropping caches, before it kills.

    usage and held are those of the level whose limit this is, without any limit those of this process's own level.
    Trap: files in a tmpfs (an emptyDir of medium Memory) count.
    """

    limit: int | None = None
    usage: int | None = None
    held: int | None = None


class Cgroup:
    """Every answer is None where there is no such file or no such limit. Never raises."""

    def __init__(self, root: str = "/", process: int | None = None) -> None:
        """root: directory that holds proc/ and sys/; differs only in tests. process: whose cgroup; None: our own."""
        self._memory = _find(Path(root), "memory", process)
        self._cpu = _find(Path(root), "cpu", process)

    def memory(self) -> MemoryReading:
        """Limit and use in one look, so that they can be compared."""
        memory = self._memory
        if memory is None:
            return MemoryReading()
        own = memory.levels[0]
        name = "memory.max" if memory.version == 2 else "memory.limit_in_bytes"
        limits = ((_number(level / name), level) for level in memory.levels)
        found = [(limit, level) for limit, level in limits if limit is not None and limit < _UNLIMITED]
        stat = b""
        if memory.version == 1:
            # The kernel's own minimum over all levels, including those outside this mount.
            stat = read_record(str(own / "memory.stat")) or b""
            hierarchical = _found(stat, "hierarchical_memory_limit")
            if hierarchical is not None and hierarchical < min((limit for limit, _ in found), default=_UNLIMITED):
                found.append((hierarchical, own))
        limit, level = min(found, default=(None, own))
        name, prefix = ("memory.current", "") if memory.version == 2 else _V1_USAGE
        used = _number(level / name)
        if used is None:
            return MemoryReading(limit=limit)
        if level != own or not stat:
            stat = read_record(str(level / "memory.stat")) or b""
        inactive, active = (_found(stat, f"{prefix}{kind}_file") or 0 for kind in ("inactive", "active"))
        return MemoryReading(limit=limit, usage=max(0, used - inactive), held=max(0, used - inactive - active))

    def cpu_quota(self) -> float | None:
        """Cores: the smallest quota of this cgroup and those above it."""
        return min((quota for quota, _ in self._cpu_quotas()), default=None)

    def throttled_seconds(self) -> float | None:
        """Seconds that the CPUs of this cgroup were held back by the quota that cpu_quota() gives; only grows.

        The sum over all CPUs, so it can grow by more than one second a second.
        """
        level = min(self._cpu_quotas(), default=(0.0, self._own(self._cpu)))[1]
        if level is None or self._cpu is None:
            return None
        name, units = ("throttled_usec", 1e6) if self._cpu.version == 2 else ("throttled_time", 1e9)
        throttled = _field(level / "cpu.stat", name)
        return None if throttled is None else throttled / units

    @staticmethod
    def _own(controller: _Controller | None) -> Path | None:
        return controller.levels[0] if controller else None

    def _cpu_quotas(self) -> list[tuple[float, Path]]:
        if self._cpu is None:
            return []
        quotas = ((_quota(level, self._cpu.version), level) for level in self._cpu.levels)
        return [(quota, level) for quota, level in quotas if quota is not None]


_V1_USAGE = ("memory.usage_in_bytes", "total_")


def usable_cores(quota: float | None) -> float:
    """Cores that this process may use: the quota or its CPU affinity, whichever is less."""
    allowed = float(len(os.sched_getaffinity(0)))
    return allowed if quota is None else min(allowed, quota)


def _find(root: Path, controller: str, process: int | None) -> _Controller | None:
    """A controller belongs to one version at a time; where version 1 has it mounted, version 2 does not offer it."""
    try:
        memberships = (root / f"proc/{process or 'self'}/cgroup").read_text(encoding="utf-8").splitlines()
        mounts = (root / "proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return None
    paths: dict[str, str] = {}
    for line in memberships:
        number, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        for name in names.split(",") if names else ("",) if number == "0" else ():
            paths[name] = path
    for version, key in ((1, controller), (2, "")):
        for line in mounts if key in paths else ():
            mounted = _mount_of(line, version, controller)
            if mounted:
                levels = _levels(root, *mounted, paths[key])
                if levels:
                    return _Controller(version=version, levels=levels)
    return None


def _mount_of(line: str, version: int, controller: str) -> tuple[str, str] | None:
    """(directory inside the hierarchy, mount point) when this line of mountinfo mounts that controller."""
    left, separator, right = line.partition(" - ")
    fields, kind = left.split(" "), right.split(" ")
    if not separator or len(fields) < 5 or len(kind) < 3:
        return None
    if version == 2 and kind[0] != "cgroup2":
        return None
    if version == 1 and (kind[0] != "cgroup" or controller not in kind[2].split(",")):
        return None
    return _unescaped(fields[3]), _unescaped(fields[4])


def _levels(root: Path, mounted_part: str, mount_point: str, path: str) -> tuple[Path, ...]:
    """Directories from the cgroup `path` up to the mount point.

    A container without a cgroup namespace mounts its own part of the hierarchy: `mounted_part` is then the beginning of
    `path`. Where the two do not fit (`/../..` after a move, an outer path inside a namespace), the mount point is the
    best there is to see.
    """
    top = root / mount_point.lstrip("/")
    below = os.path.relpath(path, mounted_part) if path.startswith("/") and mounted_part.startswith("/") else ".."
    own = top if below.startswith("..") else top / below
    if not own.is_dir():
        own = top
    levels = [own]
    while levels[-1] != top:
        levels.append(levels[-1].parent)
    return tuple(level for level in levels if level.is_dir())


def _unescaped(text: str) -> str:
    """mountinfo writes a space as \\040."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)


def _number(path: Path) -> int | None:
    """None for a missing file and for `max`."""
    try:
        return int(read_record(str(path)) or b"")
    except ValueError:
        return None


def _field(path: Path, name: str) -> int | None:
    """The number in the line `name number`; None when there is no such file or line."""
    return _found(read_record(str(path)) or b"", name)


def _found(text: bytes, name: str) -> int | None:
    _, found, rest = (b"\n" + text).partition(f"\n{name} ".encode("ascii"))
    value = rest.partition(b"\n")[0]
    return int(value) if found and value.isdigit() else None


def _quota(level: Path, version: int) -> float | None:
    if version == 2:
        try:
            quota, period = (read_record(f"{level}/cpu.max") or b"").split()
            return int(quota) / int(period)
        except (ValueError, ZeroDivisionError):  # "max 100000" is a ValueError
            return None
    quota_us, period_us = _number(level / "cpu.cfs_quota_us"), _number(level / "cpu.cfs_period_us")
    return quota_us / period_us if quota_us and quota_us > 0 and period_us else None
