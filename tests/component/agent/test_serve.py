"""The agent's own HTTP server, alone and as strangers and the kubelet meet it in a pod."""

import http.client
import os
import socket
import time

import pytest

from uwsgi_autopilot.agent import serve

pytestmark = pytest.mark.component


@pytest.fixture
def server():
    pages = {
        "/healthz": serve.text_page(lambda: (200, "ok\n")),
        "/large": serve.text_page(lambda: (200, "x" * 5_000_000)),
        "/broken": serve.text_page(lambda: 1 / 0),
    }
    started = serve.Server("127.0.0.1:0", pages)
    yield started
    started.close()


@pytest.fixture
def connect(server):
    """Sockets from any of the machine's own addresses; closed after the test."""
    opened = []

    def connection(source="127.0.0.1", sends=b""):
        opened.append(socket.create_connection(server.address, timeout=20, source_address=(source, 0)))
        opened[-1].sendall(sends)
        return opened[-1]

    yield connection
    for each in opened:
        each.close()


def whole_answer(client):
    found = b""
    while part := client.recv(65536):
        found += part
    return found


def threads():
    return len(os.listdir("/proc/self/task"))


def test_a_container_that_starts_again_gets_its_port():
    """Its predecessor's connections are still in TIME_WAIT: measured in a pod whose application did not import."""

    def serve_once(port: int) -> int:
        server = serve.Server(f"127.0.0.1:{port}", {"/healthz": serve.text_page(lambda: (200, "ok\n"))})
        with socket.create_connection(server.address) as client:
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            # The server hangs up first: TIME_WAIT is at its end.
            whole_answer(client)
        bound: int = server.address[1]
        server.close()
        return bound

    port = serve_once(0)
    assert serve_once(port) == port


@pytest.mark.parametrize(
    ("request_text", "answers"),
    [
        pytest.param(b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n", [b"200 OK"], id="a page"),
        pytest.param(b"GET /healthz HTTP/1.0\r\n\r\n", [b"200 OK"], id="as nginx asks"),
        pytest.param(b"HEAD /large HTTP/1.0\r\n\r\n", [b"200 OK"], id="its head"),
        pytest.param(b"GET /healthz HTTP/1.1\r\n\r\n" * 3 + b"GET / HTTP/1.0\r\n\r\n",
                     [b"200 OK"] * 3 + [b"404 Not Found"], id="several in one write"),
        pytest.param(b"POST /healthz HTTP/1.1\r\nContent-Length: 2\r\n\r\nab",
                     [b"405 Method Not Allowed"], id="a body"),
        pytest.param(b"GET /broken HTTP/1.0\r\n\r\n", [b"500 Internal Server Error"], id="a page with a fault"),
        pytest.param(b"GET http://[ HTTP/1.0\r\n\r\n", [b"400 Bad Request"], id="an address that is none"),
        pytest.param(b"GET /healthz?%00&&==&" + b"a=1&" * 1500 + b" HTTP/1.0\r\n\r\n", [b"200 OK"],
                     id="an absurd query"),
        pytest.param(b"\x16\x03\x01 hello\r\n\r\n", [b"400 Bad Request"], id="no HTTP"),
        pytest.param(b"GET /" + b"x" * 9000, [b"400 Bad Request"], id="a head without end"),
    ],
)  # fmt: skip
def test_each_request_gets_its_answer(server, connect, request_text, answers):
    found = whole_answer(connect(sends=request_text))
    assert [part.partition(b"\r\n")[0] for part in found.split(b"HTTP/1.1 ")[1:]] == answers
    assert b"200 OK" in whole_answer(connect(sends=b"GET /healthz HTTP/1.0\r\n\r\n")), "it keeps serving"


def test_a_large_answer_is_whole_and_its_connection_is_kept(connect):
    client = http.client.HTTPConnection("x")
    client.sock = connect()
    for _ in range(3):
        client.request("GET", "/large")
        time.sleep(0.1)  # the socket's buffers are full meanwhile
        assert len(client.getresponse().read()) == 5_000_000
    client.close()


@pytest.mark.parametrize("sends", [b"", b"GET /healthz HT"], ids=["silent", "half a request"])
def test_half_open_connections_make_no_threads_and_keep_nobody_out(server, connect, until, sends):
    before = threads()
    strangers = [connect(sends=sends) for _ in range(300)]
    for source in ("127.0.0.1", "127.0.0.2"):
        asked = connect(source, b"GET /healthz HTTP/1.0\r\n\r\n")
        assert b"200 OK" in whole_answer(asked), f"asked from {source}"
    assert threads() <= before, "fewer where one of an earlier test has ended meanwhile"
    until(lambda: open_ones(strangers) <= serve.MOST_OF_ONE_ADDRESS, "the others are closed")


def test_strangers_of_many_addresses_are_bounded_too(server, connect, until):
    strangers = [connect(f"127.0.0.{number % 50 + 2}") for number in range(300)]
    assert b"200 OK" in whole_answer(connect("127.0.0.1", b"GET /healthz HTTP/1.0\r\n\r\n"))
    until(lambda: open_ones(strangers) <= serve.MOST_CONNECTIONS, "the others are closed")


def test_a_kept_connection_that_asks_outlives_strangers_of_other_addresses(connect):
    client = http.client.HTTPConnection("x")
    client.sock = operator = connect("127.0.0.1")
    for number in range(200):
        connect(f"127.0.0.{number % 50 + 2}")
        if number % 20 == 0:
            client.request("GET", "/healthz")
            assert client.getresponse().read() == b"ok\n"
    assert client.sock is operator, "and it was never opened again"


def test_a_request_has_a_deadline_as_a_whole(connect):
    """A byte at a time, each in good time, and nothing at all: both are closed while we wait."""
    silent, dribbling = connect(), connect()
    deadline = time.monotonic() + 30
    closed = False
    while not closed and time.monotonic() < deadline:
        time.sleep(0.2)
        try:
            dribbling.sendall(b"G")
        except OSError:
            closed = True
    assert closed
    assert whole_answer(silent) == b""


def open_ones(clients):
    """How many of them have not been closed by the other side; closing takes a moment."""
    return sum(not_closed(each) for each in clients)


def not_closed(client):
    client.setblocking(False)
    try:
        return bool(client.recv(1))
    except BlockingIOError:
        return True
    except OSError:
        return False


def test_in_a_pod_strangers_on_every_port_keep_no_probe_waiting(pod):
    """What the kubelet asks, while 300 connections are half open on each of the three ports."""
    served = pod()
    served.until(lambda: served.ready()[0] == 200, "ready")
    agent = served.children["agent"].pid
    before = len(os.listdir(f"/proc/{agent}/task"))
    strangers = []
    try:
        for port in (served.port, served.probes, served.client):
            for number in range(300):
                strangers.append(socket.create_connection(("127.0.0.1", port), timeout=20))
                strangers[-1].sendall(b"GET /healthz HT" if number % 2 else b"")
        for _ in range(5):
            assert served.get("/healthz", served.port)[0] == 200
            for page in ("startup", "ready", "nginx"):
                assert served.get(f"/_autopilot/{page}", served.probes)[0] == 200
        assert len(os.listdir(f"/proc/{agent}/task")) <= before + 1, "one may be asking the application"
    finally:
        for each in strangers:
            each.close()
