"""Addresses as uWSGI writes them, and where a client on this machine finds what listens there."""

import pytest

from uwsgi_autopilot.api.address import reached_at, reached_text, tcp_address


@pytest.mark.parametrize(
    ("address", "bound", "reached"),
    [
        (":8080", ("0.0.0.0", 8080), "127.0.0.1:8080"),
        ("*:8080", ("0.0.0.0", 8080), "127.0.0.1:8080"),
        ("0.0.0.0:8080", ("0.0.0.0", 8080), "127.0.0.1:8080"),
        ("127.0.0.1:3031", ("127.0.0.1", 3031), "127.0.0.1:3031"),
        ("127.0.0.1:0", ("127.0.0.1", 0), "127.0.0.1:0"),
        ("shop.local:3031", ("shop.local", 3031), "shop.local:3031"),
        ("[::1]:3031", ("::1", 3031), "[::1]:3031"),
    ],
)
def test_tcp(address: str, bound: tuple[str, int], reached: str) -> None:
    assert tcp_address(address) == bound
    assert reached_text(address) == reached


@pytest.mark.parametrize("path", ["/run/app.sock", "/run/app:3031", "app.sock", "app:sock"])
def test_a_path_has_no_port(path: str) -> None:
    assert tcp_address(path) is reached_at(path) is None
    assert reached_text(path) == path
