"""A long answer outlives the change of shape under it; if it has to be cut off, its client sees that."""

import http.client

import pytest

from uwsgi_autopilot.api.nginxspec import NginxSpec
from uwsgi_autopilot.api.shape import Shape

pytestmark = pytest.mark.component
THREADS = (1, 2)


@pytest.fixture
def retiring(pod):
    """`retiring(threads, silence, stream_seconds)`: the pod, and a stream of lines from a generation that was replaced
    under it. nginx breaks an answer off that is silent for `silence` seconds; none may take more than four when it does
    not move."""
    clients = []

    def start(threads, silence, stream_seconds):
        served = pod(
            shape=Shape(1, threads), nginx_spec=NginxSpec(read_timeout_s=silence, streaming=("/lines",)),
            request_seconds=4.0, stream_seconds=stream_seconds,
        )  # fmt: skip
        served.until(lambda: served.ready()[0] == 200, "ready")
        clients.append(http.client.HTTPConnection("127.0.0.1", served.client, timeout=60))
        clients[-1].request("GET", "/lines?stream=held")
        answer = clients[-1].getresponse()
        assert answer.readline() == b"a line\n"
        served.desire(1, Shape(1, threads + 1))
        served.until(lambda: served.state()["shape"] == {"processes": 1, "threads": threads + 1}, "another one serves")
        return served, answer

    yield start
    for each in clients:
        each.close()


@pytest.mark.parametrize("threads", THREADS)
def test_an_answer_that_still_moves_is_finished_by_the_generation_that_began_it(retiring, threads):
    served, answer = retiring(threads, silence=30, stream_seconds=120.0)
    served.until(lambda: served.said("goes on: answers still move"), "longer than any silent request")
    # The sentence is printed before the state is written.
    served.until(lambda: served.state()["change"] is None, "nobody has to wait for it")
    (served.run / "released").touch()
    assert answer.read().endswith(b"a line\nthe end\n")
    served.until(lambda: served.said("generation 1 is gone"), "it is gone")


@pytest.mark.parametrize("threads", THREADS)
def test_the_client_of_an_answer_that_is_cut_off_sees_an_error(retiring, threads):
    served, answer = retiring(threads, silence=3, stream_seconds=5.0)
    with pytest.raises(http.client.IncompleteRead):
        answer.read()
    served.until(lambda: served.said("generation 1 is gone"), "it is gone")
    assert served.said("1 requests are cut off")
