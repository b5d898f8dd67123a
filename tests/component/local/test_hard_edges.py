"""What careless people do: one clear sentence, the right exit code, nothing left behind."""

import os
import re
import signal
import socket
import subprocess
import time
import urllib.request

import pytest

from tests.component.local.running import COMMAND, MANIFEST, SITE, report_of, wait_for
from uwsgi_autopilot.local.repeats import PASSED, WINDOW_SECONDS

pytestmark = pytest.mark.component


def ended(run, code: int) -> str:
    """The run ends by itself with `code`; what it said on standard error. Nothing is left of it."""
    assert run.process.wait(60) == code, run.err.read_text() + run.out.read_text()
    assert run.processes() == []
    assert run.files() == []
    return run.err.read_text()


def test_a_module_that_does_not_exist_is_named_by_its_own_traceback(local):
    said = ended(local(manifest=MANIFEST.replace("app:app", "shop:app")), 1)
    assert "ModuleNotFoundError: No module named 'shop'" in said
    assert "shop:app could not be served from" in said


def test_a_start_that_fails_leaves_no_report_of_zeros(local, tmp_path):
    report = tmp_path / "report.json"
    ended(local("--report", str(report), manifest=MANIFEST.replace("app:app", "shop:app")), 1)
    told = report_of(report)
    assert set(told) == {"app", "failed_to_start"}
    assert "No module named 'shop'" in told["failed_to_start"]


def test_a_callable_that_does_not_exist(local):
    said = ended(local(manifest=MANIFEST.replace("app:app", "app:application")), 1)
    assert "application" in said


@pytest.mark.parametrize(
    ("callable", "says"),
    [
        pytest.param("always_500", "/ was answered with status 500", id="a callable that answers only 500"),
        pytest.param("create_app", "TypeError: create_app() takes 0 positional", id="a factory without parentheses"),
    ],
)
def test_an_application_that_only_fails_is_said_once_and_ends(local, callable, says):
    run = local(manifest=MANIFEST.replace("app:app", f"app:{callable}"))
    said = ended(run, 1)
    assert f"app:{callable} answers no request from" in said
    assert says in said
    assert "spec.health.path" in said, "what to do when only that page fails"
    assert run.out.read_text().count("every request fails so far") == 1


def test_an_application_whose_every_page_fails_but_one_served_nothing(local):
    """The page that the agent asks for is fine, the clients' is not."""
    run = local("--mode", "Disabled", "--load", "clients=2,path=/?ms=20&status=500")
    run.says("every request fails")
    run.process.send_signal(signal.SIGINT)
    assert "nothing could be served: each of" in ended(run, 1)
    assert run.out.read_text().count("every request fails") == 1


def test_a_traceback_of_every_request_is_passed_on_a_few_times_and_counted(local):
    """Thousands of requests, and the log stays one that can be read."""
    began = time.monotonic()
    run = local("--mode", "Disabled", "--load", "clients=4,path=/?ms=oops")
    run.says("every request fails")
    wait_for(lambda: run.requests() > 1000)
    assert run.end() == 1, "nothing could be served"
    said = run.err.read_text()
    # A line of each kind so often in a window, however long 1,000 requests take: there are about a dozen kinds.
    passed = PASSED * (1 + int((time.monotonic() - began) // WINDOW_SECONDS))
    assert 0 < said.count("ValueError: could not convert string to float: 'oops'\n") <= passed
    assert re.search(r"\.\.\. repeated [\d,]+ times in \d+ s: ValueError: could not convert", said)
    assert len(said.splitlines()) < 100 + 20 * passed
    assert run.out.read_text().count("every request fails") == 1


def test_a_wrong_field_names_its_path_what_was_expected_and_what_was_found(local):
    said = ended(local(manifest=MANIFEST.replace("processes: 1", "processes: many")), 2)
    assert "spec.tuning.start.processes" in said
    assert "many" in said


def test_an_option_that_the_autopilot_owns_is_refused_with_the_reason(local):
    said = ended(local(manifest=MANIFEST + "  uwsgi: {options: [{name: processes, value: '4'}]}\n"), 2)
    assert "spec.uwsgi.options[0]" in said
    assert "processes" in said


def test_a_port_in_use_is_named_with_its_owner(local):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        said = ended(local(port=taken.getsockname()[1]), 1)
    assert f"port {taken}"[:4] in said
    assert f"process {os.getpid()}" in said
    assert "--port" in said


def test_missing_programs_say_what_to_install(tmp_path):
    from uwsgi_autopilot.errors import NotServing
    from uwsgi_autopilot.local import programs

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(tmp_path))
        patch.delenv("VIRTUAL_ENV", raising=False)
        patch.setattr(programs.sys, "executable", str(tmp_path / "python"))
        with pytest.raises(NotServing, match="pip install uwsgi"):
            programs.find_uwsgi()


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        pytest.param(["--shape", "4by8"], "PROCESSESxTHREADS", id="a shape in words"),
        pytest.param(["--shape", "64x1"], "expected 1 to 16 processes", id="a shape beyond the bounds"),
        pytest.param(["--for", "soon"], "--for", id="a time that is none"),
        pytest.param(["--mode", "Off"], "Auto, Recommend or Disabled", id="a mode that is none"),
        pytest.param(["--load", "64 clients"], "load", id="a load in prose"),
        pytest.param(["--chdir", "/nowhere"], "/nowhere", id="a folder that is not there"),
        pytest.param(
            ["--report", "/nowhere/report.json", "--for", "1s"], "/nowhere/report.json", id="no place to report"
        ),
    ],
)
def test_a_wrong_command_line(local, arguments, fragment):
    assert fragment in ended(local(*arguments), 2)


def test_a_manifest_that_cannot_be_read(local, tmp_path):
    for path, fragment in ((tmp_path, "directory"), (tmp_path / "none.yaml", "none.yaml")):
        told = subprocess.run([COMMAND, "local", str(path)], capture_output=True, text=True, timeout=60)
        assert (told.returncode, fragment in told.stderr) == (2, True), told.stderr


def test_a_run_path_that_would_be_too_long_is_avoided(local, short_directory):
    deep = short_directory / ("d" * 100)
    deep.mkdir()
    run = local("--for", "2s", env={"TMPDIR": str(deep)})
    assert run.process.wait(60) == 0, run.err.read_text()
    deep.rmdir()


def test_a_full_disk_is_a_clear_error(local, short_directory):
    if os.geteuid() != 0:
        pytest.skip("NOT TESTED: only root can mount a small disk")
    small = short_directory / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small)], check=False)
    if mounted.returncode:
        pytest.skip("NOT TESTED: nothing can be mounted here")
    try:
        env = {"TMPDIR": str(small), "XDG_RUNTIME_DIR": str(small)}
        run = local("--for", "2s", env=env)
        assert run.process.wait(60) in (0, 1)
        if run.process.returncode == 1:
            assert "no space left" in run.err.read_text()
        else:
            assert "small" not in run.out.read_text()
    finally:
        subprocess.run(["umount", str(small)], check=True)
        small.rmdir()


def test_a_reader_that_goes_away_does_not_stop_the_service(tmp_path, short_directory, free_port):
    """`uwsgi-autopilot local … | head -1`."""
    (tmp_path / "uwsgiapp.yaml").write_text(MANIFEST)
    command = [COMMAND, "local", str(tmp_path / "uwsgiapp.yaml"), "--chdir", str(SITE), "--port", str(free_port())]
    run = subprocess.Popen(
        [*command, "--for", "8s", "--load", "clients=32,path=/?ms=50", "--report", str(tmp_path / "report.json")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "TMPDIR": str(short_directory)},
    )
    assert run.stdout is not None
    assert b"is served at" in run.stdout.readline()
    run.stdout.close()
    assert run.wait(60) == 0
    assert report_of(tmp_path / "report.json")["failed"] == 0


def test_a_secret_of_the_application_is_in_no_sentence_of_ours(local, tmp_path):
    """What the application prints itself goes to standard error as it is."""
    (tmp_path / "bad-import").write_text("cannot connect to postgres://app:hunter3@db/shop")
    said = ended(local(env={"FAULTS": str(tmp_path)}), 1)
    printed, found, sentence = said.partition("uwsgi-autopilot: app:app could not be served from")
    assert found
    assert "postgres://app:hunter3@db/shop" in printed
    assert "RuntimeError: cannot connect to postgres://app:***@db/shop" in sentence
    assert 'password="***"' in sentence
    assert "hunter" not in sentence


def test_nor_is_it_in_the_report(local, tmp_path):
    report = tmp_path / "report.json"
    run = local("--load", "clients=32,path=/?ms=50", "--report", str(report), env={"FAULTS": str(tmp_path)})
    run.served()
    (tmp_path / "bad-import").write_text("cannot connect to postgres://app:hunter3@db/shop")
    wait_for(lambda: "StartFailed" in run.out.read_text(), 150)  # where others have the cores it decides late
    assert run.end() == 0
    refused = [each for each in report_of(report)["decisions"] if each["reason"] == "StartFailed"]
    assert "RuntimeError: cannot connect to postgres://app:***@db/shop" in refused[0]["message"]
    assert "hunter" not in report.read_text() + run.out.read_text()


def test_a_snippet_that_nginx_does_not_know_is_named_with_its_line(local):
    nginx = '  nginx: {snippet: "gzip_vary off;\\nfrobnicate on;\\n"}\n'
    said = ended(local(manifest=MANIFEST + nginx), 2)
    assert said.strip().endswith('spec.nginx.snippet: nginx refuses line 2: unknown directive "frobnicate"')


def test_a_second_location_of_one_path_is_named_too(local):
    nginx = '  nginx: {streaming: [/a], snippet: "location /a/ { return 204; }"}\n'
    said = ended(local(manifest=MANIFEST + nginx), 2)
    assert "spec.nginx.snippet: nginx refuses line 1: duplicate location" in said


def test_static_files_that_are_not_there_are_said_once_and_the_application_is_served(local):
    run = local("--for", "2s", manifest=MANIFEST + "  nginx: {static: [{path: /static/, dir: nosuch}]}\n")
    assert run.process.wait(60) == 0
    told = f"spec.nginx.static[0].dir: there is no directory {SITE}/nosuch, so everything below /static"
    assert run.err.read_text().count(f"{told} is answered with 404") == 1


def test_the_access_log_is_among_the_lines_of_the_application_where_it_is_wanted(local):
    """And nowhere else: on one machine nothing is printed for each request."""
    for nginx, lines in (("", 0), ("  nginx: {accessLog: Json}\n", 1)):
        run = local(manifest=MANIFEST + nginx)
        run.served()
        urllib.request.urlopen(f"{run.url}/?seen=here", timeout=20).close()
        assert run.end() == 0
        assert run.err.read_text().count('"uri":"/?seen=here"') == lines
        assert ("seen=here" in run.err.read_text()) is bool(lines)
