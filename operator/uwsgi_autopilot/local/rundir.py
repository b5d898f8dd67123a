"""The private directory of one local run: sockets, FIFOs, generated files. Removed when the run ends."""

import os
import shutil
import tempfile
from pathlib import Path

from uwsgi_autopilot.api.agentconfig import MAX_SOCKET_PATH
from uwsgi_autopilot.errors import NotServing

# The longest name below the directory: private/g999999.stats
LONGEST_NAME = len("/private/g999999.stats")
# What a run writes: generated files of a few KiB, and nginx's temporary copies of large bodies.
MIN_FREE_BYTES = 1024 * 1024


def make_run_directory() -> Path:
    """A fresh directory, mode 0700. Raises NotServing if no place is writable, short enough and has room."""
    tried: list[str] = []
    for base in _places():
        try:
            path = Path(tempfile.mkdtemp(prefix="uap-", dir=base))
        except OSError as error:
            tried.append(f"{base}: {error.strerror}")
            continue
        if len(os.fsencode(path)) + LONGEST_NAME > MAX_SOCKET_PATH:
            tried.append(f"{base}: longer than the {MAX_SOCKET_PATH} bytes that a unix socket's path may have")
        elif shutil.disk_usage(path).free < MIN_FREE_BYTES:
            tried.append(f"{base}: no space left on the disk")
        else:
            (path / "private").mkdir(mode=0o700)
            return path
        path.rmdir()
    raise NotServing(
        "no directory for sockets could be created: "
        + "; ".join(tried)
        + ". Set TMPDIR to one that is short and writable"
    )


def _places() -> list[str]:
    """TMPDIR first, if it is set; then where sockets belong; then /tmp."""
    places = [os.environ.get("TMPDIR"), os.environ.get("XDG_RUNTIME_DIR"), "/tmp", "/dev/shm"]  # noqa: S108
    return list(dict.fromkeys(place for place in places if place))
