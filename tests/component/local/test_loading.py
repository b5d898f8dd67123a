"""How an application is named and loaded, and what is said when it cannot be."""

import os
import signal
from pathlib import Path

import pytest

from tests.component.local.conftest import Run

pytestmark = pytest.mark.component

PLAIN = """\
def {name}(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [(environ["SCRIPT_NAME"] + "|" + environ["PATH_INFO"]).encode()]
"""
APP, APPLICATION = PLAIN.format(name="app"), PLAIN.format(name="application")
FACTORY = "def create_app(name='x'):\n" + "".join(f"    {line}\n" for line in APP.splitlines()) + "    return app\n"


def manifest(module: str, *options: str) -> str:
    pairs = [option.partition("=") for option in options]
    lines = "".join(f"      - {{name: {name}, value: '{value}'}}\n" for name, _, value in pairs)
    return f"""\
apiVersion: uwsgi-autopilot.dev/v1alpha1
kind: UwsgiApp
metadata: {{name: test}}
spec:
  module: "{module}"
  tuning: {{start: {{processes: 1, threads: 2}}, mode: Disabled}}
  uwsgi:
    options:
{lines or "      []"}
"""


def tree(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


SERVED = {
    "a module": ("web:app", {"web.py": APP}, ()),
    "a package's module": ("shop.wsgi", {"shop/__init__.py": "", "shop/wsgi.py": APPLICATION}, ()),
    "a file": ("src/web.py:app", {"src/web.py": APP}, ()),
    "a file of mod_wsgi": ("app.wsgi", {"app.wsgi": APPLICATION}, ()),
    "below a package of the same name": ("app.wsgi", {"app/__init__.py": "", "other": "", "app.wsgi": APPLICATION}, ()),
    "a factory": ("shop:create_app()", {"shop/__init__.py": FACTORY}, ()),
    "below src": ("shop:app", {"src/shop/__init__.py": APP}, ("pythonpath=src",)),
    "below a prefix": ("web:app", {"web.py": APP}, ("mount=/shop=web:app", "manage-script-name=true")),
}


@pytest.mark.parametrize("name", SERVED)
def test_served(local: Run, tmp_path: Path, name: str) -> None:
    module, files, options = SERVED[name]
    folder = tree(tmp_path / "site", files)
    run = local("--chdir", str(folder), manifest=manifest(module, *options))
    run.served()
    assert run.end() == 0


def test_an_absolute_file_of_mod_wsgi_below_a_prefix(local: Run, tmp_path: Path) -> None:
    from urllib.request import urlopen

    folder = tree(tmp_path / "site", {"deep/app.wsgi": APPLICATION})
    path = folder / "deep" / "app.wsgi"
    options = (f"mount=/shop={path}", "manage-script-name=true")
    run = local("--chdir", str(folder), manifest=manifest(str(path), *options))
    run.served()
    with urlopen(f"{run.url}/shop/tea", timeout=20) as answer:
        assert answer.read() == b"/shop|/tea"


FAILING = {
    "no callable": ("web", {"web.py": APP}, (), "web has no callable named application: use web:app"),
    "in a package that imports it": (
        "shop",
        {
            "shop/__init__.py": "from .core import *\n",
            "shop/core.py": "from flask import Flask\nsite = Flask(__name__)\n",
        },
        (),
        "shop has no callable named application: use shop:site",
    ),
    "another callable": ("web:nosuch", {"web.py": APP}, (), "web has no callable named nosuch: use web:app"),
    "no module": ("nosuch", {}, (), "ModuleNotFoundError: No module named 'nosuch'"),
    "a syntax error": ("web:app", {"web.py": "def app(:\n"}, (), "SyntaxError: "),
    "an exception": ("web:app", {"web.py": "raise ValueError('no database')\n"}, (), "ValueError: no database"),
    "an import": ("web:app", {"web.py": "import nosuch\n"}, (), "No module named 'nosuch'"),
    "sys.exit": (
        "web:app",
        {"web.py": "import sys\nsys.exit('no database')\n"},
        (),
        "requests: the application ended the process while it was loaded, as sys.exit() does; it printed:\nno database",
    ),
    "no file": ("src/web.py:app", {}, (), "there is no file "),
    "syslog": (
        "web:app",
        {"web.py": "raise ValueError('deep')\n"},
        ("logger=syslog:shop",),
        "uWSGI logs to syslog:shop: see there",
    ),
    "logto": ("web:app", {"web.py": "raise ValueError('deep')\n"}, ("logto=app.log",), "ValueError: deep"),
    "a logger": ("web:app", {"web.py": "raise ValueError('deep')\n"}, ("logger=file:app.log",), "ValueError: deep"),
}


@pytest.mark.parametrize("name", FAILING)
def test_the_cause_is_said_last_and_uwsgis_lines_once(local: Run, tmp_path: Path, name: str) -> None:
    module, files, options, cause = FAILING[name]
    (tmp_path / "site").mkdir()
    folder = tree(tmp_path / "site", files)
    run = local("--chdir", str(folder), manifest=manifest(module, *options))
    assert run.process.wait(60) == 1
    said = run.err.read_text()
    last = said[said.rindex("uwsgi-autopilot: ") :]
    assert cause in last
    assert "Operational MODE" not in last
    assert said.count("*** Operational MODE") <= 1


def test_both_ends_of_an_application_run_and_its_threads_are_waited_for(local: Run, tmp_path: Path) -> None:
    """uwsgi.atexit, Python's atexit, and a thread that still works; as under plain uWSGI."""
    folder = tree(
        tmp_path / "site",
        {
            "web.py": APP
            + f"""
import atexit, threading, time, uwsgi
def note(text):
    with open({str(tmp_path / "ends")!r}, "a") as out:
        out.write(text + "\\n")
atexit.register(note, "python")
before = getattr(uwsgi, "atexit", None)
def end():
    note("uwsgi")
    if before is not None:
        before()
uwsgi.atexit = end
def work():
    while threading.main_thread().is_alive():
        time.sleep(0.01)
    note("thread")
def start():
    threading.Thread(target=work).start()
uwsgi.post_fork_hook = start
"""
        },
    )
    run = local("--chdir", str(folder), manifest=manifest("web:app"))
    run.served()
    assert run.end(signal.SIGTERM) == 0
    ends = (tmp_path / "ends").read_text().split()
    assert sorted(ends) == ["python", "thread", "uwsgi"]
    assert ends.index("uwsgi") < ends.index("python")
    assert os.listdir(run.temporary) == []
