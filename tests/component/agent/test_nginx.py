"""What our nginx.conf makes of answers and clients that a plain one stumbles over."""

import http.client
import resource

import pytest

from uwsgi_autopilot.api.nginxspec import NginxSpec, StaticFiles
from uwsgi_autopilot.api.shape import Shape

pytestmark = pytest.mark.component


@pytest.mark.parametrize("status", [200, 204, 301, 302, 400, 404, 409, 451, 500, 503])
def test_any_answer_below_500_means_that_the_application_has_started(pod, status):
    """A redirect too: whoever followed it would ask another host."""
    served = pod(health_path=f"/?status={status}")
    startup = lambda: served.get("/_autopilot/startup", served.probes)[0]  # noqa: E731
    served.until(lambda: startup() not in (502, 504), "uWSGI answers")
    found = startup()
    assert found == status if status >= 500 else found < 300


def test_probes_are_answered_on_a_port_of_their_own_and_on_no_other(pod):
    served = pod()
    served.until(lambda: served.ready()[0] == 200, "ready")
    assert served.get("/_autopilot/nginx", served.probes) == (200, "ok\n")
    assert served.ready() == (200, "requests are answered\n")
    assert served.get("/", served.probes)[0] == 404
    for page in ("nginx", "ready", "startup", "metrics", "v1/state", "healthz"):
        status, text = served.get(f"/_autopilot/{page}")
        assert (status, text.strip().isdigit()) == (200, True), "the application's own answer, like any other"


def test_probes_are_answered_while_the_pod_drains(pod):
    served = pod()
    served.until(lambda: served.ready()[0] == 200, "ready")
    served.children["agent"].terminate()
    served.until(lambda: (served.run / "draining").exists(), "it drains")
    assert served.ready() == (200, "requests are answered\n")
    assert served.get("/_autopilot/nginx", served.probes) == (200, "ok\n")


def test_a_session_cookie_of_four_kilobytes_arrives(serve):
    with serve(start=Shape(1, 1)) as served:
        status, _, headers = served.get("/?cookie=4060")
        assert status == 200
        assert len(headers["Set-Cookie"]) == 4060 + len("session=")


@pytest.mark.parametrize(
    ("header_size_kib", "cookies", "expected"),
    [
        pytest.param(8, 2, 200, id="two of the greatest cookies"),
        pytest.param(8, 3, 200, id="three of them"),
        pytest.param(8, 5, 502, id="more than the default allows"),
        pytest.param(16, 7, 200, id="with a larger headerSize"),
    ],
)
def test_the_headers_of_an_answer(pod, header_size_kib, cookies, expected):
    """Each cookie has 4,000 bytes and some."""
    served = pod(nginx_spec=NginxSpec(header_size_bytes=header_size_kib * 1024))
    served.until(lambda: served.ready()[0] == 200, "ready")
    assert served.get(f"/?cookie=4000&cookies={cookies}")[0] == expected


def test_files_are_served_and_kept_connections_for_them_end_with_the_drain(serve):
    with serve(start=Shape(1, 1), static=[StaticFiles(path="/files", dir=".")]) as served:

        def fetched():
            client = http.client.HTTPConnection(served.session.host, served.session.port, timeout=20)
            client.request("GET", "/files/app.py")
            answer = client.getresponse()
            text = answer.read()
            client.close()
            return answer.status, b"def app(environ" in text, answer.headers["Connection"]

        assert fetched() == (200, True, "keep-alive")
        (served.session.run / "draining").touch()
        assert fetched() == (200, True, "close")
        assert served.get("/_autopilot/draining/files/app.py")[0] == 404, "nobody asks for it directly"


def test_more_clients_than_the_usual_limit_of_descriptors_allows(serve):
    """Each request needs two in nginx; containers begin with 1,024 on newer nodes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 16384:
        pytest.skip(f"NOT TESTED: this user may have {hard} descriptors at most, 16,384 are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
    try:
        with serve(start=Shape(1, 2)) as served:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
            load = served.load("clients=900,path=/?ms=20,timeout=90s")
            served.until(lambda: load.lines[-1]["in_flight"] == 900, "all of them wait")
            summary = load.stop(90)
            assert summary["failed"] == 0, summary["failures"]
            assert summary["sent"] == summary["answered"] >= 900
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
