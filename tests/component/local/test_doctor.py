"""Real here: the command `doctor`, and the uWSGI whose configuration it reads or that runs."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from tests.component.local.running import COMMAND, wait_for
from tests.pages import commands
from uwsgi_autopilot.cli import main
from uwsgi_autopilot.doctor.running import is_agent, read_running
from uwsgi_autopilot.resources.podtemplate import AGENT_ZIPAPP

ROOT = Path(__file__).parents[3]
APP = "def application(environ, start_response):\n    start_response('200 OK', [])\n    return [b'ok']\n"
GOOD = "strict = true\nmaster = true\nwsgi-file = app.py\nneed-app = true\n"
MANIFEST = """\
apiVersion: uwsgi-autopilot.dev/v1alpha1
kind: UwsgiApp
metadata: {name: shop}
spec:
  module: app:application
  replicas: 2
  tuning: {pin: {processes: 4, threads: 8}}
"""


@dataclass(frozen=True)
class Answer:
    returncode: int
    stdout: str
    stderr: str


class Doctor:
    """The command line in this process: to start Python and import everything takes longer than the command itself."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: object) -> Answer:
        status = main(["doctor", *map(str, arguments)])
        out, err = self._capsys.readouterr()
        return Answer(status, out, err)

    def rules(self, *arguments: object) -> dict[str, Any]:
        answer = self(*arguments, "--format", "json")
        assert answer.returncode in (0, 1), answer.stderr
        return {each["rule"]: each for each in json.loads(answer.stdout)["findings"]}

    def refusal(self, *arguments: object) -> str:
        """The one sentence."""
        return refused(self(*arguments))


def refused(answer: "Answer | subprocess.CompletedProcess[str]") -> str:
    assert (answer.returncode, answer.stdout, answer.stderr.count("\n")) == (2, "", 1), answer.stderr
    return answer.stderr


@pytest.fixture
def doctor(site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Doctor:
    """Asked in `site`, on a terminal of 100 columns."""
    monkeypatch.chdir(site)
    monkeypatch.setenv("COLUMNS", "100")
    return Doctor(capsys)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


@pytest.fixture
def start(site: Path) -> "Iterator[Callable[..., subprocess.Popen[bytes]]]":
    """A uWSGI that serves, with files below `site` and a socket in it."""
    started: list[subprocess.Popen[bytes]] = []

    def started_with(program: Path, *arguments: str, **environment: str) -> "subprocess.Popen[bytes]":
        log = site / f"log{len(started)}"
        with log.open("wb") as file:
            process = subprocess.Popen(
                [str(program), *arguments],
                cwd=site,
                stdout=file,
                stderr=file,
                env={**os.environ, **environment},
                start_new_session=True,
            )
        started.append(process)
        wait_for(lambda: b"spawned uWSGI worker" in log.read_bytes() or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        return process

    yield started_with
    for process in started:
        process.send_signal(signal.SIGINT)  # SIGTERM would reload it
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:  # a worker that was forked just now did not hear it
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_what_an_included_file_says_counts(site: Path, doctor: Doctor) -> None:
    (site / "common.ini").write_text("[uwsgi]\nport = 9191\nstats = :%(port)\n")
    (site / "app.ini").write_text("[uwsgi]\ninclude = common.ini\nsocket = a.sock\nmodlue = app\n")
    answer = doctor("app.ini")
    assert answer.returncode == 1
    assert answer.stdout.startswith("dangerous  stats = :9191: ")
    assert answer.stdout.splitlines()[-1].startswith("app.ini: 1 dangerous, ")
    unknown = doctor.rules("app.ini")["unknown-options"]["finding"]
    assert unknown.endswith("does not know it: modlue")  # and not port, which stats refers to


def test_the_command_ends_with_1_when_something_is_dangerous(site: Path) -> None:
    (site / "app.ini").write_text("[uwsgi]\nstats = :9191\n")
    answer = subprocess.run([COMMAND, "doctor", "app.ini"], cwd=site, capture_output=True, text=True, timeout=60)
    assert (answer.returncode, answer.stderr) == (1, "")


def test_the_commands_of_the_page_and_of_the_readme(uwsgi_programs: Any, site: Path, start: Any) -> None:
    """A FILE of each kind, a uWSGI that runs, and the lines for a program."""
    (site / "app.ini").write_text(f"[uwsgi]\n{GOOD}socket = a.sock\n")
    (site / "uwsgiapp.yaml").write_text(MANIFEST)
    master = start(uwsgi_programs[0].path, "app.ini")
    typed = [*commands("docs/doctor.md", "--pid 4711"), *commands("README.md", "uwsgi-autopilot doctor")]
    assert len(typed) == 5
    for command in typed:
        if shutil.which("jq") is None:
            command, _, _ = command.partition(" | jq")
        shell = command.replace("uwsgi-autopilot", COMMAND).replace("4711", str(master.pid))
        answer = subprocess.run(["bash", "-c", shell], cwd=site, capture_output=True, text=True, timeout=60)
        assert answer.stderr == ""
        says = {"app.ini --f": "short-queue", "uwsgiapp.yaml": "nothing to object to"}
        assert (
            next((text for words, text in says.items() if words in command), ": nothing dangerous, ") in answer.stdout
        )


def test_lines_are_as_long_as_the_terminal_is_wide(site: Path, doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    (site / "app.ini").write_text("[uwsgi]\nhttp = :80\n")
    monkeypatch.setenv("COLUMNS", "60")
    lines = doctor("app.ini").stdout.splitlines()
    assert len(lines) > 20
    assert [line for line in lines if len(line) > 60 and "https://" not in line] == []


@pytest.mark.parametrize("name", ["app.ini", "http.ini"])
def test_the_files_to_copy_hold_nothing_dangerous(name: str, doctor: Doctor) -> None:
    answer = doctor(ROOT / "app" / name)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert ": nothing dangerous, " in answer.stdout


def test_the_manifest_to_copy_has_nothing_to_object_to(doctor: Doctor) -> None:
    answer = doctor(ROOT / "app" / "uwsgiapp.yaml")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout == f"{ROOT / 'app' / 'uwsgiapp.yaml'}: nothing to object to\n"


def test_a_manifest_is_counted_with_its_pods_and_both_generations(site: Path, doctor: Doctor) -> None:
    """4 processes x 8 threads x 2 pods x 2 generations."""
    (site / "shop.yaml").write_text(MANIFEST)
    assert "too-many-connections" not in doctor.rules("shop.yaml", "--database-limit", 128)
    found = doctor.rules("shop.yaml", "--database-limit", 127)
    assert found["too-many-connections"]["finding"] == "up to 128 database connections, and the limit is 127"


def test_a_mistyped_option_of_a_manifest_keeps_uwsgi_from_starting(site: Path, doctor: Doctor) -> None:
    (site / "shop.yaml").write_text(MANIFEST + "  uwsgi: {options: [{name: modlue, value: x}]}\n")
    assert doctor.rules("shop.yaml")["unknown-options"]["severity"] == "dangerous"


def test_a_connection_before_the_fork_is_dangerous(site: Path, doctor: Doctor) -> None:
    (site / "app.py").write_text("import psycopg2\ndb = psycopg2.connect('postgresql://nowhere')\n")
    (site / "app.ini").write_text("[uwsgi]\nsocket = a.sock\nmodule = app\nprocesses = 2\n")
    found = doctor.rules("app.ini")["shared-connection"]
    assert (found["severity"], "psycopg2.connect at app.py:2" in found["finding"]) == ("dangerous", True)


def test_other_formats_are_read(site: Path, doctor: Doctor) -> None:
    (site / "app.json").write_text('{"uwsgi": {"socket": ":3031", "master": true}}')
    (site / "app.xml").write_text("<uwsgi><socket>:3031</socket><master/></uwsgi>")
    (site / "app.yaml").write_text("uwsgi:\n  socket: :3031\n  master: true\n")
    read = {name: doctor(name) for name in ("app.json", "app.xml", "app.yaml")}
    said = {name: answer.stdout.splitlines()[:1] or answer.stderr for name, answer in read.items()}
    # A build without a parser says so; those that have it must agree.
    assert {str(each) for each in said.values() if isinstance(each, list)} == {
        "['dangerous  socket = :3031: whoever reaches that port can run code here']"
    }, said


def test_a_running_uwsgi_is_asked_how_it_was_started(
    uwsgi_program: Any, site: Path, start: Any, doctor: Doctor
) -> None:
    (site / "below").mkdir()
    (site / "app.ini").write_text(f"[uwsgi]\n{GOOD}chdir = below\nwsgi-file = ../app.py\nsocket = a.sock\n")
    master = start(uwsgi_program.path, "app.ini", "--evil-reload-on-rss", "4000", UWSGI_PROCESSES="2", PWD=str(site))
    children = Path(f"/proc/{master.pid}/task/{master.pid}/children")
    wait_for(lambda: len(children.read_text().split()) == 2)
    of_master, of_worker = (doctor.rules("--pid", pid) for pid in (master.pid, children.read_text().split()[0]))
    assert of_master == of_worker
    assert of_master["kills-by-memory"]["severity"] == "dangerous"  # of its command line
    assert "with 2 processes" in of_master["no-thunder-lock"]["finding"]  # of its environment
    assert "need-app" not in " ".join(of_master)  # of its file
    assert ("reload-ends-it" in of_master) == (uwsgi_program.name == "pyuwsgi")
    assert doctor("--pid", master.pid).returncode == 1


@pytest.mark.parametrize(
    ("command", "ours"),
    [
        (["python3", "-I", "-m", "uwsgi_autopilot.agent", "/run/agent.json"], True),
        (["python3", "-I", AGENT_ZIPAPP, "/etc/uwsgi-autopilot/config/agent.json"], True),
        (["/home/me/uwsgi-autopilot/.venv/bin/python3", "-c", "start()"], False),
        (["bash", "/srv/uwsgi-autopilot/start.sh"], False),
        ([], False),
    ],
)
def test_whoever_started_it_from_a_folder_of_our_name_is_not_the_autopilot(command: list[str], ours: bool) -> None:
    """A checkout's usual folder: a test failed only there."""
    assert is_agent(command) is ours


def test_what_the_autopilot_serves_is_told_from_what_serves_alone(local: Any) -> None:
    run = local("--mode", "Disabled")
    run.served()
    servers = [pid for pid in run.processes() if b"--ini\0" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert servers
    assert all(read_running(pid).served for pid in servers)
    assert run.end() == 0


def test_a_command_line_that_uwsgi_replaced_cannot_be_read(
    uwsgi_programs: Any, site: Path, start: Any, doctor: Doctor
) -> None:
    """By uWSGI as a program; pyuwsgi leaves it as it is."""
    if len(uwsgi_programs) == 1:
        pytest.skip("NOT TESTED without a uWSGI from source")
    (site / "app.ini").write_text(f"[uwsgi]\n{GOOD}socket = a.sock\nauto-procname = true\n")
    master = start(uwsgi_programs[1].path, "app.ini")
    wait_for(lambda: b"app.ini" not in Path(f"/proc/{master.pid}/cmdline").read_bytes())
    assert "give its configuration as FILE instead" in doctor.refusal("--pid", master.pid)


def test_what_is_no_configuration_is_refused_in_one_sentence(site: Path, doctor: Doctor) -> None:
    os.mkfifo(site / "pipe.ini")
    (site / "broken.yaml").write_text("uwsgi: [")
    (site / "none.ini").write_text("master = true\n")
    (site / "typo.ini").write_text("[uwsgi]\nstrict = true\nmodlue = app\n")
    (site / "wrong.yaml").write_text(MANIFEST.replace("replicas: 2", "replicas: many"))
    assert "there is no such file" in doctor.refusal("absent.ini")
    assert "found a pipe" in doctor.refusal("pipe.ini")
    assert "found none that uWSGI can read" in doctor.refusal("broken.yaml")
    assert "Can't find section" in doctor.refusal("none.ini")
    assert "unknown config directive: modlue" in doctor.refusal("typo.ini")
    assert "spec.replicas" in doctor.refusal("wrong.yaml")
    assert "a FILE or --pid PID" in doctor.refusal()


def test_a_process_that_is_no_uwsgi_is_refused_in_one_sentence(doctor: Doctor) -> None:
    assert "expected a uWSGI, found " in doctor.refusal("--pid", os.getpid())
    assert "there is no such process" in doctor.refusal("--pid", 2**22 + 1)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_process_of_another_user_is_refused_in_one_sentence(site: Path) -> None:
    code = "import os, sys; from uwsgi_autopilot.cli import main; os.setuid(65534); "
    code += f"sys.exit(main(['doctor', '--pid', '{os.getpid()}']))"
    answer = subprocess.run([sys.executable, "-c", code], cwd=site, capture_output=True, text=True, timeout=60)
    assert "belongs to the user root: run the doctor as that user or as root" in refused(answer)
