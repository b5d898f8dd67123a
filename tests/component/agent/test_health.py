"""Readiness tells the truth: an application that hangs or only fails is not ready, one that works slowly is."""

import contextlib
import http.client
import threading

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


def asked_for_ten_samples(pod, *, first=lambda: None):
    """What /ready answers again and again, `first` before each time, and the samples of that time."""
    since = pod.state()["samples"][-1]["seq"]
    seen = []

    def fresh():
        first()
        seen.append(pod.ready()[0])
        samples = [each for each in pod.state()["samples"] if each["seq"] > since]
        return len(samples) >= 10 and samples

    samples = pod.until(fresh, "ten samples")
    return seen, samples


@pytest.mark.parametrize("module", ["app:app", "app:chatty"], ids=["silent", "a thread of its own logs meanwhile"])
def test_an_application_that_hangs_becomes_unready_with_a_sentence_and_ready_again(pod, module):
    served = pod(module=module, hang_seconds=3, shape=Shape(1, 2))
    served.until(lambda: served.ready()[0] == 200, "ready")
    for _ in range(2):
        in_background(served, "/?held=yes")
    in_background(served, "/")
    why = served.until(lambda: (told := served.ready())[0] == 503 and told[1], "unready")
    assert "the application hangs" in why
    assert "2 in service" in why
    assert served.get("/healthz", served.port) == (200, "ok\n"), "nobody restarts it"
    (served.run / "released").touch()
    served.until(lambda: served.ready()[0] == 200, "ready again")


def test_a_long_answer_that_still_moves_keeps_it_ready(pod):
    """Two threads, two answers of a byte each quarter of a second: no request finishes, nobody else gets a thread."""
    served = pod(hang_seconds=3, shape=Shape(1, 2))
    served.until(lambda: served.ready()[0] == 200, "ready")
    for _ in range(2):
        in_background(served, "/?stream=600")
    served.until(lambda: [each["busy"] for each in served.state()["samples"][-1:]] == [2], "both threads are busy")
    seen, samples = asked_for_ten_samples(served)
    assert set(seen) == {200}
    assert {each["requests"] for each in samples} == {0}, "no request finished meanwhile"


@pytest.mark.parametrize("clients", [True, False], ids=["clients get 503", "only the agent asks, and gets 503"])
def test_a_database_that_fails_takes_no_replica_out(pod, clients):
    # Of its own questions, one in two seconds, the slowest machine answers one in this time.
    served = pod(hang_seconds=8)
    served.until(lambda: served.ready()[0] == 200, "ready")
    served.until(lambda: served.state()["samples"], "a sample")
    (served.run / "broken").touch()
    served.until(lambda: "with status 503" in served.ready()[1] or clients, "the agent's own question fails")
    answers = set()
    seen, _ = asked_for_ten_samples(served, first=lambda: clients and answers.add(served.get("/")[0]))
    assert answers <= {503}
    assert set(seen) == {200}


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
    samples = served.until(
        lambda: len(found := served.state()["samples"]) >= 8 and found, "eight seconds, in which it asked several times"
    )
    assert {each["requests"] for each in samples} == {0}
    for _ in range(5):
        served.get("/")
    served.until(lambda: served.state()["requestsTotal"] == 5, "five requests of others")
