"""The bench end to end at a quick pace, on the real programs: what it writes agrees with what the load counted."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT))  # the bench is no installed package: it is run from the checkout

from bench import named, table  # noqa: E402
from bench.calibration import Rounds  # noqa: E402
from bench.load import LINE_S, BuiltIn  # noqa: E402
from bench.machine import read_use, share_between  # noqa: E402
from bench.named import synthetic  # noqa: E402
from bench.pace import Pace  # noqa: E402
from bench.parameters import MODULE, Parameters, environment  # noqa: E402
from bench.rivals import rivals  # noqa: E402
from bench.screen import contestants, run_screen  # noqa: E402
from bench.serving import loads_of  # noqa: E402
from bench.workload import Database  # noqa: E402
from uwsgi_autopilot.api.shape import Shape  # noqa: E402
from uwsgi_autopilot.errors import NotServing  # noqa: E402
from uwsgi_autopilot.local.programs import find_programs  # noqa: E402

# A screen is dozens of changes of shape one after another: with a fifth of a core, one took more than three minutes.
pytestmark = [pytest.mark.component, pytest.mark.timeout(600)]

# A loop that takes no time: what is counted here are requests.
ROUNDS = Rounds(python_rounds_per_ms=1, native_rounds_per_ms=1)
QUICK = Pace(
    flight_s=6, flight_at_least_s=3, calm_s=1, look=(0.2, 0.3), final=(0.2, 0.3), rounds=2, rounds_at_most=2, repeats=0
)

BRIEF = replace(QUICK, flight_s=1, flight_at_least_s=0.5, looks=4, block=(0.2, 0.5), blocks=2)


def at_most(rps: float, *, clients: int, window_s: float) -> float:
    """What a window may show of so many requests a second: of each client it may have one answer more than was served
    in it, read late; and it may be shorter by half the time between two lines."""
    return rps + clients / (window_s - LINE_S / 2)


@pytest.fixture
def io_workload():
    """A few clients that wait 20 ms each: little CPU, quickly done."""
    return synthetic("short", Parameters(wait_ms=20, spread=0), clients=2)


def test_a_quick_screen(io_workload) -> None:
    said: list[str] = []
    starts = [Shape(1, 2), Shape(2, 1)]
    result = run_screen(io_workload, find_programs(), starts=starts, seed=1, say=said.append, pace=QUICK)
    assert result.failed == 0
    assert result.failures == {}
    shown = json.loads(json.dumps(table.as_json(result)))
    by_shape = {row["shape"]: row for row in shown["shapes"] if row["stage"] == "grid"}
    # 2 clients of 20 ms: one slot gives at most 50 requests a second, two up to 100; how near depends on the machine.
    assert by_shape["1x1"]["throughput_rps"] <= at_most(50, clients=2, window_s=QUICK.look[1])
    assert by_shape["4x1"]["throughput_rps"] > by_shape["1x1"]["throughput_rps"]
    finals = {row["shape"] for row in shown["shapes"] if row["stage"] == "final"}
    assert {"1x1", *(each["shape"] for each in shown["flights"]), shown["best"]} <= finals
    assert [each["start"] for each in shown["flights"]] == ["1x2", "2x1"]
    assert shown["contestants"]["uWSGI's default"]["percent_of_best"] < 100
    assert all(row["failed"] == 0 for row in shown["shapes"])
    assert sum(len(each) for each in shown["rounds_rps"]) >= 6
    text = "\n".join(table.lines([result]))
    assert "Screen: a quick look" in text
    assert f"0 of {result.sent}" in text


@pytest.mark.thorough
def test_two_pages_in_turn(io_workload) -> None:
    """Four clients of 20 and 40 ms with a slot each: 3 at one page and 1 at the other serve at most 175/s, and turned
    round 125/s; a window has more of one than of the other by chance. All four at the quick page would be 200/s."""
    pages = Parameters(wait_ms=20, spread=0, other=Parameters(wait_ms=40, spread=0))
    workload = replace(io_workload, parameters=pages, clients=4, shares=(0.25, 0.75))
    result = run_screen(workload, find_programs(), starts=[Shape(2, 2)], seed=1, say=print, pace=BRIEF)
    assert result.failed == 0
    assert 0 < max(each.rps for each in result.measured) <= at_most(175, clients=4, window_s=BRIEF.look[1])


@pytest.mark.thorough
def test_streams_are_cut_off_between_fixed_shapes_and_never_in_a_flight(io_workload) -> None:
    workload = replace(io_workload, parameters=Parameters(wait_ms=20, stream_s=3), clients=4, streams=2)
    result = run_screen(workload, find_programs(), starts=[Shape(1, 4)], seed=1, say=print, pace=BRIEF)
    assert result.failed == 0
    rows = {(str(each.shape), each.stage): each.rps for each in result.measured}
    assert rows["4x4", "grid"] > rows["1x1", "grid"], "with one slot the streams leave nothing to the others"


@pytest.mark.thorough
def test_poisson_arrivals_are_judged_by_their_latency(io_workload) -> None:
    workload = replace(io_workload, open_share=0.7)
    result = run_screen(workload, find_programs(), starts=[Shape(1, 2)], seed=1, say=print, pace=BRIEF)
    (found,) = result.latency
    assert found.found == result.flight.shape
    assert found.rate <= 0.7 * at_most(2 / 0.02, clients=2, window_s=BRIEF.look[1])
    assert found.shapes[found.found].mean_ms >= 19
    assert result.failed == 0
    shown = json.loads(json.dumps(table.as_json(result)))["latency"]
    assert shown[0]["shapes"][str(found.found)]["p99_ms"] >= 19
    assert "arrivals a second" in "\n".join(table.lines([result]))


@pytest.mark.thorough
def test_what_fails_by_itself_is_no_failure_of_ours_and_no_goodput(io_workload) -> None:
    """Half of the requests, and those take no time: 2 clients of 20 ms get 100 good answers a second all the same."""
    workload = replace(io_workload, parameters=Parameters(wait_ms=20, spread=0, error_share=0.5))
    result = run_screen(workload, find_programs(), starts=[Shape(1, 2)], seed=1, say=print, pace=BRIEF)
    assert (result.failed, result.failures) == (0, {})
    assert 0 < result.best.rps <= at_most(100, clients=2, window_s=BRIEF.look[1])


@pytest.mark.thorough
@pytest.mark.parametrize("database", Database)
def test_flask_and_sqlalchemy_on_a_database(database) -> None:
    kind = next(each for each in named.ALL.values() if each.database is database)
    said: list[str] = []
    try:
        result = run_screen(
            replace(kind, clients=2), find_programs(), starts=[Shape(1, 2)], seed=1, say=said.append, pace=BRIEF
        )
    except NotServing as why:
        if "is not installed" not in str(why):
            raise
        pytest.skip(f"NOT TESTED with PostgreSQL: {why}")
    assert result.failed == 0
    assert result.best.rps > 0


@pytest.mark.thorough
def test_another_server_takes_its_turn_in_each_round(io_workload) -> None:
    said: list[str] = []
    spare = [each for each in rivals(2) if each.name == "cheaper, spare"]
    result = run_screen(
        io_workload, find_programs(), starts=[Shape(1, 2)], seed=1, say=said.append, pace=BRIEF, rivals=spare
    )
    shown = table.as_json(result)
    # Two clients of 20 ms: two of its eight slots are enough for all there is.
    assert shown["rivals"]["cheaper, spare"] > shown["contestants"]["uWSGI's default"]["percent_of_best"]
    assert result.failed == 0


def test_the_built_in_load_counts_the_same_in_windows_and_in_all(
    io_workload, starting, free_port, uwsgi_programs, until
) -> None:
    port, program = free_port(), uwsgi_programs[0]
    command = [str(program.path), "--strict", "--master", "--need-app", "--die-on-term", "--enable-threads"]
    command += ["--http-socket", f"127.0.0.1:{port}", "--threads", "4", "--module", MODULE, "--disable-logging"]
    with environment(io_workload.parameters, ROUNDS) as variables:
        starting(command, cwd=io_workload.folder, env=program.env | dict(variables))
        load = BuiltIn(loads_of(io_workload), f"http://127.0.0.1:{port}")
        before = read_use()
        try:
            until(lambda: load.window(0.1, 0.3, lambda: None).rps > 0, "the application answers")
            first = load.window(0, 1, lambda: None)
            second = load.window(0, 1, lambda: None)
        finally:
            load.stop()
    after = read_use()
    assert first.rps <= at_most(2 / 0.02, clients=2, window_s=1)
    assert first.p50_ms is not None
    assert first.p50_ms >= 19
    assert load.sent >= first.rps + second.rps
    assert before
    assert after
    assert 0 <= share_between(before, after).foreign <= 1


def test_contestants_follow_the_cores() -> None:
    assert [str(shape) for shape in contestants(2).values()] == ["1x1", "2x4", "5x1"]
    assert [str(shape) for shape in contestants(8).values()] == ["1x1", "8x16", "17x1"]
