"""For how many requests of a few processes does a client still wait?

As long as nginx wants an answer it keeps its end of the connection open, also while its own client reads slowly and
not a byte moves. It closes it when that client has gone, or when the application was silent for the read timeout. The
server notices only when it next writes, the kernel knows at once. So this tells an answer that takes long from one
that nobody will read. Measured (Linux 6.18): an accepted connection stays "established" in socket diagnostics until
its own end is closed, and its attribute SHUTDOWN is 3 as soon as the other end is.
Traps: the connections of an nginx in another network namespace, and those of a TCP port, are not seen: 0.
"""

import os
import struct
from collections.abc import Collection

from uwsgi_autopilot.kernel.netlink import SocketDiagnosticsLink, attributes, messages
from uwsgi_autopilot.kernel.sockdiag import (
    TCP_ESTABLISHED,
    UDIAG_SHOW_NAME,
    UNIX_ATTRIBUTES_AT,
    UNIX_DIAG_NAME,
    UNIX_DIAG_SHUTDOWN,
    UNIX_INODE_AT,
    descriptor_links,
    unix_request,
)

_INODE = struct.Struct("=I")


def waited_for(pids: Collection[int], paths: Collection[str]) -> int:
    """Connections to unix sockets that were bound as `paths`, accepted by `pids`, whose other end is open.

    0 where it cannot be seen. Costs a dump of all unix sockets and a readlink for each descriptor: once a second.
    """
    ours = {link for pid in pids for link in descriptor_links(pid)}
    names = {os.fsencode(path) for path in paths}
    try:
        link = SocketDiagnosticsLink()
    except OSError:
        return 0
    try:
        data = link.dump(unix_request(1 << TCP_ESTABLISHED, UDIAG_SHOW_NAME)) or b""
    finally:
        link.close()
    count = 0
    for start, end in messages(data):
        (inode,) = _INODE.unpack_from(data, start + UNIX_INODE_AT)
        if f"socket:[{inode}]" in ours:
            shown = attributes(data, start + UNIX_ATTRIBUTES_AT, end)
            is_one = shown.get(UNIX_DIAG_NAME, b"").rstrip(b"\0") in names
            count += is_one and shown.get(UNIX_DIAG_SHUTDOWN, b"\0") == b"\0"
    return count
