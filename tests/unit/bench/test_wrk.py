"""What wrk 4.1 prints, read back."""

import pytest

from bench.wrk import parse_wrk
from uwsgi_autopilot.errors import NotServing

REPORT = """Running 2s test @ http://127.0.0.1:8088/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   102.48ms    9.51ms 203.79ms   97.66%
    Req/Sec   624.73     50.17   640.00     90.00%
  Latency Distribution
     50%  101.53ms
     75%  102.02ms
     90%  102.95ms
     99%    1.05s
  1248 requests in 2.00s, 170.63KB read
Requests/sec:    623.61
Transfer/sec:     85.26KB
"""


def test_a_clean_run() -> None:
    window, sent, failures = parse_wrk(REPORT)
    assert window.rps == pytest.approx(1248 / 2.0)
    assert (window.p50_ms, window.p99_ms) == (pytest.approx(101.53), pytest.approx(1050))
    assert (sent, failures, window.failed) == (1248, {}, 0)


def test_failed_answers_and_lost_connections_are_counted_once() -> None:
    """48 of 1248 answers were errors; 5 requests got no answer."""
    text = REPORT.replace(
        "Requests/sec",
        "  Socket errors: connect 0, read 3, write 0, timeout 2\n  Non-2xx or 3xx responses: 48\nRequests/sec",
    )
    window, sent, failures = parse_wrk(text)
    assert window.rps == pytest.approx(1200 / 2.0)
    assert failures == {"read": 3, "timeout": 2, "status": 48}
    assert window.failed == 53
    assert sent == 1248 + 5


def test_something_else_is_refused() -> None:
    with pytest.raises(NotServing, match="wrk: expected its report"):
        parse_wrk("unable to connect to 127.0.0.1:1 Connection refused")
