"""For how many requests of a few processes does a client still wait?

As long as nginx wants an answer it keeps its end of the connection open, also while its own client reads slowly and
not a byte moves. It closes it when that client has gone, or when the application was silent for the read timeout. The
server notices only when it next writes, the kernel knows at once. So this tells an answer that takes long from one
that nobody will read. Measured (Linux 6.18): an accepted connection stays "established" in socket diagnostics until
its own end is closed, and its attribute SHUTDOWN is 3 as soon as the other end is.
Traps: the connections of an nginx in another network namespace, and those of a TCP port, are not seen: 0.
"""

import os
import socket
import struct
from collections.abc import Collection

from uwsgi_autopilot.kernel.netlink import HEADER, SocketDiagnosticsLink, messages
from uwsgi_autopilot.kernel.sockdiag import TCP_ESTABLISHED, UDIAG_SHOW_NAME, descriptor_links

_REQUEST = struct.Struct("=BBHIIIII")  # unix_diag_req: family, protocol, pad, states, inode, show, cookie x2
_INODE = struct.Struct("=I")
_INODE_AT = HEADER.size + 4  # unix_diag_msg: family, type, state, pad, then the inode
_ATTRIBUTES_AT = HEADER.size + 16
_ATTRIBUTE = struct.Struct("=HH")
_NAME, _SHUTDOWN = 0, 6


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
        data = link.dump(_REQUEST.pack(socket.AF_UNIX, 0, 0, 1 << TCP_ESTABLISHED, 0, UDIAG_SHOW_NAME, 0, 0))
    finally:
        link.close()
    count = 0
    for start, end in messages(data or b""):
        (inode,) = _INODE.unpack_from(data or b"", start + _INODE_AT)
        if f"socket:[{inode}]" in ours:
            attributes = _attributes(data or b"", start + _ATTRIBUTES_AT, end)
            is_one = attributes.get(_NAME, b"").rstrip(b"\0") in names
            count += is_one and attributes.get(_SHUTDOWN, b"\0") == b"\0"
    return count


def _attributes(data: bytes, at: int, end: int) -> dict[int, bytes]:
    found = {}
    while at + _ATTRIBUTE.size <= end:
        size, kind = _ATTRIBUTE.unpack_from(data, at)
        if size < _ATTRIBUTE.size:
            break
        found[kind] = data[at + _ATTRIBUTE.size : at + size]
        at += (size + 3) & ~3
    return found
