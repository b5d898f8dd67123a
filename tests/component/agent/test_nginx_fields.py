"""What the fields of spec.nginx make nginx do, with real clients."""

import contextlib
import gzip
import http.client
import json
from collections.abc import Iterator, Mapping

import pytest

from tests.component.agent.pod import PodProcesses
from uwsgi_autopilot.api.nginxspec import AccessLog, NginxSpec, RealIp, StaticFiles

pytestmark = pytest.mark.component


@pytest.fixture
def serve(pod):
    """`serve(gzip=True, ...)`: the application behind nginx with these fields, ready."""

    def start(**fields) -> PodProcesses:
        served = pod(module="answers:app", nginx_spec=NginxSpec(**fields))
        served.until(lambda: served.ready()[0] == 200, "ready")
        return served

    return start


@contextlib.contextmanager
def asked(pod: PodProcesses, path: str, headers: Mapping[str, str] | None = None) -> Iterator[http.client.HTTPResponse]:
    client = http.client.HTTPConnection("127.0.0.1", pod.client, timeout=30)
    try:
        client.request("GET", path, headers=dict(headers or {}))
        yield client.getresponse()
    finally:
        client.close()


@pytest.mark.parametrize("path", ["/events", "/events/of/today"])
@pytest.mark.parametrize("draining", [False, True], ids=["serving", "draining"])
def test_events_of_a_streaming_path_arrive_as_they_are_sent(serve, path, draining):
    served = serve(streaming=("/events",))
    if draining:
        (served.run / "draining").touch()
    with asked(served, path) as answer:
        assert answer.readline() == b"data: first\n", "while the application waits for it"
        (served.run / "released").touch()
        assert answer.read() == b"\ndata: second\n\n"
        assert answer.headers["Connection"] == ("close" if draining else "keep-alive")


def test_private_files_reach_a_client_only_where_the_application_sends_it_there(serve, tmp_path):
    (tmp_path / "invoice.txt").write_text("paid")
    served = serve(internal=(StaticFiles(path="/private", dir=str(tmp_path)),))
    for _ in ("serving", "draining"):
        with asked(served, "/download/invoice.txt") as answer:
            assert (answer.status, answer.read(), answer.headers["Content-Type"]) == (200, b"paid", "text/x-private")
        with asked(served, "/private/invoice.txt") as answer:
            assert answer.status == 404
        (served.run / "draining").touch()


def test_texts_are_compressed_for_clients_that_ask_for_it(serve):
    served = serve(gzip=True)
    for asks, coded in (({}, None), ({"Accept-Encoding": "gzip"}, "gzip")):
        with asked(served, "/", asks) as answer:
            body = answer.read()
            assert answer.headers["Content-Encoding"] == coded
            assert answer.headers["Vary"] == "Accept-Encoding"
            assert (gzip.decompress(body) if coded else body) == b"word " * 1000
    with asked(served, "/address", {"Accept-Encoding": "gzip"}) as answer:
        assert answer.headers["Content-Encoding"] is None, "a few bytes"


def test_headers_are_added_to_every_answer_whatever_its_status(serve, tmp_path):
    policy = "default-src 'self'; report-to \"csp\""
    served = serve(
        headers=(("Content-Security-Policy", policy), ("X-Path", "a\\b")),
        static=(StaticFiles(path="/files", dir=str(tmp_path)),),
    )
    for path, status in (("/", 200), ("/missing", 404), ("/files/none", 404), ("/?" + "q" * 9000, 414)):
        with asked(served, path) as answer:
            assert (answer.status, answer.headers["Content-Security-Policy"]) == (status, policy)
            assert answer.headers["X-Path"] == "a\\b"


@pytest.mark.parametrize(
    ("trusted", "recursive", "address"),
    [
        pytest.param(("127.0.0.0/8", "::1"), True, b"198.51.100.7", id="the last that is no proxy's"),
        pytest.param(("127.0.0.0/8",), False, b"127.0.0.9", id="the last"),
        pytest.param(("10.0.0.0/8",), True, b"127.0.0.1", id="nobody is believed who is not named"),
    ],
)
def test_the_clients_address_is_the_one_that_a_trusted_proxy_names(serve, trusted, recursive, address):
    served = serve(real_ip=RealIp(trusted=trusted, recursive=recursive))
    with asked(served, "/address", {"X-Forwarded-For": "203.0.113.9, 198.51.100.7, 127.0.0.9"}) as answer:
        assert answer.read() == address


SNIPPET = """\
uwsgi_param REMOTE_USER $http_x_user;
location = /robots.txt { default_type text/plain; return 200 "User-agent: *
Disallow: /
"; }
location /other/ { proxy_pass http://127.0.0.1:1/; }
error_page 404 =404 /gone.html;"""


def test_a_snippet_adds_to_what_is_there(serve):
    served = serve(snippet=SNIPPET)
    with asked(served, "/user", {"X-User": "ada"}) as answer:
        assert answer.read() == b"ada"
    with asked(served, "/robots.txt") as answer:
        assert answer.read() == b"User-agent: *\nDisallow: /\n", "as it was written, not indented"


def test_what_another_server_answers_is_no_answer_of_the_application(serve):
    served = serve(snippet=SNIPPET)
    for path, status in [("/other/", 502)] * 5 + [("/broken", 500)]:
        with asked(served, path) as answer:
            assert answer.status == status

    def errors() -> float:
        lines = served.get("/metrics", served.port)[1].splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith("uwsgi_autopilot_errors_total"))

    served.until(lambda: errors() > 0, "the last one, its own, is counted")
    assert errors() == 1


def test_the_access_log_as_nginx_users_know_it(serve):
    served = serve(access_log=AccessLog.COMBINED)
    with asked(served, "/missing?a=1", {"User-Agent": "tester/1"}) as answer:
        answer.read()
    served.until(lambda: '"GET /missing?a=1 HTTP/1.1" 404 5000 "-" "tester/1"' in served.printed(), "a line")
    assert "_autopilot" not in served.printed().partition("GET /missing")[2]


def test_the_access_log_as_json(serve, tmp_path):
    served = serve(access_log=AccessLog.JSON, static=(StaticFiles(path="/files", dir=str(tmp_path)),))
    (tmp_path / "a.txt").write_text("text")
    for path in ('/missing?"quoted"', "/files/a.txt"):
        with asked(served, path, {"User-Agent": 'a "tester"', "Host": "shop.example"}) as answer:
            answer.read()

    def logged():
        """By address: two processes of nginx write in any order."""
        whole = (served.run / "nginx.log").read_text().rpartition("\n")[0].splitlines()
        found = [json.loads(line) for line in whole if "tester" in line]
        return {each["uri"]: each for each in found}

    lines = served.until(lambda: len(found := logged()) == 2 and found, "two lines")
    first = lines['/missing?"quoted"']
    assert "/files/a.txt" in lines
    assert first.items() >= {
        "remote_addr": "127.0.0.1", "method": "GET", "host": "shop.example", "uri": '/missing?"quoted"', "status": 404,
        "bytes": 5000, "user_agent": 'a "tester"', "referer": "",
    }.items()  # fmt: skip
    assert first.keys() == {"time", "request_time", "upstream_time", "request_id"} | {
        "remote_addr", "method", "host", "uri", "status", "bytes", "user_agent", "referer"
    }  # fmt: skip
    assert float(first["upstream_time"]) >= 0


def test_no_access_log_is_printed_where_none_is_wanted(serve):
    served = serve(access_log=AccessLog.DISABLED)
    with asked(served, "/missing") as answer:
        answer.read()
    served.children["nginx"].terminate()
    served.children["nginx"].wait(60)  # a line is written after its answer
    assert "/missing" not in (served.run / "nginx.log").read_text()
