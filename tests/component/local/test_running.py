"""`uwsgi-autopilot local` does what it says, and leaves nothing behind however it ends."""

import concurrent.futures
import glob
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.component.local.running import COMMAND, MANIFEST, at_most_crons, rate_of, report_of, stats_of, wait_for
from tests.component.uwsgitop import uwsgitop
from tests.pages import commands
from uwsgi_autopilot.api.desired import DesiredShape, Version
from uwsgi_autopilot.api.manifest import parse_manifest
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.kernel.process import children_of
from uwsgi_autopilot.kernel.sockdiag import tcp_listener_exists
from uwsgi_autopilot.local.programs import find_programs
from uwsgi_autopilot.local.ready import wait_ready
from uwsgi_autopilot.local.session import Session

pytestmark = pytest.mark.component


def get(local, path="/") -> tuple[int, str]:
    with urllib.request.urlopen(local.url + path, timeout=60) as answer:
        return answer.status, answer.read().decode()


def test_an_application_that_waits_gets_more_threads_and_the_report_says_so(local, tmp_path):
    """64 clients of 100 ms on 2 slots: at most 20 requests a second."""
    report = tmp_path / "report.json"
    run = local("--load", "clients=64,path=/?ms=100", "--report", str(report))
    run.says(" kept ", 150)
    # The report's figures are of its last 10 s. How soon, and how good the shape is, the bench measures: here others
    # have the cores, and perhaps a trial goes on.
    wait_for(lambda: rate_of(run.state()["samples"]) > 6 * 20, 150)
    before = run.requests()
    assert run.end() == 0, run.err.read_text()
    told = report_of(report)
    assert told["app"] == "test"
    assert told["failed"] == 0
    assert told["requests"] >= before
    assert told["swaps"] >= 1
    assert told["throughput_rps"] > 5 * 20
    assert 0 < told["latency_ms"]["p50"] <= told["latency_ms"]["p99"]
    decisions = told["decisions"]
    first = decisions[0]
    assert first["kind"] == "try"
    assert first["from"] == {"processes": 1, "threads": 2}
    assert set(first) == {"at_s", "kind", "from", "to", "reason", "message"}
    promoted = next(each for each in decisions if each["kind"] == "promote")
    assert promoted["to"]["processes"] * promoted["to"]["threads"] > 2
    last = [each for each in decisions if each["kind"] != "refuse"][-1]
    assert told["shape"] in (last["from"], last["to"])
    assert "changed 1x2" in run.out.read_text()


def test_uwsgitop_follows_a_change_at_the_place_that_the_page_names(local):
    (command,) = commands("docs/local.md", "uwsgitop")
    run = local("--mode", "Disabled")
    run.served()
    (place,) = glob.glob(command.split()[1].replace("/tmp/", f"{run.temporary}/"))
    first = stats_of(Path(place))["pid"]
    with uwsgitop(place, run.temporary) as top:
        wait_for(lambda: top.shows(f"masterpid: {first}"))
        (folder,) = run.files()
        (folder / "desired.new").write_text(DesiredShape(version=Version(1, 1), shape=Shape(2, 3)).to_text())
        (folder / "desired.new").rename(folder / "desired")
        second = wait_for(lambda: {stats_of(Path(place))["pid"]} - {first}).pop()
        wait_for(lambda: top.shows(f"masterpid: {second}"))
    assert run.end() == 0


def test_mode_recommend_says_what_it_would_do_and_does_nothing(local, tmp_path):
    report = tmp_path / "report.json"
    run = local("--mode", "Recommend", "--load", "clients=32,path=/?ms=50", "--report", str(report))
    run.says("would change 1x2", 120)
    assert run.end() == 0, run.err.read_text()
    told = report_of(report)
    assert told["shape"] == {"processes": 1, "threads": 2}
    assert told["swaps"] == 0
    assert {entry["kind"] for entry in told["decisions"]} == {"recommend"}
    assert told["decisions"][0]["to"] != told["shape"]


def test_mode_disabled_keeps_the_shape_that_was_named(local, tmp_path):
    report = tmp_path / "report.json"
    run = local("--for", "6s", "--mode", "Disabled", "--shape", "2x3", "--load", "clients=8", "--report", str(report))
    assert run.process.wait(90) == 0, run.err.read_text()
    told = report_of(report)
    assert (told["shape"], told["decisions"]) == ({"processes": 2, "threads": 3}, [])
    assert told["held"] == {"reason": "Disabled", "message": "spec.tuning.mode is Disabled"}
    last = run.out.read_text().splitlines()[-1]
    assert f"{told['requests']:,} requests, 0 failed, " in last
    assert last.endswith("2x3; nothing changed: Disabled: spec.tuning.mode is Disabled")


def test_while_many_requests_fail_nothing_is_tried_and_that_is_said(local, tmp_path):
    """Nearly all of them: a smaller share that lasts is no objection any more after seconds, and the report is of the
    end."""
    report = tmp_path / "report.json"
    loads = ("--load", "clients=1,path=/?ms=20", "--load", "clients=31,path=/?ms=20&status=500")
    run = local(*loads, "--report", str(report))
    run.says("ErrorsHigh: ", 120)
    assert run.end() == 0, run.err.read_text()
    told = report_of(report)
    assert (told["held"]["reason"], told["decisions"]) == ("ErrorsHigh", [])


def test_a_load_that_is_sent_to_a_login_page_is_said_to_be(local, tmp_path):
    report = tmp_path / "report.json"
    run = local("--mode", "Disabled", "--load", "clients=2,path=/?ms=5&status=302", "--report", str(report))
    run.says("the load gets no page: every answer so far is a redirect or a refusal (")
    assert run.end() == 0, run.err.read_text()
    told = report_of(report)
    assert told["statuses"] == {"302": told["requests"]}
    assert told["failed"] == 0


def test_without_a_load_the_report_knows_no_failures(local, tmp_path):
    report = tmp_path / "report.json"
    run = local("--for", "4s", "--report", str(report))
    assert run.process.wait(60) == 0
    assert report_of(report)["failed"] is None


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_stopping_loses_no_request_and_leaves_nothing(local, tmp_path, signum):
    report = tmp_path / "report.json"
    run = local("--load", "clients=8,path=/?ms=300", "--report", str(report))
    run.served()
    wait_for(lambda: run.requests() > 20)  # the load has begun: the agent itself asks a few times
    assert run.end(signum) == 0
    assert report_of(report)["failed"] == 0
    assert run.processes() == []
    assert run.files() == []


def test_a_second_ctrl_c_ends_at_once(local):
    """Requests that last longer than this test are not waited for."""
    run = local("--load", "clients=2,path=/?ms=600000", manifest=_with("  nginx: {readTimeout: 600s}\n"))
    run.served()
    wait_for(lambda: run.in_service() == 2)
    run.process.send_signal(signal.SIGINT)
    run.says("stopping: ")
    assert run.end(signal.SIGINT) == 130
    assert run.processes() == []


def test_a_second_sigterm_cuts_nothing_off(local, tmp_path):
    """Who stops a service may repeat it."""
    run = local(manifest=_with(f"  env: [{{name: FAULTS, value: {tmp_path}}}]\n"))
    run.served()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        held = pool.submit(get, run, "/?held=yes")
        wait_for(lambda: run.in_service() == 1)
        for _ in range(3):
            run.process.send_signal(signal.SIGTERM)
            run.says("stopping: ")
        (tmp_path / "released").touch()
        assert held.result()[0] == 200
    assert run.end(signal.SIGTERM) == 0


def test_ctrl_c_of_a_terminal_reaches_the_runner_only(local):
    """The terminal signals the whole foreground process group: children are not in it."""
    run = local()
    run.served()
    group = os.getpgid(run.process.pid)
    assert all(os.getpgid(pid) != group for pid in run.processes() if pid != run.process.pid)


def test_sigkill_of_the_runner_leaves_no_process_and_no_file(local):
    run = local("--load", "clients=4,path=/?ms=10")
    run.served()
    wait_for(lambda: run.requests() > 20)  # the load has begun: the agent itself asks a few times
    assert len(run.processes()) >= 8, "command, janitor, load, nginx and its worker, agent, uWSGI and its worker"
    run.process.kill()
    run.process.wait()
    wait_for(lambda: not run.processes() and not run.files())


def test_sigkill_of_the_runner_loses_no_request_in_flight(local, tmp_path, free_port):
    """Nobody reads any more what nginx and the agent print."""
    port = free_port()
    run = local(manifest=_with(f"  env: [{{name: FAULTS, value: {tmp_path}}}]\n"), port=port)
    run.served()
    asked = run.state()["now"]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        held = pool.submit(get, run, "/?held=yes")
        # In a sample of the time since then: the agent's own question was in service before.
        wait_for(lambda: run.in_service() == 1 and run.state()["samples"][-1]["at"] > asked + 2)
        run.process.kill()
        run.process.wait()
        wait_for(lambda: not tcp_listener_exists(port))
        (tmp_path / "released").touch()
        assert held.result()[0] == 200
    wait_for(lambda: not run.processes() and not run.files())


def test_sigkill_of_runner_and_agent_leaves_nothing_either(local):
    run = local()
    run.served()
    (agent,) = [pid for pid in children_of(run.process.pid) if b"uwsgi_autopilot.agent" in _command(pid)]
    os.kill(agent, signal.SIGSTOP)  # else it might have ended everything, and itself, before it is killed
    run.process.kill()
    os.kill(agent, signal.SIGKILL)
    run.process.wait()
    wait_for(lambda: not run.processes() and not run.files())


def _command(pid: int) -> bytes:
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        return file.read()


def test_uwsgi_variables_of_the_environment_are_not_taken_for_options(local):
    """A Service called `uwsgi` puts UWSGI_SERVICE_HOST into every pod, which would end a strict uWSGI."""
    run = local(env={"UWSGI_SERVICE_HOST": "10.0.0.1", "UWSGI_HTTP": ":9", "NOTIFY_SOCKET": "/nowhere"})
    run.served()
    assert get(run)[0] == 200
    assert run.end() == 0


def test_environment_of_the_manifest_reaches_the_application(local, tmp_path):
    (tmp_path / "bad-import").touch()
    manifest = _with(f"  env: [{{name: FAULTS, value: {tmp_path}}}]\n")
    run = local(manifest=manifest)
    assert run.process.wait(60) == 1
    assert "missing SECRET_KEY" in run.err.read_text()


def test_options_of_the_manifest_reach_uwsgi(local):
    run = local(manifest=_with("  uwsgi: {options: [{name: buffer-size, value: '4096'}]}\n"))
    run.served()
    assert get(run)[0] == 200
    with pytest.raises(urllib.error.HTTPError) as refused:
        get(run, "/?" + "x" * 6000)
    assert refused.value.code == 414, "said by nginx, whose own limit follows"
    refused.value.close()
    assert run.end() == 0


def test_what_would_run_twice_keeps_the_threads_of_a_manifest_too(local, tmp_path):
    """`cron`, `mule` and `attach-daemon` in spec.uwsgi.options; without them other threads would be better here."""
    (tmp_path / "mule.py").write_text(f"open('{tmp_path}/mules', 'a').write('one\\n')\nimport time\ntime.sleep(1000)\n")
    began = time.monotonic()
    run = local(
        *("--load", "clients=32,path=/?ms=50", "--report", str(tmp_path / "report.json")),
        manifest=_with(
            f"""\
  uwsgi:
    options:
      - {{name: mule, value: {tmp_path}/mule.py}}
      - {{name: cron, value: "-1 -1 -1 -1 -1 echo one >> {tmp_path}/crons"}}
      - {{name: attach-daemon, value: "sh -c 'echo one >> {tmp_path}/daemons; exec sleep 1000'"}}
"""
        ),
    )
    run.says(" kept ", 120)
    assert run.end() == 0, run.err.read_text()
    told = report_of(tmp_path / "report.json")
    assert (told["failed"], told["swaps"], told["shape"]["threads"]) == (0, 0, 2)
    assert told["shape"]["processes"] > 1
    assert [(tmp_path / name).read_text().split() for name in ("mules", "daemons")] == [["one"], ["one"]]
    assert len((tmp_path / "crons").read_text().split()) <= at_most_crons(began), "once a minute"


def test_what_is_printed_last_is_passed_on_before_the_session_has_ended(tmp_path, free_port):
    """To a reader that takes its time."""
    (tmp_path / "web.py").write_text(
        "import atexit\n"
        "atexit.register(print, 'good', 'bye', sep='-', flush=True)\n"
        "def app(environ, start_response):\n    start_response('200 OK', [])\n    return [b'ok']\n"
    )
    passed = []

    def sink(line: str) -> None:
        if line == "good-bye":
            time.sleep(1)
        passed.append(line)

    app = parse_manifest(MANIFEST.replace("app:app", "web:app"), "test.yaml")
    with Session(app, folder=tmp_path, port=free_port(), programs=find_programs(), sink=sink) as session:
        wait_ready(session)
    assert "good-bye" in passed


def _with(lines: str) -> str:
    return MANIFEST + lines


def test_it_runs_as_an_ordinary_user_too(local, tmp_path, short_directory):
    if os.geteuid() != 0:
        pytest.skip("every other test here runs as an ordinary user already")
    if not _readable_by_nobody():
        pytest.skip("NOT TESTED: this checkout lies where an ordinary user cannot read it")
    os.chmod(tmp_path, 0o755)
    os.chmod(short_directory, 0o777)
    for parent in tmp_path.parents:
        if parent.name.startswith("pytest-"):
            os.chmod(parent, 0o755)
    run = local("--for", "3s", user=65534)
    assert run.process.wait(60) == 0, run.err.read_text()
    assert "is served at" in run.out.read_text()


def _readable_by_nobody() -> bool:
    try:
        return subprocess.run([COMMAND, "--version"], user=65534, capture_output=True, cwd="/").returncode == 0
    except PermissionError:
        return False
