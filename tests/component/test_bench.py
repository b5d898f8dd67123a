"""The bench end to end at a quick pace, on the real programs: what it writes agrees with what the load counted."""

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT))  # the bench is no installed package: it is run from the checkout

from bench import table  # noqa: E402
from bench.load import BuiltIn  # noqa: E402
from bench.machine import read_use, share_between  # noqa: E402
from bench.screen import Pace, contestants, run_screen  # noqa: E402
from bench.workload import read_workload  # noqa: E402
from uwsgi_autopilot.api.shape import Shape  # noqa: E402
from uwsgi_autopilot.local.programs import find_programs  # noqa: E402

pytestmark = pytest.mark.component

QUICK = Pace(flight_s=6, flight_at_least_s=3, calm_s=1, look=(0.2, 0.3), final=(0.2, 0.3), rounds=2, repeats=0)


@pytest.fixture
def io_workload(tmp_path: Path):
    """A few clients that wait 20 ms each: little CPU, quickly done."""
    folder = tmp_path / "short"
    folder.mkdir()
    app = (ROOT / "bench" / "workloads" / "io" / "app.py").read_text()
    (folder / "app.py").write_text(app.replace("time.sleep(0.1)", "time.sleep(0.02)"))
    (folder / "workload.yaml").write_text("module: app:app\npath: /\nclients: 2\n")
    return read_workload(folder)


def test_a_quick_screen(io_workload) -> None:
    said: list[str] = []
    result = run_screen(io_workload, find_programs(), start=Shape(1, 2), seed=1, say=said.append, pace=QUICK)
    assert result.failed == 0
    assert result.failures == {}
    shown = json.loads(json.dumps(table.as_json(result)))
    by_shape = {row["shape"]: row for row in shown["shapes"] if row["stage"] == "grid"}
    # 2 clients of 20 ms: one slot gives at most 50 requests a second, two up to 100; how near depends on the machine.
    assert by_shape["1x1"]["throughput_rps"] <= 51
    assert by_shape["4x1"]["throughput_rps"] > by_shape["1x1"]["throughput_rps"]
    finals = {row["shape"] for row in shown["shapes"] if row["stage"] == "final"}
    assert {"1x1", shown["autopilot"]["shape"], shown["best"]} <= finals
    assert shown["contestants"]["uWSGI's default"]["percent_of_best"] < 100
    assert all(row["failed"] == 0 for row in shown["shapes"])
    assert sum(len(each) for each in shown["rounds_rps"]) >= 6
    text = "\n".join(table.lines([result]))
    assert "Screen: a quick look" in text
    assert f"0 of {result.sent}" in text


def test_the_built_in_load_counts_the_same_in_windows_and_in_all(
    io_workload, starting, free_port, uwsgi_programs, until
) -> None:
    port, program = free_port(), uwsgi_programs[0]
    command = [str(program.path), "--strict", "--master", "--need-app", "--die-on-term", "--enable-threads"]
    command += ["--http-socket", f"127.0.0.1:{port}", "--threads", "4", "--module", "app:app", "--disable-logging"]
    starting(command, cwd=io_workload.folder, env=program.env)
    load = BuiltIn(io_workload, f"http://127.0.0.1:{port}")
    before = read_use()
    try:
        until(lambda: load.window(0.1, 0.3, lambda: None).rps > 0, "the application answers")
        first = load.window(0, 1, lambda: None)
        second = load.window(0, 1, lambda: None)
    finally:
        load.stop()
    after = read_use()
    assert first.rps <= 2 / 0.02 * 1.02
    assert first.p50_ms is not None
    assert first.p50_ms >= 19
    assert load.sent >= first.rps + second.rps
    assert before
    assert after
    assert 0 <= share_between(before, after).foreign <= 1


def test_contestants_follow_the_cores() -> None:
    assert [str(shape) for shape in contestants(2).values()] == ["1x1", "2x4", "5x1"]
    assert [str(shape) for shape in contestants(8).values()] == ["1x1", "8x16", "17x1"]
