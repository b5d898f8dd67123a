"""Stats as uWSGI writes them (shortened copies of real answers), and as it writes them on a bad day."""

import json
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uwsgi_autopilot.uwsgi.stats import StatsError, parse_stats, read_stats


def core(**changes: object) -> dict[str, object]:
    return {
        "id": 0,
        "requests": 0,
        "static_requests": 0,
        "routed_requests": 0,
        "offloaded_requests": 0,
        "write_errors": 0,
        "read_errors": 0,
        "in_request": 0,
        "vars": [],
        "req_info": {},
        **changes,
    }


def worker(*cores: dict[str, object], **changes: object) -> dict[str, object]:
    return {
        "id": 1,
        "pid": 100,
        "accepting": 1,
        "requests": 0,
        "delta_requests": 0,
        "exceptions": 0,
        "harakiri_count": 0,
        "signals": 0,
        "signal_queue": 0,
        "status": "idle",
        "rss": 0,
        "vsz": 0,
        "running_time": 0,
        "last_spawn": 1795420924,
        "respawn_count": 1,
        "tx": 0,
        "avg_rt": 0,
        "apps": [],
        "cores": list(cores),
        **changes,
    }


def answer(*workers: dict[str, object]) -> bytes:
    head = {"version": "2.0.31", "listen_queue": 0, "load": 0, "pid": 99, "sockets": [{"queue": 0}]}
    return json.dumps({**head, "workers": list(workers)}, indent=1).encode()


def test_sums_are_taken_over_the_cores():
    parsed = parse_stats(
        answer(
            worker(
                core(requests=7, in_request=1, req_info={"request_start": 1700000005}),
                core(id=1, requests=4, in_request=1, req_info={"request_start": 1700000003}),
                core(id=2),
                requests=9,  # refreshed once a second only: behind the cores
                running_time=1234567,
                status="busy",
            )
        )
    )
    (one,) = parsed.workers
    assert (parsed.pid, parsed.version) == (99, "2.0.31")
    assert (one.requests, one.running_time_us, one.in_service, one.threads) == (11, 1234567, 2, 3)
    assert one.oldest_request_start == 1700000003


@pytest.mark.parametrize(
    ("changes", "live", "accepting"),
    [
        pytest.param({}, True, True, id="serves"),
        pytest.param({"accepting": 0}, True, False, id="still imports"),
        pytest.param({"pid": 0}, False, False, id="died and is not back: uWSGI leaves accepting at 1"),
        pytest.param({"pid": 0, "status": "cheap", "id": 0, "accepting": 0}, False, False, id="never started"),
        pytest.param({"status": "cheap"}, False, False, id="parked, but finishing its requests"),
        pytest.param({"status": "pause"}, True, True, id="paused"),
    ],
)
def test_which_workers_count(changes, live, accepting):
    parsed = parse_stats(answer(worker(core(), **changes)))
    assert [each.live for each in parsed.workers] == [live]
    assert len(parsed.live_workers) == live
    assert len(parsed.accepting_workers) == accepting


def test_threads_of_a_killed_worker_are_not_in_service_for_ever():
    stuck = core(in_request=1, req_info={"request_start": 1700000000})
    (gone,) = parse_stats(answer(worker(stuck, pid=0, status="cheap"))).workers
    (draining,) = parse_stats(answer(worker(stuck, status="cheap"))).workers
    assert (gone.in_service, gone.oldest_request_start) == (0, None)
    assert (draining.in_service, draining.oldest_request_start) == (1, 1700000000)


def test_a_request_that_was_only_accepted_has_no_start_yet():
    (one,) = parse_stats(answer(worker(core(in_request=1, req_info={"request_start": 0})))).workers
    assert (one.in_service, one.oldest_request_start) == (1, None)


HOSTILE = [
    pytest.param(b"HTTP_X=\x01\x1f\x7f\n", id="control characters"),
    pytest.param(b"HTTP_X=\xff\xfe\xc3", id="invalid UTF-8"),
    pytest.param(b'HTTP_X=\\" ],"req_info":{}}', id="escaped quote and the end of the list"),
    pytest.param(b"HTTP_X=\\u12", id="half an escape"),
    pytest.param(b"HTTP_X=\\x41\\", id="an escape that JSON does not know, and one of the quote"),
    pytest.param(b'HTTP_X="]', id="a bare quote and a bracket"),
    pytest.param(b'HTTP_X=","y","z', id="several strings in one"),
]


@pytest.mark.parametrize("variable", HOSTILE)
def test_nothing_in_a_request_hides_the_load(variable):
    raw = answer(
        worker(core(requests=5, in_request=1, vars=["HERE"], req_info={"request_start": 1700000001}), status="busy"),
        worker(core(requests=6), id=2, pid=101),
    ).replace(b"HERE", variable)
    parsed = parse_stats(raw)
    assert [each.requests for each in parsed.workers] == [5, 6]
    assert [each.in_service for each in parsed.workers] == [1, 0]
    assert parsed.workers[0].oldest_request_start == 1700000001


@given(st.lists(st.binary(max_size=30), max_size=4))
def test_whatever_one_request_says_the_other_cores_are_read(variables):
    inside = b'"HERE"' if not variables else b",".join(b'"' + each + b'"' for each in variables)
    raw = answer(worker(core(requests=5, in_request=1, vars=["HERE"]), core(requests=1))).replace(b'"HERE"', inside)
    try:
        (one,) = parse_stats(raw).workers
    except StatsError:
        # Only where the text is built to look like the end of its own list.
        assert b"]" in inside or b"\\" in inside
    else:
        assert one.threads >= 1


@given(st.binary(max_size=200))
def test_no_text_breaks_it(raw):
    with pytest.raises(StatsError) as caught:
        parse_stats(raw)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="empty: uWSGI could not parse a half-read request"),
        pytest.param(answer(worker(core()))[:200], id="cut off"),
        pytest.param(b"[1, 2]", id="a list"),
        pytest.param(b'{"pid": 1}', id="no workers"),
        pytest.param(b'{"pid": 1, "workers": [{"pid": "x"}]}', id="other fields"),
        pytest.param(b'{"pid": 1, "workers": [7]}', id="workers that are numbers"),
        pytest.param(answer(), id="not one worker"),
        pytest.param(answer(worker()), id="a worker without cores, which would serve nothing"),
        pytest.param(answer(worker(core(in_request=None))), id="nothing said about a request"),
        pytest.param(answer(worker(core(requests=float("inf")))), id="a count without end"),
        pytest.param(answer(worker(core(), running_time=-1)), id="a time below zero"),
        pytest.param(b"[" * 100_000, id="nested too deep"),
        pytest.param(b'{"vars":[' + b'"a" ' * 50_000, id="a list without end"),
    ],
)
def test_what_is_no_stats_is_an_error_of_one_sentence(raw):
    with pytest.raises(StatsError) as caught:
        parse_stats(raw)
    assert "expected" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_error_shows_nothing_of_the_requests():
    raw = answer(worker(core(vars=["HTTP_COOKIE=secret"])))[:-20]
    with pytest.raises(StatsError) as caught:
        parse_stats(raw)
    assert "secret" not in str(caught.value)


@pytest.fixture
def served() -> Iterator[Callable[[Callable[[socket.socket], None]], str]]:
    """Give it what to do with one connection, get the path of the socket."""
    threads: list[threading.Thread] = []
    with tempfile.TemporaryDirectory(prefix="ua-") as name, socket.socket(socket.AF_UNIX) as server:
        path = str(Path(name) / "s")
        server.bind(path)
        server.listen()

        def serve(behave: Callable[[socket.socket], None]) -> str:
            def once() -> None:
                connection, _ = server.accept()
                with connection:
                    behave(connection)

            threads.append(threading.Thread(target=once))
            threads[-1].start()
            return path

        yield serve
        for each in threads:
            each.join()


def test_the_answer_is_read_to_its_end(served):
    path = served(lambda connection: [connection.sendall(b"x" * 70_000) for _ in range(10)])
    assert read_stats(path, timeout_s=10) == b"x" * 700_000


def test_a_silent_master_is_given_up(served):
    done = threading.Event()
    path = served(lambda connection: done.wait(10))
    with pytest.raises(TimeoutError):
        read_stats(path, timeout_s=0.05)
    done.set()


def test_a_master_that_trickles_is_given_up_too(served):
    stop = threading.Event()

    def trickle(connection: socket.socket) -> None:
        while not stop.wait(0.02):
            try:
                connection.sendall(b" ")
            except OSError:
                return

    path = served(trickle)
    with pytest.raises(TimeoutError):
        read_stats(path, timeout_s=0.2)
    stop.set()


def test_nobody_there_is_an_oserror(tmp_path):
    with pytest.raises(OSError):
        read_stats(str(tmp_path / "missing"))
