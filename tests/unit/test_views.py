"""What a person sees: calm, in words, and nothing of the application's own output is hidden."""

from dataclasses import replace

import pytest

from tests.unit.tuner.making import BASE
from uwsgi_autopilot.views.live import sparkline
from uwsgi_autopilot.views.noise import worth_showing
from uwsgi_autopilot.views.words import duration, last_line, numbers, rate


@pytest.mark.parametrize(
    "line",
    [
        "*** Starting uWSGI 2.0.31 (64bit) on [Mon Nov 23 08:17:24 2026] ***",
        "spawned uWSGI worker 1 (pid: 27500, cores: 2)",
        "WSGI app 0 (mountpoint='') ready in 0 seconds on interpreter 0x7f6465d76ef8 pid: 27498 (default app)",
        "*** Stats server enabled on /tmp/x/private/g1.stats fd: 40 ***",
        "setting request body buffering size to 32768 bytes",
        "08:18:01 agent info: generation 2 serves shape=4x12",
        "Mon Nov 23 09:01:06 2026 - graceful shutdown triggered...",
        "",
    ],
)
def test_what_uwsgi_says_at_each_start_is_left_out(line):
    assert not worth_showing(line)


@pytest.mark.parametrize(
    "line",
    [
        "Traceback (most recent call last):",
        "connected to the database in 12 ms",
        "*** my own banner ***",
        "08:18:01 agent warning: MemoryLimit: a swap from 1x2 to 4x4 needs 245 MiB",
        "operational error in /shop",
        "DAMN ! worker 1 (pid: 27500) died, killed by signal 9 :( trying respawn ...",
        "initialized the cache",
        "os: path of uploads is /srv",
    ],
)
def test_what_the_application_or_a_warning_says_is_shown(line):
    assert worth_showing(line)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(None, "-"), (0.0008, "0.8 ms"), (0.0232, "23 ms"), (0.9994, "999 ms"), (1.23, "1.2 s")],
)
def test_durations(seconds, told):
    assert duration(seconds) == told


@pytest.mark.parametrize(("value", "told"), [(9.8, "9.8"), (43.2, "43"), (61204.0, "61,204")])
def test_rates(value, told):
    assert rate(value) == told


@pytest.mark.parametrize(("parked", "told"), [(0, "8 of 8 threads"), (1, "8 of 8 threads, 1 of 2 workers put away")])
def test_what_is_put_away_is_told_beside_the_threads(parked, told):
    assert numbers([replace(BASE, parked=parked)], None)["in service"] == told


def test_a_sparkline_has_one_character_a_value_and_the_greatest_is_full():
    assert sparkline([0, 5, 10]) == "▁▄█"
    assert sparkline([]) == sparkline([0, 0]) == ""


REPORT = {
    "seconds": 60.1, "requests": 24164, "failed": 3,
    "throughput_rps": 626.0, "latency_ms": {"p50": 101.0, "p99": 108.0},
    "shape": {"processes": 2, "threads": 64}, "decisions": [], "held": None,
}  # fmt: skip
HELD = {"reason": "Settled", "message": "no better shape is known"}


@pytest.mark.parametrize(
    ("differs", "end"),
    [
        pytest.param({}, "; nothing changed", id="nothing changed, and nothing held it back"),
        pytest.param({"held": HELD}, "; nothing changed: Settled: no better shape is known", id="nothing changed"),
        pytest.param(
            {"held": HELD, "decisions": [{"kind": "try"}]}, "; Settled: no better shape is known", id="it did"
        ),
        pytest.param({"decisions": [{"kind": "refuse"}]}, "; nothing changed", id="a refusal changes nothing"),
    ],
)
def test_the_last_line_has_the_figures_and_what_holds_back(differs, end):
    line = last_line({**REPORT, **differs})
    assert line == f"  60.1 s  ended: 24,164 requests, 3 failed, 626 requests/s, p50 101 ms, p99 108 ms, 2x64{end}"


def test_the_last_line_without_a_load_and_without_a_request():
    nothing = {**REPORT, "requests": 0, "failed": None, "latency_ms": {"p50": None, "p99": None}}
    assert last_line(nothing) == "  60.1 s  ended: 0 requests, 2x64; nothing changed"
