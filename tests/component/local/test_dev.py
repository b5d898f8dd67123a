"""`uwsgi-autopilot dev`: a save is served, a mistake is shown, mended it is served again, and nothing stays behind."""

import contextlib
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.component.local.running import COMMAND, MANIFEST, wait_for
from tests.pages import commands
from uwsgi_autopilot.kernel.process import state_of

pytestmark = pytest.mark.component

ROOT = Path(__file__).parents[3]
APP = """\
import os
def app(environ, start_response):
    print("asked for", environ["PATH_INFO"])
    if environ["PATH_INFO"] == "/raise":
        raise KeyError("price")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"one {os.getpid()} {environ['wsgi.multiprocess']}".encode()]
"""


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


class Dev:
    """The command in a folder with an application that may be edited."""

    def __init__(self, folder: Path, port: int, manifest: str = MANIFEST) -> None:
        self.folder, self.url = folder, f"http://127.0.0.1:{port}"
        self.out, self.err = folder / "out.txt", folder / "err.txt"
        (folder / "app.py").write_text(APP)
        (folder / "uwsgiapp.yaml").write_text(manifest)
        command = [COMMAND, "dev", str(folder / "uwsgiapp.yaml"), "--port", str(port)]
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(command, stdout=out, stderr=err)

    def save(self, text: str, name: str = "app.py") -> None:
        (self.folder / name).write_text(text)

    def says(self, text: str, times: int = 1) -> None:
        wait_for(lambda: self.out.read_text().count(text) >= times or self.process.poll() is not None, 120)
        assert self.out.read_text().count(text) >= times, self.err.read_text()

    def shows(self, text: str) -> None:
        wait_for(lambda: text in self.err.read_text(), 120)


@pytest.fixture
def dev(tmp_path, free_port):
    started = []

    def start(**options) -> Dev:
        started.append(Dev(tmp_path, free_port(), **options))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()
        each.process.wait()


def test_a_save_is_served_a_mistake_is_shown_and_mended_it_is_served_again(dev):
    run = dev()
    run.says("is served at")
    status, text = get(run.url)
    assert (status, text.split()[0], text.split()[2]) == (200, "one", "False")
    worker = int(text.split()[1])
    run.shows("asked for /\n")
    status, text = get(f"{run.url}/raise")
    assert (status, "KeyError: 'price'" in text) == (500, True)
    run.shows("KeyError: 'price'")

    run.save(APP.replace("one ", "two "))
    run.says("loaded again")
    assert get(run.url)[1].startswith("two ")
    assert not Path(f"/proc/{worker}").exists()

    run.save(APP.replace("def app(", "def app(:"))
    run.says("The next save is tried")
    run.shows("SyntaxError")
    status, text = get(run.url)
    assert status == 500
    assert "SyntaxError" in text
    assert "app.py" in text

    run.save(APP.replace("one ", "three "))
    run.says("loaded again", 2)
    assert get(run.url)[1].startswith("three ")
    run.shows("GET / 200 in ")

    uwsgi = int(get(run.url)[1].split()[1])
    run.process.send_signal(signal.SIGINT)
    assert run.process.wait(30) == 0
    assert not Path(f"/proc/{uwsgi}").exists()
    assert sorted(path.name for path in run.folder.iterdir()) == ["app.py", "err.txt", "out.txt", "uwsgiapp.yaml"]


def test_it_starts_with_a_mistake_too_and_a_module_that_was_missing_may_come(dev):
    """uWSGI's own py-autoreload never looks at a module that could not be imported."""
    run = dev(manifest=MANIFEST.replace("app:app", "shop:app"))
    run.says("The next save is tried")
    run.shows("No module named 'shop'")
    assert get(run.url)[0] == 500
    run.save(APP, "shop.py")
    run.says("loaded again")
    assert get(run.url)[0] == 200


def test_the_manifest_is_read_again_too(dev):
    run = dev()
    run.says("is served at")
    run.save(MANIFEST.replace("app:app", "app:[]"), "uwsgiapp.yaml")
    run.says("spec.module")
    assert get(run.url)[0] == 500
    run.save(MANIFEST + "  uwsgi: {options: [{name: harakiri, value: '30'}]}\n", "uwsgiapp.yaml")
    run.says("loaded again")
    assert get(run.url)[0] == 200, "with a master, which harakiri needs"


def test_sigkill_of_the_command_leaves_no_uwsgi(dev):
    run = dev()
    run.says("is served at")
    uwsgi = int(get(run.url)[1].split()[1])
    run.process.kill()
    run.process.wait()
    # Whoever inherits it may never wait for it: then a zombie is left.
    wait_for(lambda: state_of(uwsgi) in (None, "Z"))


SETUP, *COMMANDS = commands("README.md", "uwsgi-autopilot dev")


@pytest.mark.parametrize("command", COMMANDS, ids=["uwsgi", "flask"])
def test_the_example_is_served_as_the_readme_says(command, free_port, starting, until):
    """After `make setup`, by which the programs are there."""
    assert SETUP == "make setup"
    port = free_port()
    words = [*command.replace(".venv/bin/", f"{Path(sys.executable).parent}/").split(), "--port", str(port)]
    starting(words, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def healthy() -> bool:
        with contextlib.suppress(OSError):
            return get(f"http://127.0.0.1:{port}/healthz") == (200, "ok\n")
        return False

    until(healthy, "the example is served", seconds=150)  # Flask imports twice, and a busy machine takes a minute
