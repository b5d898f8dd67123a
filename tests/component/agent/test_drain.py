"""Asked to stop, everything that was accepted is answered: first nginx goes, then uWSGI finishes, then the agent."""

import http.client
import os
import signal
import threading
import time

import pytest

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.kernel.sockdiag import tcp_listener_exists

pytestmark = pytest.mark.component


def connection_header(served):
    """What nginx says to a client that would keep its connection; urllib's clients always ask to close it."""
    client = http.client.HTTPConnection(served.session.host, served.session.port, timeout=20)
    try:
        client.request("GET", "/")
        answer = client.getresponse()
        assert answer.status == 200
        return answer.headers["Connection"]
    finally:
        client.close()


def test_requests_in_flight_and_in_the_queue_are_answered_when_the_session_stops(serve, until):
    """1 slot and 4 requests: one is in service, three wait in the kernel's queue."""
    with serve(start=Shape(1, 1)) as served:
        held = served.hold(4)

        def release_when_it_stops() -> None:
            until(lambda: not tcp_listener_exists(served.session.port), "nginx listens no more")
            held.release()

        releasing = threading.Thread(target=release_when_it_stops)
        releasing.start()
    releasing.join()
    assert [status for status, _, _ in held.answers] == [200] * 4


def test_the_agent_serves_until_nginx_is_gone(serve):
    """SIGTERM reaches both containers of a pod at once; clients go on for a while, because nobody told them yet."""
    with serve(start=Shape(2, 2)) as served:
        load = served.load("clients=4,path=/?ms=5")
        agent = served.child("agent")
        os.kill(agent, signal.SIGTERM)
        served.until(lambda: served.state.draining, "it drains")
        before = len(load.lines)
        served.until(lambda: sum(line["requests"] for line in list(load.lines)[before:]) > 1000, "it keeps serving")
        assert load.stop()["failures"] == {}
        served.until(lambda: connection_header(served) == "close", "clients' pools are asked to empty")
        os.kill(served.child("nginx"), signal.SIGQUIT)
        assert served.session.children["agent"].wait(60) == 0


def test_a_second_sigint_ends_the_agent_at_once(serve, until):
    """With a request in service that would never end."""
    with serve(start=Shape(1, 2)) as served:
        served.hold()
        workers = served.stats_pids()
        agent = served.session.children["agent"]
        agent.send_signal(signal.SIGINT)
        served.until(lambda: served.state.draining, "it drains")
        agent.send_signal(signal.SIGINT)
        agent.wait(60)
        until(lambda: not any(os.path.exists(f"/proc/{pid}/exe") for pid in workers), "uWSGI is gone")


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGQUIT], ids=["SIGTERM", "SIGQUIT"])
def test_sigterm_may_be_repeated_and_cuts_nothing_off(serve, signum):
    """Linux sends it again for each thread of the parent that ends after another; a second `docker stop` repeats it."""
    with serve(start=Shape(1, 2)) as served:
        held = served.hold()
        agent = served.session.children["agent"]
        agent.send_signal(signum)
        served.until(lambda: served.state.draining, "it drains")
        for _ in range(3):
            agent.send_signal(signum)
            time.sleep(0.3)
        assert [status for status, _, _ in held.release()] == [200]


def test_an_agent_that_starts_again_does_not_go_on_draining(serve):
    """A container that was ended by a probe has left its mark in a volume that outlives it."""
    with serve(start=Shape(1, 2)) as served:
        (served.session.run / "draining").touch()
        served.until(lambda: connection_header(served) == "close", "nginx has seen it")
        os.kill(served.child("agent"), signal.SIGKILL)
        served.until(lambda: not (served.session.run / "draining").exists(), "the next agent takes it away")
        served.until(lambda: served.session.settled, "it serves")
        served.until(lambda: connection_header(served) == "keep-alive", "and sees that it is gone")
