"""Bind a TCP port of this machine, or say who has it."""

import errno
import socket

from uwsgi_autopilot.errors import NotServing
from uwsgi_autopilot.kernel.sockdiag import tcp_port_owner

ELSEWHERE = "Give an address of this machine"
PRIVILEGED = "Ports below 1024 are root's: give a higher one"


def bound(host: str, port: int, *, what: str, remedy: str) -> socket.socket:
    """A bound socket, IPv4 or IPv6, that does not listen yet. Raises NotServing: "`what` cannot be used by process 7
    (…): …. `remedy`"; where no process is in the way it has a remedy of its own."""
    found = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((host, port))
    except OSError as error:
        found.close()
        owner = None
        if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
            remedy = ELSEWHERE
        elif error.errno == errno.EACCES:
            remedy = PRIVILEGED
        else:
            owner = tcp_port_owner(port)
        who = f" by process {owner[0]} ({owner[1]})" if owner else ""
        raise NotServing(f"{what} cannot be used{who}: {error.strerror}. {remedy}") from None
    return found
