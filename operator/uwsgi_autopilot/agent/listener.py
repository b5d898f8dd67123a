"""The unix socket that nginx connects to. The agent owns it; generations of uWSGI come and go behind it.

Because the queue belongs to the socket and the socket to this process, a request that waits while a generation
dies is served by the next one.
"""

import os
import socket
from pathlib import Path

SOMAXCONN = Path("/proc/sys/net/core/somaxconn")


def usable_backlog(wanted: int) -> int:
    """uWSGI refuses to start with a backlog above net.core.somaxconn, and the kernel would cut it silently."""
    try:
        return min(wanted, int(SOMAXCONN.read_text()))
    except (OSError, ValueError):
        return wanted


def bind(path: str, backlog: int) -> socket.socket:
    """Listen on `path`, mode 0660, replacing a socket that an earlier process left. Raises OSError."""
    Path(path).unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # Bound under its final name and never renamed: where diagnostics cannot match the file, they match the name.
    listener.bind(path)
    os.chmod(path, 0o660)
    listener.listen(usable_backlog(backlog))
    listener.set_inheritable(True)
    return listener
