"""What the kernel knows about listening sockets: how many wait in the queue, how many are being served, who listens.

uWSGI itself reports 0 for the queue of a unix socket, always. The kernel's socket diagnostics (netlink, what `ss -xl`
uses) are exact, need no privilege and see every socket of the *network* namespace, even from another container of the
pod, whatever its pid, mount or user namespace.
"""

import os
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from uwsgi_autopilot.kernel.netlink import ATTRIBUTE, HEADER, SocketDiagnosticsLink, attributes, messages
from uwsgi_autopilot.kernel.process import command_of

TCP_ESTABLISHED = 1
TCP_LISTEN = 10
UDIAG_SHOW_NAME = 0x1
UDIAG_SHOW_VFS = 0x2
UDIAG_SHOW_RQLEN = 0x10
UNIX_DIAG_NAME = 0
UNIX_DIAG_VFS = 1
UNIX_DIAG_RQLEN = 4
UNIX_DIAG_SHUTDOWN = 6

_UNIX_REQUEST = struct.Struct("=BBHIIIII")  # unix_diag_req: family, protocol, pad, states, inode, show, cookie x2
_UNIX_MESSAGE = struct.Struct("=BBBBIII")  # unix_diag_msg: family, type, state, pad, inode, cookie x2
_INET_REQUEST = struct.Struct("=BBBBI")  # inet_diag_req_v2: family, protocol, extensions, pad, states; then the id
_INET_ID_BYTES = 48  # inet_diag_sockid: source port first
_PAIR = struct.Struct("=II")
# The kernel writes NAME (only when asked for), VFS, RQLEN in this order, so without NAME they lie at fixed places.
_STATE_AT = HEADER.size + 2
UNIX_INODE_AT = HEADER.size + 4
UNIX_ATTRIBUTES_AT = _VFS_AT = HEADER.size + _UNIX_MESSAGE.size
_RQLEN_AT = _VFS_AT + ATTRIBUTE.size + _PAIR.size
_RQLEN_END = _RQLEN_AT + ATTRIBUTE.size + _PAIR.size
_INET_PORT_AT = HEADER.size + 4  # inet_diag_msg: idiag_sport, big endian
_INET_INODE_AT = HEADER.size + 68  # idiag_inode, 32 bits


@dataclass(frozen=True, slots=True, kw_only=True)
class UnixSocketLoad:
    """queue: connections that wait to be accepted; None where it cannot be seen.

    in_service: accepted connections that are still open. For the uwsgi protocol that is the number of requests being
    served: nginx keeps no connection to such an upstream.
    """

    queue: int | None
    in_service: int


class SocketDiagnostics:
    """Keeps one netlink socket open. Raises OSError at construction where the kernel has no diagnostics (gVisor).

    Measured: a look costs 37 microseconds among a few dozen sockets. Not thread-safe: one thread uses it.
    """

    def __init__(self) -> None:
        self._link = SocketDiagnosticsLink()

    def close(self) -> None:
        self._link.close()

    def unix_socket(self, path: str) -> UnixSocketLoad | None:
        """The load of the listening socket at `path`; None when it cannot be seen, which never means "no load".

        The socket is found by device and inode of its file, so different mounts of the same directory in several
        containers make no difference; else (a file system whose numbers the kernel and stat() give differently) by
        the name it was bound with, if only one listener has it.

        Trap: an accepted socket belongs to the network namespace of the *client*. With nginx in another one
        (compose, two containers) `in_service` reads 0 while `queue` stays right; take it from uWSGI's stats there.
        """
        data = self._dump(1 << TCP_LISTEN | 1 << TCP_ESTABLISHED, UDIAG_SHOW_VFS | UDIAG_SHOW_RQLEN)
        if data is None:
            return None
        identity = _identity_of_file(path)
        found = _count(data, identity) if identity is not None else None
        if found is not None:
            return found
        names = self._dump(1 << TCP_LISTEN, UDIAG_SHOW_NAME | UDIAG_SHOW_VFS)
        identity = _identity_of_name(names, path) if names is not None else None
        return _count(data, identity) if identity is not None else None

    def _dump(self, states: int, show: int) -> bytes | None:
        return self._link.dump(unix_request(states, show))


def unix_request(states: int, show: int) -> bytes:
    """For SocketDiagnosticsLink.dump: the unix sockets in these states (a bit each), with the attributes of `show`."""
    return _UNIX_REQUEST.pack(socket.AF_UNIX, 0, 0, states, 0, show, 0, 0)


def _identity_of_file(path: str) -> bytes | None:
    """The VFS attribute's payload for this file: inode and device as the kernel writes them, 32 bits each."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    device = os.major(status.st_dev) << 20 | os.minor(status.st_dev)
    return _PAIR.pack(status.st_ino & 0xFFFFFFFF, device)


def _identity_of_name(data: bytes, path: str) -> bytes | None:
    wanted = os.fsencode(path)
    found = set()
    for start, end in messages(data):
        shown = attributes(data, start + UNIX_ATTRIBUTES_AT, end)
        if shown.get(UNIX_DIAG_NAME, b"").rstrip(b"\0") == wanted and UNIX_DIAG_VFS in shown:
            found.add(shown[UNIX_DIAG_VFS])
    return found.pop() if len(found) == 1 else None


def _count(data: bytes, identity: bytes) -> UnixSocketLoad | None:
    """Count the sockets of a dump without names that carry this identity; None when no listener does.

    Searches for the attribute's bytes instead of walking message by message: among hundreds of other programs'
    connections that is the difference between microseconds and milliseconds.
    """
    attribute = ATTRIBUTE.pack(ATTRIBUTE.size + _PAIR.size, UNIX_DIAG_VFS) + identity
    in_service = 0
    queue: int | None = None
    at = data.find(attribute)
    while at >= 0:
        start = at - _VFS_AT
        state = data[start + _STATE_AT] if start >= 0 else None
        if state == TCP_ESTABLISHED:
            in_service += 1
        elif state == TCP_LISTEN and start + _RQLEN_END <= len(data):
            size, kind = ATTRIBUTE.unpack_from(data, start + _RQLEN_AT)
            if (size, kind) == (_RQLEN_END - _RQLEN_AT, UNIX_DIAG_RQLEN):
                queue, _ = _PAIR.unpack_from(data, start + _RQLEN_AT + ATTRIBUTE.size)
        at = data.find(attribute, at + len(attribute))
    if queue is None:
        return None
    return UnixSocketLoad(queue=queue, in_service=in_service)


def proc_net_unix(path: str) -> UnixSocketLoad | None:
    """The same from /proc/net/unix, by the bound name alone, where there are no socket diagnostics. None: no listener.

    Seen on Linux 6.18: the listener is the line with the flag 00010000 (accepts connections), an accepted connection
    reads state 03, and one that still waits in the queue state 02 with inode 0; both carry the listener's path. So the
    queue *is* visible. Traps: a path that several listeners were bound to one after
    another counts them together; with nginx in another network namespace both numbers read 0.
    """
    listens = False
    queue = in_service = 0
    suffix = b" " + os.fsencode(path)
    try:
        with open("/proc/net/unix", "rb") as lines:
            for line in lines:
                if not line.rstrip(b"\n").endswith(suffix):
                    continue
                fields = line.split(None, 7)  # Num RefCount Protocol Flags Type St Inode Path
                if len(fields) < 8 or fields[7].rstrip(b"\n") != suffix[1:]:
                    continue
                if int(fields[3], 16) & 0x10000:
                    listens = True
                elif fields[5] == b"03":
                    in_service += 1
                elif fields[5] == b"02":
                    queue += 1
    except (OSError, ValueError):
        return None
    return UnixSocketLoad(queue=queue, in_service=in_service) if listens else None


def tcp_listener_exists(port: int) -> bool | None:
    """Whether anything of this network namespace listens on this port, v4 or v6, any address. None: cannot be told."""
    inodes = _tcp_listener_inodes(port)
    return None if inodes is None else bool(inodes)


def tcp_port_owner(port: int) -> tuple[int, str] | None:
    """(pid, command line) of a process that holds a listening socket of this port; None when nobody does, or when it
    cannot be told: the process belongs to someone else, or lives in another pid namespace.

    Opens every descriptor link of every process (milliseconds): for a message to a person, not for a loop.
    """
    inodes = _tcp_listener_inodes(port)
    if not inodes:
        return None
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for pid in sorted(int(name) for name in os.listdir("/proc") if name.isdigit()):
        if any(link in wanted for link in descriptor_links(pid)):
            return pid, command_of(pid) or ""
    return None


def descriptor_links(pid: int) -> Iterator[str]:
    """Where the descriptors of a process lead; fewer if it ends in between, none if it is not ours to look at."""
    try:
        names = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return
    for name in names:
        with suppress(OSError):
            yield os.readlink(f"/proc/{pid}/fd/{name}")


def _tcp_listener_inodes(port: int) -> list[int] | None:
    """From inet_diag, and from /proc/net/tcp{,6} where the kernel has no tcp_diag."""
    try:
        link = SocketDiagnosticsLink()
    except OSError:
        return _proc_net_tcp_inodes(port)
    inodes: list[int] = []
    wanted = port.to_bytes(2, "big")
    try:
        for family in (socket.AF_INET, socket.AF_INET6):
            request = _INET_REQUEST.pack(family, socket.IPPROTO_TCP, 0, 0, 1 << TCP_LISTEN)
            data = link.dump(request + wanted + bytes(_INET_ID_BYTES - len(wanted)))
            if data is None:
                return _proc_net_tcp_inodes(port)
            inodes += [
                int.from_bytes(data[start + _INET_INODE_AT : start + _INET_INODE_AT + 4], sys.byteorder)
                for start, end in messages(data)
                if start + _INET_INODE_AT + 4 <= end
                and data[start + _INET_PORT_AT : start + _INET_PORT_AT + 2] == wanted
            ]
    finally:
        link.close()
    return inodes


def _proc_net_tcp_inodes(port: int) -> list[int] | None:
    inodes: list[int] = []
    seen = False
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table, encoding="ascii") as lines:
                next(lines, None)
                for line in lines:
                    fields = line.split()
                    if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                        inodes.append(int(fields[9]))
        except (OSError, ValueError, IndexError):
            continue
        seen = True
    return inodes if seen else None
