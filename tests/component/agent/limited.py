"""A cgroup of its own with a limit of memory, of version 2 or 1: what a container has."""

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MIB = 1024 * 1024
V2 = Path("/sys/fs/cgroup")
V1 = Path("/sys/fs/cgroup/memory")


class NoCgroup(Exception):
    """Why none can be made here."""


@dataclass(frozen=True, slots=True)
class Limited:
    path: Path
    version: int

    @property
    def killed(self) -> int:
        """How many processes the kernel has killed for want of memory."""
        text = (self.path / ("memory.events" if self.version == 2 else "memory.oom_control")).read_text()
        return int(dict(line.split() for line in text.splitlines())["oom_kill"])

    @property
    def failures(self) -> int:
        """How often the limit was met, whether or not that ended well."""
        if self.version == 1:
            return int((self.path / "memory.failcnt").read_text())
        text = (self.path / "memory.events").read_text()
        return int(dict(line.split() for line in text.splitlines())["max"])


@contextlib.contextmanager
def memory_limited(megabytes: int) -> Iterator[Limited]:
    """Raises NoCgroup with one sentence."""
    version = 1 if (V1 / "memory.limit_in_bytes").exists() else 2
    path = (V1 if version == 1 else V2) / f"uwsgi-autopilot-test-{os.getpid()}"
    try:
        if version == 2 and "memory" not in (V2 / "cgroup.subtree_control").read_text().split():
            (V2 / "cgroup.subtree_control").write_text("+memory")
        path.mkdir()
        (path / ("memory.max" if version == 2 else "memory.limit_in_bytes")).write_text(str(megabytes * MIB))
        if version == 2 and (path / "memory.swap.max").exists():
            (path / "memory.swap.max").write_text("0")
    except OSError as error:
        with contextlib.suppress(OSError):
            path.rmdir()
        raise NoCgroup(f"no cgroup with a limit of memory can be made: {error.strerror}") from None
    try:
        yield Limited(path, version)
    finally:
        for _ in range(100):
            with contextlib.suppress(OSError):
                path.rmdir()
                break
            time.sleep(0.1)
