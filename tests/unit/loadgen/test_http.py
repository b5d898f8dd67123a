"""Where an HTTP answer ends, however it is cut into pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uwsgi_autopilot.errors import UsageError
from uwsgi_autopilot.loadgen.http import AnswerReader, Malformed, request_bytes, server_of

LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nTrailer: 1\r\n\r\n"
INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + LENGTH
NO_CONTENT = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"
OLD = b"HTTP/1.0 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"
OLD_KEPT = b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "status", "keep"),
    [
        pytest.param(LENGTH, 200, True, id="a body with a length"),
        pytest.param(CHUNKED, 200, True, id="chunks, an extension and a trailer"),
        pytest.param(INTERIM, 200, True, id="an interim answer first"),
        pytest.param(NO_CONTENT, 204, False, id="no body, and the server closes"),
        pytest.param(OLD, 502, False, id="HTTP/1.0 closes"),
        pytest.param(OLD_KEPT, 200, True, id="HTTP/1.0 that keeps the connection"),
    ],
)
@given(data=st.data())
def test_complete_exactly_at_the_last_byte(answer: bytes, status: int, keep: bool, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(1, len(answer) - 1))))
    pieces = [answer[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(answer)], strict=True)]
    reader = AnswerReader()
    for _ in range(2):  # the second answer on the same connection
        assert [reader.feed(piece) for piece in pieces] == [False] * (len(pieces) - 1) + [True]
        assert (reader.status, reader.keep) == (status, keep)
        reader.reset()


def test_a_body_without_length_ends_with_the_connection() -> None:
    reader = AnswerReader()
    assert not reader.feed(b"HTTP/1.1 200 OK\r\n\r\nhello")
    assert reader.end()
    assert not reader.keep


@pytest.mark.parametrize("answer", [LENGTH, CHUNKED])
def test_a_close_before_the_last_byte_is_no_end(answer: bytes) -> None:
    reader = AnswerReader()
    assert not reader.feed(answer[:-1])
    assert not reader.end()


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"hello\r\n\r\n", id="no status line"),
        pytest.param(b"HTTP/1.1 abc\r\n\r\n", id="no status"),
        pytest.param(LENGTH + b"!", id="more than the length"),
        pytest.param(CHUNKED + b"!", id="more after the last chunk"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", id="a negative length"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", id="a chunk size that is no number"
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000, id="headers without end"),
    ],
)
def test_refuses_what_is_not_http(answer: bytes) -> None:
    with pytest.raises(Malformed):
        AnswerReader().feed(answer)


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_an_answer_or_malformed(junk: bytes, framed: bool) -> None:
    reader = AnswerReader()
    try:
        reader.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + junk if framed else junk)
    except Malformed:
        return
    assert reader.end() in (True, False)


def test_a_request_names_host_path_and_connection() -> None:
    assert request_bytes(path="/io?ms=1", host="h:1", close=True).splitlines()[:2] == [
        b"GET /io?ms=1 HTTP/1.1",
        b"Host: h:1",
    ]
    assert b"Connection: close\r\n" in request_bytes(path="/", host="h", close=True)
    assert b"Connection: keep-alive\r\n" in request_bytes(path="/", host="h", close=False)


def test_a_server_is_host_port_and_header() -> None:
    assert server_of("http://127.0.0.1:8088/") == ("127.0.0.1", 8088, "127.0.0.1:8088")
    assert server_of("http://[::1]:8088") == ("::1", 8088, "[::1]:8088")
    assert server_of("http://localhost") == ("localhost", 80, "localhost")


@pytest.mark.parametrize(
    "url", ["https://a", "localhost:80", "http://", "http://a/path", "http://a:99999", "http://[x"]
)
def test_refuses_a_wrong_url(url: str) -> None:
    with pytest.raises(UsageError, match="expected http://HOST:PORT"):
        server_of(url)


def test_a_post_has_its_length_and_headers_that_are_given_replace_ours() -> None:
    sent = request_bytes(
        path="/login", host="shop:80", close=False, method="POST", headers=["host: other", "Cookie: a=1"], body=b"q=1"
    )
    head, _, body = sent.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /login HTTP/1.1"
    assert {"host: other", "Cookie: a=1", "Content-Length: 3", "Connection: keep-alive"} <= set(lines)
    assert "Content-Type: application/x-www-form-urlencoded" in lines
    assert "Host: shop:80" not in lines
    assert body == b"q=1"


def test_a_post_without_a_body_says_that_it_has_none() -> None:
    assert b"\r\nContent-Length: 0\r\n" in request_bytes(path="/", host="shop", close=False, method="POST")
    assert b"Content-Length" not in request_bytes(path="/", host="shop", close=False)
