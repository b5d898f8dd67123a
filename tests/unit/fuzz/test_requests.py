"""Requests to the agent's own server: any bytes, in any pieces. It answers, and answers the next one."""

import re
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.fuzz.mutations import A_TENTH, mutated
from uwsgi_autopilot.agent import serve
from uwsgi_autopilot.agent.httptext import parse_request

REQUESTS = [
    b"GET /healthz HTTP/1.1\r\nHost: 10.0.0.7:9117\r\nUser-Agent: kube-probe/1.34\r\nConnection: close\r\n\r\n",
    b"GET /v1/state?since=17 HTTP/1.1\r\nHost: 10.0.0.7:9117\r\nAccept: */*\r\nAccept-Encoding: gzip\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: 10.0.0.7\r\nAccept: application/openmetrics-text;version=1.0.0\r\n\r\n",
    b"HEAD /ready HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"POST /v1/state HTTP/1.1\r\nContent-Length: 4\r\n\r\n{}{}",
]
TARGETS = st.text(max_size=30) | st.sampled_from(
    ["/v1/state?since=" + "9" * 5000, "/v1/state?since=%ff", "/v1/state?since=\u0661", "http://[x/", "//", "?", "/%00"]
)
MADE = st.builds(lambda target: f"GET {target} HTTP/1.1\r\n\r\n".encode("utf-8", "replace"), TARGETS)
BYTES = st.one_of(st.sampled_from(REQUESTS), st.sampled_from(REQUESTS).flatmap(mutated), MADE, st.binary(max_size=300))
STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")


@given(BYTES | st.binary(max_size=100))
def test_a_head_is_a_request_or_none(head):
    found = parse_request(head)
    assert found is None or (isinstance(found.method, str) and isinstance(found.target, str))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("h") / "s")
    pages = {
        "/healthz": serve.text_page(lambda: (200, "ok\n")),
        "/ready": serve.text_page(lambda: (503, "not yet\n")),
        "/metrics": serve.text_page(lambda: (200, "uwsgi_autopilot_requests_total 1\n")),
        "/v1/state": serve.state_page(lambda since: f'{{"since": {since}}}'),
    }
    opened = serve.Server(f"unix:{path}", pages)
    yield path
    opened.close()


def answers_to(path: str, pieces: list[bytes]) -> bytes:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(30)
        client.connect(path)
        found = b""
        try:
            for piece in pieces:
                client.sendall(piece)
            client.shutdown(socket.SHUT_WR)
            while part := client.recv(65536):
                found += part
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has answered, and hung up on the rest
        return found


@A_TENTH
@given(pieces=st.lists(BYTES, min_size=1, max_size=4))
def test_whatever_is_sent_no_page_fails_and_the_next_probe_is_answered(server, pieces):
    found = answers_to(server, pieces)
    assert set(STATUS.findall(found)) <= {b"200", b"400", b"404", b"405", b"503"}
    assert not found or found.startswith(b"HTTP/1.1 ")
    assert answers_to(server, [REQUESTS[0]]).startswith(b"HTTP/1.1 200 OK\r\n")
