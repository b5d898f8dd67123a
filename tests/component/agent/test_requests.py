"""What of a request reaches the application through nginx and uWSGI, and what a client is told that asks too much."""

import hashlib
import http.client
import importlib.util
import random
import socket
from collections.abc import Iterator, Mapping
from email.message import Message

import pytest

from uwsgi_autopilot.api.nginxspec import NginxSpec
from uwsgi_autopilot.api.shape import Shape

pytestmark = pytest.mark.component

KIB = 1024


def post(port: int, path: str, body: bytes, *, chunk: int = 0) -> tuple[int, str]:
    """(status, text); `chunk` bytes at a time with Transfer-Encoding: chunked, 0: at once with a Content-Length."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    pieces: Iterator[bytes] | bytes = (
        (body[start : start + chunk] for start in range(0, len(body), chunk)) if chunk else body
    )
    try:
        client.request("POST", path, pieces, encode_chunked=bool(chunk), headers=CHUNKED if chunk else {})
        answer = client.getresponse()
        return answer.status, answer.read().decode()
    finally:
        client.close()


CHUNKED = {"Transfer-Encoding": "chunked"}


def serves(pod) -> None:
    pod.until(lambda: pod.ready()[0] == 200, "ready")


@pytest.mark.parametrize("framework", ["flask", "django", "plain"])
def test_every_byte_of_a_chunked_request_arrives(pod, framework):
    if framework != "plain" and importlib.util.find_spec(framework) is None:
        pytest.skip(f"NOT TESTED with {framework}, which is not installed")
    served = pod(module=f"bodies:{framework}_app", nginx_spec=NginxSpec(body_size_bytes=3 * 1024 * KIB))
    serves(served)
    for size in (24 * KIB, 2 * 1024 * KIB):
        body = random.Random(size).randbytes(size)
        assert post(served.client, "/", body, chunk=8 * KIB) == (200, f"{size} {hashlib.sha256(body).hexdigest()}")
    assert post(served.client, "/", b"x" * 4 * 1024 * KIB, chunk=64 * KIB)[0] == 413


def test_a_body_that_the_application_does_not_read_costs_it_no_answer(pod):
    """It answers at once, and uWSGI closed the connection while nginx still sent: 3 of 150 answers were lost."""
    served = pod(module="bodies:flask_app", shape=Shape(1, 4))
    serves(served)
    sizes = random.Random(1)
    found = [post(served.client, "/denied", b"x" * sizes.randrange(100 * KIB, 3 * 1024 * KIB)) for _ in range(400)]
    assert set(found) == {(401, "who are you?")}


def get(port: int, path: str = "/", headers: Mapping[str, str] | None = None) -> tuple[int, str, Message]:
    """(status, text, headers)."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        client.request("GET", path, headers=dict(headers or {}))
        answer = client.getresponse()
        return answer.status, answer.read().decode(), answer.headers
    finally:
        client.close()


def long_headers(count: int, size: int) -> dict[str, str]:
    return {f"X-Long-{number}": "v" * size for number in range(count)}


def test_a_long_query_and_three_long_headers_arrive(pod):
    served = pod(module="bodies:flask_app")
    serves(served)
    status, text, _ = get(served.client, "/?" + "q" * 7500, long_headers(3, 7500))
    assert status == 200
    assert text.startswith("7500 22")


# (size, lines of it) that still fit, and with one more no longer do; 1,000 bytes of each line are for its name.
@pytest.mark.parametrize(
    ("spec", "options", "size", "fit"),
    [
        pytest.param(NginxSpec(), (), 7 * KIB, 4, id="as it is"),
        pytest.param(NginxSpec(header_size_bytes=20 * KIB), (), 19 * KIB, 1, id="the largest"),
        pytest.param(NginxSpec(header_size_bytes=KIB), (), 900, 5, id="the smallest"),
        pytest.param(NginxSpec(), (("buffer-size", "4096"),), 1000, 1, id="with a small buffer-size of the person's"),
    ],
)
def test_what_is_too_much_is_said_by_nginx_and_what_is_not_arrives(pod, spec, options, size, fit):
    """With the request line, which reaches the application twice, as long as it may be, too."""
    served = pod(module="bodies:flask_app", nginx_spec=spec, options=options)
    serves(served)
    assert get(served.client, "/", long_headers(fit, size))[0] == 200
    assert get(served.client, "/?" + "q" * size, long_headers(fit - 1, size))[0] == 200
    assert get(served.client, "/?" + "q" * size, {"Content-Type": "v" * size} if fit > 1 else {})[0] == 200
    assert get(served.client, "/", long_headers(fit + 4, size))[0] == 431
    assert get(served.client, "/", long_headers(1, spec.header_size_bytes))[0] == 431
    assert get(served.client, "/?" + "q" * spec.header_size_bytes)[0] == 414
    statuses = {
        get(served.client, "/?" + "q" * query, long_headers(count, length))[0]
        for query in (0, size // 2, size)
        for count in range(8)
        for length in (size // 3, size)
    }
    assert statuses == {200, 431}


def test_more_headers_than_uwsgi_usually_takes(pod):
    served = pod(module="bodies:flask_app")
    serves(served)
    with socket.create_connection(("127.0.0.1", served.client), timeout=60) as client:
        many = "".join(f"X-{number}: v\r\n" for number in range(980))
        client.sendall(f"GET / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n{many}\r\n".encode())
        assert client.makefile("rb").readline().split()[1] == b"200"
