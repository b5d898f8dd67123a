"""One request against a small server of our own; tests/component asks a real uWSGI."""

import socket
import struct
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from uwsgi_autopilot.uwsgi.request import NoAnswer, ask, request_packet


def variables_of(packet: bytes) -> dict[str, str]:
    modifier1, size, modifier2 = struct.unpack_from("<BHB", packet)
    assert (modifier1, size, modifier2) == (0, len(packet) - 4, 0)
    texts = []
    at = 4
    while at < len(packet):
        (length,) = struct.unpack_from("<H", packet, at)
        texts.append(packet[at + 2 : at + 2 + length].decode())
        at += 2 + length
    return dict(zip(texts[::2], texts[1::2], strict=True))


def test_the_packet_says_what_nginx_would_say():
    said = variables_of(request_packet("/health/ü?deep=1", "shop.example"))
    assert said["REQUEST_METHOD"] == "GET"
    assert said["REQUEST_URI"] == "/health/ü?deep=1"
    assert said["PATH_INFO"] == "/health/ü"
    assert said["QUERY_STRING"] == "deep=1"
    assert said["HTTP_HOST"] == "shop.example"
    assert said["SERVER_NAME"] == "shop.example"


def test_no_host_is_localhost():
    assert variables_of(request_packet("/", ""))["HTTP_HOST"] == "localhost"


def test_what_does_not_fit_into_the_protocol_is_refused():
    with pytest.raises(ValueError, match="65535"):
        request_packet("/" * 40_000, "")
    with pytest.raises(ValueError, match="65535"):
        request_packet("/" * 70_000, "")


@pytest.fixture
def answered() -> Iterator[Callable[[bytes, bool], str]]:
    """Path of a socket that gives this answer to one connection, and then closes it or not."""
    release = threading.Event()
    threads: list[threading.Thread] = []
    with tempfile.TemporaryDirectory(prefix="ua-") as name, socket.socket(socket.AF_UNIX) as server:
        path = str(Path(name) / "s")
        server.bind(path)
        server.listen()

        def serve(answer: bytes, close: bool) -> str:
            def once() -> None:
                connection, _ = server.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer)
                    if not close:
                        release.wait(10)

            threads.append(threading.Thread(target=once))
            threads[-1].start()
            return path

        yield serve
        release.set()
        for each in threads:
            each.join()


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\nhello", 200, id="answered"),
        pytest.param(b"HTTP/1.0 503 Service Unavailable\r\n\r\n", 503, id="an error is an answer"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1_000_000, 200, id="a large body"),
        pytest.param(b"", NoAnswer.HUNG_UP, id="closed without an answer"),
        pytest.param(b"hello", NoAnswer.HUNG_UP, id="no HTTP"),
        pytest.param(b"HTTP/1.1 2", NoAnswer.HUNG_UP, id="half a status line"),
    ],
)
def test_the_status_is_read(answered, answer, status):
    assert ask(answered(answer, True), "/", "", 10) == status


def test_silence_is_no_answer(answered):
    assert ask(answered(b"", False), "/", "", 0.05) is NoAnswer.LATE


def test_a_status_whose_body_does_not_end_is_an_answer(answered):
    assert ask(answered(b"HTTP/1.1 200 OK\r\n\r\n", False), "/", "", 0.2) == 200


@pytest.mark.parametrize("path", ["/missing/socket", "/" + "x" * 200, "/nul\0"])
def test_a_socket_that_is_not_there_is_no_answer(path):
    assert ask(path, "/", "", 0.1) is NoAnswer.LATE


def test_a_path_too_long_to_ask_for_is_no_answer(answered):
    assert ask("/missing/socket", "/" * 70_000, "", 0.1) is NoAnswer.LATE
