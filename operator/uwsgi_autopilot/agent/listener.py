"""The sockets that clients connect to. The agent owns them; generations of uWSGI come and go behind them.

Because the queue belongs to the socket and the socket to this process, a request that waits while a generation
dies is served by the next one.
"""

import os
import socket
from pathlib import Path

from uwsgi_autopilot.api.address import EVERY_ADDRESS, tcp_address
from uwsgi_autopilot.api.agentconfig import AgentConfig

SOMAXCONN = Path("/proc/sys/net/core/somaxconn")


def usable_backlog(wanted: int) -> int:
    """uWSGI refuses to start with a backlog above net.core.somaxconn, and the kernel would cut it silently."""
    try:
        return min(wanted, int(SOMAXCONN.read_text()))
    except (OSError, ValueError):
        return wanted


def kernel_has_ipv6() -> bool:
    """Can a socket listen on every IPv6 address? Whether there is one is another question, and no hindrance."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::", 0))
    except OSError:
        return False
    return True


def bind_all(config: AgentConfig) -> list[socket.socket]:
    """`config.socket` first, then the others. Raises OSError that names the address."""
    listeners: list[socket.socket] = []
    for address in (config.socket, *config.more_sockets):
        try:
            listeners.append(bind(address, config.backlog, mode=config.socket_mode, owner=config.socket_owner))
        except OSError as error:
            for each in listeners:
                each.close()
            raise OSError(error.errno, f"{address} cannot be bound: {error.strerror}") from None
    return listeners


def bind(
    address: str, backlog: int, *, mode: int | None = 0o660, owner: tuple[int, int] | None = None
) -> socket.socket:
    """Listen on a path, replacing a socket that an earlier process left, or on "host:port". Raises OSError.

    "[::]:port" is every address of both families; of IPv4 alone where the kernel has no other.

    mode, owner: of a path; None: as the umask has it, ours.
    """
    tcp = tcp_address(address)
    if tcp is not None and tcp[0] == "::" and not kernel_has_ipv6():
        tcp = (EVERY_ADDRESS, tcp[1])
    family = socket.AF_UNIX if tcp is None else socket.AF_INET6 if ":" in tcp[0] else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if tcp is not None:
            if tcp[0] == "::":
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            # A restarted container finds its predecessor's connections on the port, in TIME_WAIT.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(tcp)
        else:
            Path(address).unlink(missing_ok=True)
            # Under its final name and never renamed: where diagnostics cannot match the file, they match the name.
            listener.bind(address)
            if owner is not None:
                os.chown(address, *owner)
            if mode is not None:
                os.chmod(address, mode)
        listener.listen(usable_backlog(backlog))
    except OSError:
        listener.close()
        raise
    listener.set_inheritable(True)
    return listener
