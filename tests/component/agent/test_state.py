"""What the agent tells: true numbers, in formats that others read; never what the stats socket would leak."""

import json
import stat
import subprocess
import time

import pytest

from uwsgi_autopilot.api.shape import Shape

pytestmark = pytest.mark.component


def test_the_true_queue_and_the_requests_in_service_are_seen(serve):
    """12 clients on 4 slots: 8 wait. uWSGI itself reports 0 for a unix socket."""
    with serve(start=Shape(2, 2)) as served:
        # So long that what a busy machine adds to a request is little beside it.
        served.load("clients=12,path=/?ms=250")

        def true(sample) -> bool:
            return (
                sample.settled
                and sample.requests > 3
                and sample.queue_mean == pytest.approx(8, abs=1)
                and sample.busy == pytest.approx(4, abs=0.5)
                and sample.service_s / sample.requests == pytest.approx(0.250, rel=0.2)
                and sample.census is not None
                and sample.census.io > sample.census.busy * 0.8
            )

        served.until(lambda: any(map(true, served.samples)), "a sample in which nothing disturbed us")


def test_latency_is_sampled_at_high_rates_and_errors_are_not(serve):
    with serve(start=Shape(2, 4)) as served:
        served.load("clients=16,path=/")

        def sampled(sample) -> bool:
            """Of 300 requests a second, or more, the agent reads 100."""
            lines = sum(count for _, count in sample.latency)
            return sample.requests > 300 and 30 < lines < 0.7 * sample.requests and sample.latency_lost < 0.2

        served.until(lambda: any(map(sampled, served.samples)), "a share of the log is read")
        assert served.until(lambda: _counted(served, 7) == 7, "each of seven errors is counted")


def _counted(served, errors: int) -> float:
    """Of so many errors in a row. A kernel queues ten lines and then drops: on a busy machine one may be missing."""
    before = sum(each.errors for each in served.samples)
    assert [served.get("/?status=503")[0] for _ in range(errors)] == [503] * errors
    seq = served.samples[-1].seq
    served.until(lambda: served.samples[-1].seq >= seq + 2, "two more samples")
    return sum(each.errors for each in served.samples) - before


def test_metrics_are_prometheus_text_with_help_and_base_units(serve):
    with serve(start=Shape(2, 2)) as served:
        began = time.monotonic()
        for _ in range(5):
            served.get("/?ms=20")
        took = time.monotonic() - began
        served.until(lambda: _metric(served, "request_duration_seconds_count") == 5, "the histogram has them")
        text = served.get("/_autopilot/metrics")[1]
        assert _metric(served, "processes") == 2
        assert _metric(served, "threads") == 2
        assert 0.09 < _metric(served, "request_duration_seconds_sum") < took + 0.01, "nginx counts milliseconds"
        names = {line.split()[2] for line in text.splitlines() if line.startswith("# HELP")}
        for line in text.splitlines():
            if not line.startswith("#"):
                name = line.split("{")[0].split()[0]
                base = name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count")
                assert name in names or base in names, line
                float(line.rsplit(" ", 1)[1])


def _metric(served, name: str) -> float | None:
    for line in served.get("/_autopilot/metrics")[1].splitlines():
        if line.startswith(f"uwsgi_autopilot_{name} "):
            return float(line.split()[1])
    return None


def test_headers_of_a_request_in_flight_are_nowhere_in_what_is_served(serve):
    with serve(start=Shape(1, 2)) as served:
        held = served.hold(path="/?held=yes&token=SECRET3", headers={"Authorization": "SECRET1", "Cookie": "SECRET2"})
        told = "".join(served.get(f"/_autopilot/{page}")[1] for page in ("v1/state", "metrics", "ready", "healthz"))
        assert "SECRET" not in told
        assert [status for status, _, _ in held.release()] == [200]


def test_the_private_directory_is_for_its_owner_only_and_uwsgitop_has_a_stable_path(serve):
    with serve(start=Shape(1, 2)) as served:
        private = served.session.run / "private"
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
        first = (private / "stats.sock").resolve()
        assert stat.S_ISSOCK(first.stat().st_mode)
        served.session.set_shape(Shape(1, 4))
        assert (private / "stats.sock").resolve() != first
        told = subprocess.run(
            [
                "python3",
                "-c",
                f"import socket; s=socket.socket(1); s.connect('{private}/stats.sock'); print(s.recv(9))",
            ],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert "{" in told.stdout


def test_what_is_not_there_says_what_is(serve):
    with serve(start=Shape(1, 2)) as served:
        status, text, _ = served.get("/_autopilot/stats")
        assert status == 404
        assert "/v1/state" in text
        assert served.get("/_autopilot/v1/state?since=abc")[0] == 400
        assert json.loads(served.get("/_autopilot/v1/state?since=999999")[1])["samples"] == []


def test_ready_says_why_not(serve, tmp_path):
    (tmp_path / "held-import").touch()
    with serve(start=Shape(1, 2), ready=False) as served:

        def told():
            try:
                return served.get("/_autopilot/ready")[:2]
            except OSError:
                return None  # nginx does not listen yet

        served.until(lambda: told() == (503, "no generation of uWSGI accepts requests\n"), "it says why not")
        (tmp_path / "held-import").unlink()
        served.until(lambda: told() == (200, "requests are answered\n"), "ready")
