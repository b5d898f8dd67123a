"""Addresses of listening sockets, as uWSGI's configurations write them: "/run/app.sock", ":8080", "127.0.0.1:3031"."""

MAX_PORT = 65535
EVERY_ADDRESS = "0.0.0.0"  # noqa: S104


def tcp_address(address: str) -> tuple[str, int] | None:
    """Host and port of "127.0.0.1:3031", ":3031" (every IPv4 address) or "[::1]:3031"; None: it is a path."""
    host, found, port = address.rpartition(":")
    if address.startswith("/") or not found or not port.isdigit():
        return None
    return host.strip("[]") if host not in ("", "*") else EVERY_ADDRESS, int(port)


def reached_at(address: str) -> tuple[str, int] | None:
    """Where a client on this machine finds what listens there: as `tcp_address`, with loopback for every address."""
    found = tcp_address(address)
    return ("127.0.0.1", found[1]) if found and found[0] == EVERY_ADDRESS else found


def host_and_port(host: str, port: int) -> str:
    """As in a URL: "127.0.0.1:8080", "[::1]:8080"."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def reached_text(address: str) -> str:
    """`reached_at` as text; a path as it stands."""
    tcp = reached_at(address)
    return host_and_port(*tcp) if tcp else address
