"""Bind a TCP port of this machine, or say who has it."""

import errno
import socket

from uwsgi_autopilot.errors import NotServing
from uwsgi_autopilot.kernel.sockdiag import tcp_port_owner

# Where it is not the port's owner that is in the way.
REMEDIES = {
    errno.EADDRNOTAVAIL: "Give an address of this machine",
    errno.EACCES: "Ports below 1024 are root's: give a higher one",
}


def bound(host: str, port: int, *, what: str, remedy: str) -> socket.socket:
    """A bound socket, IPv4 or IPv6, that does not listen yet. Raises NotServing: "`what` cannot be used by process 7
    (…): …. `remedy`"."""
    found = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((host, port))
    except OSError as error:
        found.close()
        if isinstance(error, socket.gaierror):
            remedy = "Give an address of this machine"
        remedy = REMEDIES.get(error.errno or 0, remedy)
        owner = tcp_port_owner(port)
        who = f" by process {owner[0]} ({owner[1]})" if owner else ""
        raise NotServing(f"{what} cannot be used{who}: {error.strerror}. {remedy}") from None
    return found
