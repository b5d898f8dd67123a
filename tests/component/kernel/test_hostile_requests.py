"""Stats of a real uWSGI while it serves requests that want to break them."""

import json
import struct

import pytest

from uwsgi_autopilot.uwsgi.stats import StatsError, read_stats

pytestmark = pytest.mark.component


def packet(headers: dict[bytes, bytes]) -> bytes:
    variables = {b"REQUEST_METHOD": b"GET", b"PATH_INFO": b"/hold", b"REQUEST_URI": b"/hold", **headers}
    body = b"".join(
        struct.pack("<H", len(name)) + name + struct.pack("<H", len(value)) + value for name, value in variables.items()
    )
    return struct.pack("<BHB", 0, len(body), 0) + body


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"\x01\x02\x1f\x7f\x0b\x0c", id="control characters"),
        pytest.param(b"\xff\xfe\xc3\x28", id="invalid UTF-8"),
        pytest.param(b'"quoted" and \\"escaped\\" \\', id="quotes and backslashes"),
        pytest.param(b'"],"req_info":{}}],"workers":[]}', id="an imitation of the end"),
        pytest.param(b"\\u12 \\x41 \\", id="broken escapes"),
        pytest.param(b"line\r\nbreak\ttab", id="line breaks"),
        pytest.param(b"nul\0inside", id="a zero byte"),
    ],
)
def test_a_hostile_header_in_service_hides_nothing(start_uwsgi, eventually, value):
    server = start_uwsgi("1x2")
    server.hold("/hold", packet=packet({b"HTTP_X_EVIL": value, b"HTTP_" + value: b"name"}))
    eventually(lambda: sum(each.in_service for each in server.stats().workers), 1)
    (worker,) = server.stats().workers
    assert worker.oldest_request_start is not None
    server.release()
    eventually(lambda: server.stats().workers[0].requests, 1)


def test_control_characters_are_not_escaped_by_uwsgi(start_uwsgi, eventually):
    """Why the reading is not strict. When this fails uWSGI has been repaired and the reader can become stricter."""
    server = start_uwsgi("1x1")
    server.hold("/hold", packet=packet({b"HTTP_X": b"\x01"}))
    eventually(lambda: server.stats().workers[0].in_service, 1)
    with pytest.raises(json.JSONDecodeError, match="Invalid control character"):
        json.loads(read_stats(server.stats_path, timeout_s=5).decode("latin-1"))


def test_the_head_of_a_request_without_its_body_empties_the_answer(start_uwsgi, eventually):
    server = start_uwsgi("1x1")
    assert server.get("/") == b"ok"
    server.hold("/hold", packet=struct.pack("<BHB", 0, 2000, 0))

    def answer() -> str:
        try:
            server.stats()
        except StatsError as error:
            return str(error)
        return "parsed"

    eventually(answer, "expected the stats JSON of uWSGI, found nothing")
    server.release()
    eventually(answer, "parsed")
