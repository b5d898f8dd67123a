"""Against the running kernel: every socket here is real."""

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from uwsgi_autopilot.kernel.sockdiag import (
    SocketDiagnostics,
    UnixSocketLoad,
    _identity_of_name,
    _proc_net_tcp_inodes,
    proc_net_unix,
    tcp_listener_exists,
    tcp_port_owner,
)


@pytest.fixture
def short_dir() -> Iterator[Path]:
    """tmp_path can be longer than the path of a unix socket may be."""
    with tempfile.TemporaryDirectory(prefix="ua-") as name:
        yield Path(name)


@pytest.fixture
def diagnostics() -> Iterator[SocketDiagnostics]:
    with closing(SocketDiagnostics()) as opened:
        yield opened


class Listener:
    """A listening unix socket with `waiting` connections in its queue and `accepted` ones in service."""

    def __init__(self, path: Path, *, waiting: int = 0, accepted: int = 0, backlog: int = 8) -> None:
        self.path = str(path)
        self._kept = ExitStack()
        self.socket = self._kept.enter_context(socket.socket(socket.AF_UNIX))
        self.socket.bind(self.path)
        self.socket.listen(backlog)
        for turn in range(waiting + accepted):
            client = self._kept.enter_context(socket.socket(socket.AF_UNIX))
            client.connect(self.path)
            if turn < accepted:
                self._kept.enter_context(self.socket.accept()[0])

    def __enter__(self) -> "Listener":
        return self

    def __exit__(self, *_: object) -> None:
        self._kept.close()


@pytest.mark.parametrize(("waiting", "accepted"), [(0, 0), (3, 0), (0, 2), (4, 3)])
def test_waiting_and_served_connections_are_counted(short_dir, diagnostics, waiting, accepted):
    with Listener(short_dir / "a", waiting=waiting, accepted=accepted) as listener:
        seen = diagnostics.unix_socket(listener.path)
    assert seen == UnixSocketLoad(queue=waiting, in_service=accepted)


def test_a_neighbour_with_the_same_beginning_of_its_name_is_not_counted(short_dir, diagnostics):
    with Listener(short_dir / "a", waiting=1) as one, Listener(short_dir / "ab", waiting=5, accepted=2) as other:
        assert diagnostics.unix_socket(one.path) == UnixSocketLoad(queue=1, in_service=0)
        assert diagnostics.unix_socket(other.path) == UnixSocketLoad(queue=5, in_service=2)


def test_the_same_socket_through_another_path_is_the_same(short_dir, diagnostics):
    with Listener(short_dir / "a", waiting=2, accepted=1) as listener:
        os.link(listener.path, short_dir / "other-mount")
        assert diagnostics.unix_socket(str(short_dir / "other-mount")) == diagnostics.unix_socket(listener.path)


def test_a_replaced_file_is_told_from_its_predecessor_of_the_same_name(short_dir, diagnostics):
    with Listener(short_dir / "a", waiting=5):
        os.unlink(short_dir / "a")
        with Listener(short_dir / "a", waiting=1) as successor:
            assert diagnostics.unix_socket(successor.path) == UnixSocketLoad(queue=1, in_service=0)


def test_the_name_finds_the_socket_where_its_file_cannot_be_looked_at(short_dir, diagnostics):
    with Listener(short_dir / "a", waiting=2, accepted=1) as listener:
        os.unlink(listener.path)
        assert diagnostics.unix_socket(listener.path) == UnixSocketLoad(queue=2, in_service=1)


def test_a_name_that_two_listeners_have_finds_nobody(short_dir, diagnostics):
    with Listener(short_dir / "a"):
        os.unlink(short_dir / "a")
        with Listener(short_dir / "a"):
            os.unlink(short_dir / "a")
            assert diagnostics.unix_socket(str(short_dir / "a")) is None


def test_a_garbled_dump_finds_nobody():
    assert _identity_of_name(b"\x28\0\0\0" + b"\0" * 60, "/a") is None
    assert _identity_of_name(b"", "/a") is None


def test_what_does_not_listen_cannot_be_seen(short_dir, diagnostics):
    (short_dir / "file").touch()
    assert diagnostics.unix_socket(str(short_dir / "file")) is None
    assert diagnostics.unix_socket(str(short_dir / "missing")) is None
    with closing(socket.socket(socket.AF_UNIX)) as bound:
        bound.bind(str(short_dir / "bound"))
        assert diagnostics.unix_socket(str(short_dir / "bound")) is None


def test_the_next_look_works_after_an_error(short_dir, diagnostics):
    with Listener(short_dir / "a", waiting=1) as listener:
        diagnostics._link._socket.close()
        assert diagnostics.unix_socket(listener.path) is None
        assert diagnostics.unix_socket(listener.path) == UnixSocketLoad(queue=1, in_service=0)


@pytest.mark.parametrize(("waiting", "accepted"), [(0, 0), (3, 2)])
def test_proc_net_unix_sees_the_same_but_for_the_backlog(short_dir, waiting, accepted):
    with Listener(short_dir / "a b", waiting=waiting, accepted=accepted) as listener:
        seen = proc_net_unix(listener.path)
    assert seen == UnixSocketLoad(queue=waiting, in_service=accepted)


def test_proc_net_unix_does_not_see_what_does_not_listen(short_dir):
    assert proc_net_unix(str(short_dir / "missing")) is None


@pytest.mark.parametrize(
    ("family", "address"),
    [pytest.param(socket.AF_INET, "127.0.0.1", id="v4"), pytest.param(socket.AF_INET6, "::1", id="v6")],
)
def test_a_tcp_listener_is_found_with_its_owner(family, address):
    with closing(socket.socket(family)) as server:
        try:
            server.bind((address, 0))
        except OSError:
            pytest.skip(f"no {address} here")
        port = server.getsockname()[1]
        assert tcp_listener_exists(port) is False
        assert tcp_port_owner(port) is None
        server.listen()
        assert tcp_listener_exists(port) is True
        assert _proc_net_tcp_inodes(port) == [os.fstat(server.fileno()).st_ino]
        owner = tcp_port_owner(port)
        assert owner is not None
        assert owner[0] == os.getpid()
        assert "python" in owner[1]
    assert tcp_listener_exists(port) is False
