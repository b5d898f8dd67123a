"""How many connections of a TCP port wait to be accepted, and how many are being served."""

import socket
import struct
import sys

from uwsgi_autopilot.kernel.netlink import HEADER, SocketDiagnosticsLink, messages
from uwsgi_autopilot.kernel.sockdiag import TCP_ESTABLISHED, TCP_LISTEN, UnixSocketLoad

TCP_CLOSE_WAIT = 8  # the client has closed its side, and the request is still being served
_REQUEST = struct.Struct("=BBBBI")  # inet_diag_req_v2: family, protocol, extensions, pad, states; then the id
_ID_BYTES = 48  # inet_diag_sockid: source port first
_STATES = 1 << TCP_LISTEN | 1 << TCP_ESTABLISHED | 1 << TCP_CLOSE_WAIT
# inet_diag_msg: family, state, timer, retrans, sockid, expires, rqueue, ...
_STATE_AT = HEADER.size + 1
_PORT_AT = HEADER.size + 4
_QUEUE_AT = HEADER.size + 56


class TcpDiagnostics:
    """Keeps one netlink socket open. Raises OSError at construction where the kernel has no diagnostics."""

    def __init__(self) -> None:
        self._link = SocketDiagnosticsLink()

    def close(self) -> None:
        self._link.close()

    def port(self, port: int) -> UnixSocketLoad | None:
        """The load of whatever listens on this port of our network namespace, IPv4 and IPv6; None: nobody, or the
        kernel does not tell. Whoever is connected, from wherever, is seen: a TCP connection has an end here."""
        wanted = port.to_bytes(2, "big")
        queue: int | None = None
        open_ = 0
        for family in (socket.AF_INET, socket.AF_INET6):
            request = _REQUEST.pack(family, socket.IPPROTO_TCP, 0, 0, _STATES)
            data = self._link.dump(request + wanted + bytes(_ID_BYTES - len(wanted)))
            if data is None:
                return None
            for start, end in messages(data):
                if start + _QUEUE_AT + 4 > end or data[start + _PORT_AT : start + _PORT_AT + 2] != wanted:
                    continue
                if data[start + _STATE_AT] == TCP_LISTEN:
                    waiting = int.from_bytes(data[start + _QUEUE_AT : start + _QUEUE_AT + 4], sys.byteorder)
                    queue = (queue or 0) + waiting
                else:
                    open_ += 1
        if queue is None:
            return None
        # A TCP connection is established before anybody accepts it.
        return UnixSocketLoad(queue=queue, in_service=max(0, open_ - queue))
