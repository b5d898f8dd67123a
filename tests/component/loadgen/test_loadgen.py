"""The load generator as a process, against servers that are real sockets and behave well or badly on purpose."""

import contextlib
import json
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.component.conftest import wait_until

pytestmark = pytest.mark.component

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
RESET = struct.pack("ii", 1, 0)  # SO_LINGER of zero seconds: close() sends RST


@dataclass
class Server:
    """Runs `serve(socket, number)` in a thread for each connection; `paths` are the request targets it has read."""

    serve: Callable[["Server", socket.socket, int], None]
    paths: list[str] = field(default_factory=list)
    connections: int = 0

    def __post_init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.connections += 1
                threading.Thread(target=self._one, args=(connection, self.connections), daemon=True).start()

    def _one(self, connection: socket.socket, number: int) -> None:
        with connection, contextlib.suppress(OSError):
            self.serve(self, connection, number)

    def request(self, connection: socket.socket) -> str:
        """Read one request; an empty string when the client closed."""
        data = b""
        while not data.endswith(b"\r\n\r\n"):
            if not (piece := connection.recv(65536)):
                return ""
            data += piece
        self.paths.append(data.split(b" ", 2)[1].decode())
        return self.paths[-1]


@pytest.fixture
def serving() -> Iterator[Callable[[Callable[[Server, socket.socket, int], None]], Server]]:
    servers: list[Server] = []

    def start(serve: Callable[[Server, socket.socket, int], None]) -> Server:
        servers.append(Server(serve))
        return servers[-1]

    yield start
    for server in servers:
        server.listener.close()


def answering(answer: bytes, *, after_s: float = 0.0) -> Callable[[Server, socket.socket, int], None]:
    def serve(server: Server, connection: socket.socket, number: int) -> None:
        while server.request(connection):
            time.sleep(after_s)
            connection.sendall(answer)

    return serve


def start(url: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "uwsgi_autopilot.loadgen", "--url", url, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)


def read(process: subprocess.Popen[str]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The lines and the summary of a run that ends by itself, after checking that they agree."""
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    *lines, last = [json.loads(text) for text in out.splitlines()]
    summary = last["summary"]
    assert summary["sent"] == summary["answered"] + summary["failed"]
    assert sum(line["requests"] for line in lines) == summary["sent"]
    assert sum(line["failed"] for line in lines) == summary["failed"] == sum(summary["failures"].values())
    assert sum(count for line in lines for _, count in line["latency"]) == summary["answered"]
    return lines, summary


def run(url: str, *arguments: str) -> dict[str, Any]:
    return read(start(url, *arguments))[1]


def run_until(seen: Callable[[], bool], what: str, url: str, *arguments: str) -> dict[str, Any]:
    """The summary of a run that is asked to end when `seen`: how much fits into a second depends on the machine."""
    process = start(url, *arguments, "--seconds", "1h")
    try:
        wait_until(lambda: process.poll() is not None or seen(), what)
        process.send_signal(signal.SIGTERM)
        return read(process)[1]
    finally:
        process.kill()


def test_a_closed_loop_counts_what_the_server_served(serving) -> None:
    server = serving(answering(OK, after_s=0.005))
    summary = run(server.url, "--load", "clients=8,path=/io?ms=5", "--seconds", "1")
    assert summary["failed"] == 0
    assert summary["sent"] == len(server.paths)
    assert set(server.paths) == {"/io?ms=5"}
    assert server.connections == 8


def test_close_takes_a_connection_for_each_request(serving) -> None:
    server = serving(answering(OK))
    summary = run(server.url, "--load", "clients=4,close", "--seconds", "0.5")
    assert summary["failed"] == 0
    assert summary["sent"] == server.connections


def test_an_open_loop_sends_at_its_rate_whatever_the_server_does(serving) -> None:
    server = serving(answering(OK, after_s=0.2))
    summary = run(server.url, "--load", "rate=100,arrival=constant", "--seconds", "1")
    assert summary["sent"] == len(server.paths) == 100
    assert summary["lateness_ms"]["p99"] is not None


def test_open_loop_latency_counts_from_the_scheduled_instant(serving) -> None:
    """One connection, 1 s each, arrivals at 0, 10, 20 ms: the third waits 3 * 1 - 0.02 = 2.98 s."""
    server = serving(answering(OK, after_s=1.0))
    summary = run(server.url, "--load", "rate=100,arrival=constant,connections=1", "--seconds", "0.03")
    assert summary["sent"] == 3
    assert summary["no_connection"] == 2
    assert summary["latency_ms"]["max"] >= 2970
    assert server.connections == 1


def test_phases_follow_each_other(serving) -> None:
    server = serving(answering(OK, after_s=0.01))
    summary = run(
        server.url,
        *("--load", "clients=2,path=/a"),
        *("--load", "rate=50,arrival=constant,path=/b,from=500ms,for=500ms"),
        *("--seconds", "60"),
    )
    assert server.paths.count("/b") == 25
    assert server.paths[0] == "/a"
    first_b = server.paths.index("/b")
    assert server.paths[first_b:].count("/a") <= 2  # each client's last, which another thread reads
    assert [phase["sent"] for phase in summary["phases"]] == [server.paths.count("/a"), 25]
    assert summary["seconds"] < 60  # nothing is left to do after the last phase


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        pytest.param(b"HTTP/1.1 502 Bad\r\nContent-Length: 0\r\n\r\n", "status 502", id="a server's error"),
        pytest.param(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", "status 404", id="an unexpected status"),
        pytest.param(b"SSH-2.0-hello\r\n\r\n", "malformed", id="not HTTP"),
    ],
)
def test_wrong_answers_fail(serving, answer: bytes, why: str) -> None:
    summary = run(serving(answering(answer)).url, "--load", "clients=2", "--seconds", "0.3")
    assert summary["answered"] == 0
    assert set(summary["failures"]) == {why}


def closing_after(sent: bytes, *, reset: bool) -> Callable[[Server, socket.socket, int], None]:
    def serve(server: Server, connection: socket.socket, number: int) -> None:
        server.request(connection)
        if sent:
            connection.sendall(sent)
            time.sleep(0.02)  # let it be read before a reset throws it away
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    return serve


@pytest.mark.parametrize(
    ("serve", "why"),
    [
        pytest.param(closing_after(b"", reset=True), "reset", id="a reset instead of an answer"),
        pytest.param(closing_after(b"", reset=False), "closed without an answer", id="a close instead of an answer"),
        pytest.param(closing_after(OK[:-1], reset=False), "truncated", id="a close within an answer"),
        pytest.param(closing_after(OK[:-1], reset=True), "reset", id="a reset within an answer"),
    ],
)
@pytest.mark.parametrize("load", ["clients=2", "rate=20,arrival=constant"])
def test_a_lost_first_request_of_a_connection_is_failed(serving, serve, why: str, load: str) -> None:
    summary = run(serving(serve).url, "--load", load, "--seconds", "0.3")
    assert summary["sent"] > 0
    assert summary["failures"] == {why: summary["sent"]}
    assert summary["retried"] == 0


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
def test_a_keep_alive_connection_that_ended_between_requests_is_retried_and_not_failed(serving, reset: bool) -> None:
    def serve(server: Server, connection: socket.socket, number: int) -> None:
        for _ in range(3):
            server.request(connection)
            connection.sendall(OK)
        if server.request(connection):  # the fourth is never answered
            server.paths.pop()
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    server = serving(serve)
    seen = lambda: server.connections >= 6  # noqa: E731
    summary = run_until(seen, "each client has come again", server.url, "--load", "clients=2")
    assert summary["failed"] == 0
    assert summary["answered"] == len(server.paths) > 6
    assert summary["retried"] == server.connections - 2


@pytest.mark.parametrize("load", ["clients=1", "rate=10,arrival=constant", "clients=1,close"])
def test_who_retries_asks_again_after_a_5xx_and_counts_one_request(serving, load: str) -> None:
    """Two of three tries are answered 503: with two retries none fails, and each is counted once."""
    asked = 0
    lock = threading.Lock()

    def serve(server: Server, connection: socket.socket, number: int) -> None:
        nonlocal asked
        while server.request(connection):
            with lock:
                asked += 1
                good = asked % 3 == 0
            connection.sendall(OK if good else OK.replace(b"200 OK", b"503 Busy"))

    server = serving(serve)
    seen = lambda: len(server.paths) >= 7  # noqa: E731
    summary = run_until(seen, "a third request", server.url, "--load", f"{load},retries=2")
    assert summary["failed"] <= 1, "the last one may have been cut off by the end"
    assert summary["sent"] == summary["answered"] + summary["failed"] > 1
    assert summary["repeated"] == len(server.paths) - summary["sent"] >= 2 * summary["answered"]


@pytest.mark.parametrize("load", ["clients=1", "rate=10,arrival=constant"])
def test_who_retries_asks_again_on_a_new_connection_after_a_time_out(serving, load: str) -> None:
    """The first connection is silent. The latency runs from the first try, the time-out from each."""

    def serve(server: Server, connection: socket.socket, number: int) -> None:
        while server.request(connection):
            if number > 1:
                connection.sendall(OK)

    summary = run(serving(serve).url, "--load", f"{load},timeout=3s,retries=1", "--seconds", "3.5")
    assert summary["failed"] == 0
    assert summary["repeated"] == 1
    assert summary["latency_ms"]["max"] >= 3000


def test_who_retries_gives_up_after_so_many_tries(serving) -> None:
    server = serving(answering(OK.replace(b"200 OK", b"500 No"), after_s=0.02))
    seen = lambda: len(server.paths) >= 7  # noqa: E731
    summary = run_until(seen, "a third request", server.url, "--load", "clients=1,retries=2")
    assert summary["failures"] == {"status 500": summary["sent"]}
    assert summary["sent"] < len(server.paths) <= 3 * summary["sent"]


def test_a_retry_that_meets_no_server_is_failed(serving) -> None:
    def serve(server: Server, connection: socket.socket, number: int) -> None:
        server.request(connection)
        connection.sendall(OK)
        server.request(connection)
        server.listener.shutdown(socket.SHUT_RDWR)
        server.listener.close()

    summary = run(serving(serve).url, "--load", "clients=1", "--seconds", "2")
    assert summary["answered"] == 1
    assert summary["retried"] == 1
    assert summary["failures"] == {"refused": summary["failed"]}


@pytest.mark.parametrize("load", ["clients=3", "rate=100,connections=2"])
def test_nobody_listens(load: str) -> None:
    with socket.socket() as bound:  # bound and not listening: the port is ours, and refuses
        bound.bind(("127.0.0.1", 0))
        summary = run(f"http://127.0.0.1:{bound.getsockname()[1]}", "--load", load, "--seconds", "0.3")
    assert summary["sent"] > 0
    assert summary["failures"] == {"refused": summary["sent"]}


def test_a_server_that_stalls_is_a_timeout(serving) -> None:
    server = serving(answering(OK, after_s=30))
    summary = run(server.url, "--load", "clients=2,timeout=300ms", "--seconds", "0.2")
    assert summary["failures"] == {"timeout": 2}


def test_an_arrival_that_finds_no_connection_in_time_is_a_timeout(serving) -> None:
    server = serving(answering(OK, after_s=30))
    summary = run(server.url, "--load", "rate=50,arrival=constant,connections=1,timeout=2s", "--seconds", "0.2")
    assert summary["failures"] == {"timeout": 10}
    assert summary["no_connection"] == 9


def test_requests_in_flight_at_the_end_are_waited_for(serving) -> None:
    server = serving(answering(OK, after_s=2.0))
    lines, summary = read(start(server.url, "--load", "clients=5", "--seconds", "0.3", "--every", "0.2"))
    assert lines[0]["in_flight"] == 5
    assert lines[0]["requests"] == 0
    assert summary["answered"] == 5
    assert summary["seconds"] >= 2.0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("load", ["clients=5", "rate=20,connections=2"])
def test_a_signal_ends_it_after_what_is_in_flight(serving, number: signal.Signals, load: str) -> None:
    server = serving(answering(OK, after_s=0.5))
    process = start(server.url, "--load", load, "--load", "clients=1,path=/never,from=1h", "--seconds", "2h")
    assert process.stdout
    first = json.loads(process.stdout.readline())
    assert first["in_flight"] > 0
    process.send_signal(number)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    summary = json.loads(out.splitlines()[-1])["summary"]
    assert summary["failed"] == 0
    assert summary["sent"] == summary["answered"] == len(server.paths)
    assert "/never" not in server.paths
    assert summary["unsent"] > 0 if "rate" in load else summary["unsent"] == 0


def test_a_second_signal_ends_it_at_once(serving) -> None:
    process = start(serving(answering(OK, after_s=60)).url, "--load", "clients=1", "--seconds", "1h")
    assert process.stdout
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    for _ in range(2):  # the second line is surely later than the signal: it waits for the request in flight
        assert json.loads(process.stdout.readline())["in_flight"] == 1
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == -signal.SIGTERM
    process.stdout.close()


def test_it_ends_when_nobody_reads_its_output(serving) -> None:
    process = start(serving(answering(OK, after_s=0.01)).url, "--load", "clients=1", "--every", "1h", "--seconds", "1h")
    assert process.stdout
    process.stdout.close()
    assert process.wait(60) == 1


def test_its_output_may_be_a_file(serving, tmp_path) -> None:
    out = tmp_path / "lines"
    with out.open("w") as file:
        command = [sys.executable, "-m", "uwsgi_autopilot.loadgen", "--url", serving(answering(OK)).url]
        subprocess.run([*command, "--load", "clients=1", "--seconds", "0.2"], stdout=file, check=True, timeout=30)
    assert "summary" in json.loads(out.read_text().splitlines()[-1])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(["--load", "clients=0"], "error: --load clients=0: clients: expected a whole number", id="load"),
        pytest.param(
            ["--load", "clients=1,from=2m"], "error: --load: every phase begins after --seconds 60", id="late"
        ),
        pytest.param(["--load", "clients=1", "--url", "ftp://a"], "error: --url: expected http://HOST:PORT", id="url"),
    ],
)
def test_a_wrong_command_line_ends_with_2_and_one_sentence(arguments: list[str], says: str) -> None:
    command = [sys.executable, "-m", "uwsgi_autopilot.loadgen", "--url", "http://127.0.0.1:1", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 2
    assert done.stdout == ""
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_post_reaches_the_server_whole_with_its_headers_and_is_counted(serving, tmp_path) -> None:
    """More bytes than a socket takes at once."""
    (tmp_path / "body").write_bytes(b"x" * 3_000_000)
    heads, bodies = [], []

    def serve(server: Server, connection: socket.socket, number: int) -> None:
        with connection.makefile("rb") as reader:
            while line := reader.readline():
                head = [line, *iter(reader.readline, b"\r\n")]
                heads.append(b"".join(head).decode())
                length = next(int(each[15:]) for each in head if each.startswith(b"Content-Length:"))
                bodies.append(reader.read(length))
                status = b"201 Created" if len(bodies) % 2 else b"422 Unprocessable Content"
                connection.sendall(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")

    server = serving(serve)
    load = f"clients=1,path=/a,header=Cookie: session=1\\, 2,body=@{tmp_path}/body"
    summary = run_until(lambda: len(bodies) >= 4, "four of them", server.url, "--load", load)
    assert heads[0].startswith("POST /a HTTP/1.1\r\n")
    assert "\r\nCookie: session=1, 2\r\n" in heads[0]
    assert set(bodies) == {b"x" * 3_000_000}
    assert summary["answered"] + summary["failed"] == summary["sent"] == len(bodies)
    assert summary["failures"] == {"status 422": len(bodies) // 2}
    assert summary["statuses"] == {"201": (len(bodies) + 1) // 2, "422": len(bodies) // 2}


def test_a_post_on_a_connection_that_the_server_closed_is_not_sent_twice(serving) -> None:
    """It may have been carried out: it has failed. A GET is sent once more."""

    def serve(server: Server, connection: socket.socket, number: int) -> None:
        server.request(connection)
        connection.sendall(OK)
        server.request(connection)  # read, and not answered

    for method, failed in (("GET", False), ("POST", True)):
        server = serving(serve)
        load = f"clients=1,method={method}"
        seen = lambda: len(server.paths) >= 6  # noqa: B023, E731
        summary = run_until(seen, "three connections", server.url, "--load", load)
        assert (summary["failures"].get("closed without an answer", 0) > 0) == failed
        assert (summary["retried"] > 0) == (not failed)
