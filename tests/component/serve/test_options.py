"""Options keep the meaning that they have for whoever wrote them."""

import contextlib
import http.client
import os
import pwd
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.component.conftest import UwsgiProgram
from tests.component.local.running import wait_for
from tests.component.serve.conftest import Serve, Site
from tests.component.serve.test_serving import stats_of


def test_the_options_of_the_well_known_introduction(site: Site, serve: Serve) -> None:
    """master, processes, threads, memory-report, stats, strict, buffer-size, vacuum, die-on-term, logto, uid, gid,
    chmod-socket."""
    root = os.geteuid() == 0
    user = "nobody" if root else pwd.getpwuid(os.geteuid()).pw_name
    if root:
        os.chown(site.folder, pwd.getpwnam(user).pw_uid, -1)
    site.write(
        "app.ini",
        f"""[uwsgi]
http = 127.0.0.1:{site.port}
socket = app.sock
chmod-socket = 664
master = true
processes = 2
threads = 2
module = web:app
memory-report = true
stats = stats.sock
strict = true
buffer-size = 20000
vacuum = true
die-on-term = true
logto = app.log
uid = {user}
""",
    )
    run = serve("app.ini")
    # Where `nobody` cannot read Python's library, as below /root, uWSGI's first answer of a worker is empty.
    assert wait_for(lambda: site.get("/who")[1]).split(":")[0] == str(pwd.getpwnam(user).pw_uid)
    assert site.state()["shape"] == {"processes": 2, "threads": 2}
    assert stat.S_IMODE((site.folder / "app.sock").stat().st_mode) == 0o664
    assert len(stats_of(site.folder / "stats.sock")["workers"]) >= 2  # type: ignore[arg-type]
    headers = {f"X-Long-{number}": "x" * 6000 for number in range(3)}
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", site.port, timeout=20)) as connection:
        connection.request("GET", "/", headers=headers)
        assert connection.getresponse().status == 200
    log = site.folder / "app.log"
    wait_for(lambda: "rss usage" in log.read_text())
    assert run.end(signal.SIGTERM) == 0
    assert sorted(os.listdir(site.folder)) == ["app.ini", "app.log", "web.py"]


def test_where_the_application_is_and_what_uwsgi_serves_itself(site: Site, serve: Serve) -> None:
    """mount, manage-script-name, pythonpath, chdir, static-map, route, env, req-logger, log-format."""
    (site.folder / "src").mkdir()
    (site.folder / "web.py").rename(site.folder / "src" / "web.py")
    (site.folder / "files").mkdir()
    site.write("files/a.txt", "a file")
    site.write(
        "app.ini",
        f"""[uwsgi]
http-socket = 127.0.0.1:{site.port}
chdir = %d
pythonpath = src
mount = /shop=web:app
manage-script-name = true
static-map = /files={site.folder}/files
env = COLOUR=blue
route = ^/shop/old redirect:/shop/new
req-logger = file:requests.log
log-format = %(method) %(uri) %(status)
""",
    )
    serve("app.ini")
    assert site.get("/shop/script") == (200, "/shop|/script")
    assert site.get("/shop/env/COLOUR") == (200, "blue")
    assert site.get("/files/a.txt") == (200, "a file")
    log = site.folder / "requests.log"
    wait_for(lambda: log.exists() and "GET /shop/script 200" in log.read_text())


def test_a_virtual_environment(site: Site, serve: Serve, uwsgi_programs: list[UwsgiProgram]) -> None:
    """pyuwsgi lives in one already, and cannot change it."""
    program = next((each for each in uwsgi_programs if each.name == "source"), None)
    if program is None:
        pytest.skip("NOT TESTED: `virtualenv` needs a uWSGI built from source")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(site.folder / "venv")], check=True)
    packages = next((site.folder / "venv" / "lib").glob("python*/site-packages"))
    (packages / "colours.py").write_text("BLUE = 'one'\n")
    site.write("web.py", (site.folder / "web.py").read_text() + "import colours\nVERSION = 'blue ' + colours.BLUE\n")
    site.write("app.ini", f"[uwsgi]\nhttp = 127.0.0.1:{site.port}\nmodule = web:app\nvirtualenv = venv\n")
    serve("app.ini", env={"VIRTUAL_ENV": str(program.path.parents[1])})
    assert site.get() == (200, "blue one")


def test_a_log_that_logrotate_moves_away_is_reopened(site: Site, serve: Serve) -> None:
    site.write("app.ini", f"[uwsgi]\nhttp = 127.0.0.1:{site.port}\nmodule = web:app\nlogto = app.log\n")
    run = serve("app.ini")
    log = site.folder / "app.log"
    site.get("/first")
    wait_for(lambda: "GET /first" in log.read_text())
    # copytruncate
    log.write_text("")
    site.get("/second")
    wait_for(lambda: log.read_text().startswith("[pid:") and "GET /second" in log.read_text())
    # create, and SIGHUP
    log.rename(site.folder / "app.log.1")
    run.process.send_signal(signal.SIGHUP)
    wait_for(lambda: log.exists() and "spawned uWSGI worker" in log.read_text())
    wait_for(lambda: site.get("/third")[0] == 200 and "GET /third" in log.read_text())


def test_what_uwsgi_says_of_an_import_that_fails_is_said(site: Site, serve: Serve) -> None:
    site.write("web.py", "import nosuchpackage\n")
    site.write("app.ini", f"[uwsgi]\nhttp = 127.0.0.1:{site.port}\nmodule = web:app\n")
    run = serve("app.ini", ready=False)
    assert run.process.wait(40) == 1
    assert "No module named 'nosuchpackage'" in site.said
    assert not Path(f"/proc/{run.process.pid}").exists()
