"""Addresses of listening sockets, as uWSGI's configurations write them: "/run/app.sock", ":8080", "127.0.0.1:3031"."""

EVERY_ADDRESS = "0.0.0.0"  # noqa: S104


def tcp_address(address: str) -> tuple[str, int]:
    """Host and port of "127.0.0.1:3031", ":3031" (every IPv4 address) or "[::1]:3031"; port 0: it is a path."""
    host, found, port = address.rpartition(":")
    if address.startswith("/") or not found or not port.isdigit():
        return "", 0
    return host.strip("[]") if host not in ("", "*") else EVERY_ADDRESS, int(port)
