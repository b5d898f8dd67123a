"""Readiness tells the truth: an application that hangs or only fails is not ready, one that works slowly is."""

import contextlib
import http.client
import threading
import time

import pytest

from uwsgi_autopilot.api.shape import Shape

pytestmark = pytest.mark.component


def in_background(pod, path):
    """Send a request and leave it; the daemon thread ends with the test's pod."""

    def send():
        with contextlib.suppress(OSError, http.client.HTTPException):
            pod.get(path, timeout=120)

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize("module", ["app:app", "app:chatty"], ids=["silent", "a thread of its own logs meanwhile"])
def test_an_application_that_hangs_becomes_unready_with_a_sentence_and_ready_again(pod, module):
    served = pod(module=module, hang_seconds=3, shape=Shape(1, 2))
    served.until(lambda: served.ready()[0] == 200, "ready")
    for _ in range(2):
        in_background(served, "/?ms=9000")
    in_background(served, "/")
    served.until(lambda: served.ready()[0] == 503, "unready")
    status, why = served.ready()
    assert status == 503
    assert "the application hangs" in why
    assert "2 in service" in why
    assert served.get("/healthz", served.port) == (200, "ok\n"), "nobody restarts it"
    served.until(lambda: served.ready()[0] == 200, "ready again")


def test_a_long_answer_that_still_moves_keeps_it_ready(pod):
    """Two threads, two answers of a byte each quarter of a second: no request finishes, nobody else gets a thread."""
    served = pod(hang_seconds=3, shape=Shape(1, 2))
    served.until(lambda: served.ready()[0] == 200, "ready")
    for _ in range(2):
        in_background(served, "/?stream=60")
    served.until(lambda: [each["busy"] for each in served.state()["samples"][-1:]] == [2], "both threads are busy")
    seen = [served.ready() for _ in range(16) if not time.sleep(0.5)]
    assert [status for status, _ in seen] == [200] * 16
    samples = served.state()["samples"][-6:]
    assert [each["requests"] for each in samples] == [0] * 6, "no request finished meanwhile"


@pytest.mark.parametrize("clients", [True, False], ids=["clients get 503", "only the agent asks, and gets 503"])
def test_a_database_that_fails_takes_no_replica_out(pod, clients):
    served = pod(hang_seconds=3)
    served.until(lambda: served.ready()[0] == 200, "ready")
    (served.run / "broken").touch()
    served.until(lambda: "with status 503" in served.ready()[1] or clients, "the agent's own question fails")
    seen = []
    for _ in range(16):
        if clients:
            assert served.get("/")[0] == 503
        seen.append(served.ready()[0])
        time.sleep(0.4)
    assert seen == [200] * 16


@pytest.mark.parametrize(
    ("module", "says"),
    [
        pytest.param("app:always_500", "/ was answered with status 500", id="only 500"),
        pytest.param("app:create_app", "/ was closed without an answer", id="a factory without parentheses"),
    ],
)
def test_an_application_that_only_fails_never_becomes_ready(pod, module, says):
    served = pod(module=module)
    served.until(lambda: served.state().get("failing", 0) >= 3, "asked three times")
    assert served.get("/")[0] >= 500
    status, why = served.ready()
    assert status == 503
    assert says in why


def test_the_agents_own_questions_are_no_load(pod):
    served = pod(hang_seconds=3)
    served.until(lambda: served.ready()[0] == 200, "ready")
    served.until(lambda: len(served.state()["samples"]) >= 8, "eight seconds, in which it asked several times")
    assert [each["requests"] for each in served.state()["samples"]] == [0] * len(served.state()["samples"])
    for _ in range(5):
        served.get("/")
    served.until(lambda: served.state()["requestsTotal"] == 5, "five requests of others")
