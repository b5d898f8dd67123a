"""Options keep the meaning that they have for whoever wrote them."""

import contextlib
import http.client
import os
import pwd
import re
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.component.conftest import Starter, UwsgiProgram
from tests.component.local.running import Local, stats_of, wait_for
from tests.component.serve.conftest import Serve, Site
from tests.component.serve.test_serving import UWSGI, listens, read_all
from tests.component.uwsgitop import uwsgitop
from uwsgi_autopilot.api.fates import Fate, row_of
from uwsgi_autopilot.local.programs import ignored_environment
from uwsgi_autopilot.local.resolve import known_options, resolve
from uwsgi_autopilot.uwsgi.request import request_packet

SHOWN = """
http = 127.0.0.1:8080
daemonize = app.log
pidfile = app.pid
pidfile2 = two.pid
touch-reload = now
touch-chain-reload = now
touch-workers-reload = now
py-autoreload = 1
python-autoreload = 1
cheaper = 1
cheaper-initial = 2
cheaper-algo = busyness
cheaper-busyness-max = 70
stats = 127.0.0.1:9191
stats-http = true
mule = mule.py
mules = 2
farm = a:1
cron = -1 -1 -1 -1 -1 true
spooler = spool
attach-daemon = sleep 9
smart-attach-daemon = a.pid sleep 9
cache2 = name=a,items=10
gevent = 10
async = 4
ugreen = true
emperor = vassals
zerg = z.sock
zerg-server = z.sock
zerg-pool = z:a
harakiri = 30
max-requests = 100
reload-on-rss = 200
reload-on-as = 200
mount = /a=web:app
manage-script-name = true
static-map = /s=/tmp
route = ^/a log:x
route-run = log:x
virtualenv = venv
pythonpath = src
chdir = .
env = A=1
logger = file:x.log
log-format = %(uri)
req-logger = file:r.log
plugin = python
memory-report = true
"""
FATES = {
    Fate.TAKEN_OVER: "http daemonize pidfile pidfile2 touch-reload touch-chain-reload touch-workers-reload "
    "py-autoreload python-autoreload cheaper cheaper-initial cheaper-algo cheaper-busyness-max stats stats-http",
    Fate.IN_PLACE: "mule mules farm cron spooler attach-daemon smart-attach-daemon cache2",
    Fate.PLAIN: "gevent async ugreen emperor zerg zerg-server zerg-pool",
    Fate.KEPT: "harakiri max-requests reload-on-rss reload-on-as mount manage-script-name static-map route route-run "
    "virtualenv pythonpath chdir env logger log-format req-logger plugin memory-report",
}


def test_uwsgi_shows_each_option_under_the_name_that_has_its_fate(site: Site, uwsgi_program: UwsgiProgram) -> None:
    site.write("app.ini", f"[uwsgi]\n{SHOWN.strip()}\n")
    options = resolve(str(uwsgi_program.path), ["app.ini"], cwd=str(site.folder))
    assert [(name, value) for name, value in options if name != "ini"] == [
        (name, value) for name, _, value in (line.partition(" = ") for line in SHOWN.strip().splitlines())
    ]
    for fate, names in FATES.items():
        assert {name: row_of(name).fate for name in names.split()} == dict.fromkeys(names.split(), fate)
    assert {name for name, _ in options if name != "ini"} == {
        each for names in FATES.values() for each in names.split()
    }


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
    assert len(stats_of(site.folder / "stats.sock")["workers"]) >= 2
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


def program_from_source(programs: list[UwsgiProgram]) -> UwsgiProgram:
    for each in programs:
        if each.name == "source":
            return each
    pytest.skip("NOT TESTED: this needs a uWSGI built from source")


def test_a_virtual_environment_that_pyuwsgi_cannot_enter_is_said_to_be_ignored(site: Site, serve: Serve) -> None:
    """It lives in one already."""
    (site.folder / "venv").mkdir()
    site.write("app.ini", f"[uwsgi]\nhttp = 127.0.0.1:{site.port}\nmodule = web:app\nvirtualenv = venv\n")
    serve("app.ini", env={"VIRTUAL_ENV": sys.prefix})
    assert site.said.count("virtualenv = venv: ignored, because the uWSGI of") == 1
    assert site.get() == (200, "one")
    assert ignored_environment(f"{sys.prefix}/bin/uwsgi", [("home", sys.prefix)], str(site.folder)) is None


def test_a_virtual_environment(site: Site, serve: Serve, uwsgi_programs: list[UwsgiProgram]) -> None:
    program = program_from_source(uwsgi_programs)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(site.folder / "venv")], check=True)
    packages = next((site.folder / "venv" / "lib").glob("python*/site-packages"))
    (packages / "colours.py").write_text("BLUE = 'one'\n")
    site.write("web.py", (site.folder / "web.py").read_text() + "import colours\nVERSION = 'blue ' + colours.BLUE\n")
    site.write("app.ini", f"[uwsgi]\nhttp = 127.0.0.1:{site.port}\nmodule = web:app\nvirtualenv = venv\n")
    serve("app.ini", env={"VIRTUAL_ENV": str(program.path.parents[1])})
    assert site.get() == (200, "blue one")
    assert "ignored" not in site.said


@pytest.mark.parametrize("option", ["logto", "daemonize"])
def test_a_log_that_logrotate_moves_away_is_reopened(site: Site, serve: Serve, option: str) -> None:
    site.write("app.ini", f"[uwsgi]\nhttp = 127.0.0.1:{site.port}\nmodule = web:app\n{option} = app.log\n")
    run = serve("app.ini")
    assert ("this command stays in the foreground; uWSGI's log is app.log" in site.said) is (option == "daemonize")
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


ENDS_A_WORKER = {
    "harakiri": "harakiri = 4",
    "max-requests": "max-requests = 30\nmin-worker-lifetime = 0",
    "reload-on-rss": "reload-on-rss = 1\nmin-worker-lifetime = 0",
}


@pytest.mark.parametrize("name", ENDS_A_WORKER)
def test_a_worker_that_uwsgi_ends_is_replaced_by_uwsgi(site: Site, serve: Serve, name: str) -> None:
    """harakiri, max-requests, reload-on-rss: once, and no request but the one that took too long fails."""
    site.write(
        "app.ini",
        f"[uwsgi]\nhttp = 127.0.0.1:{site.port}\nmodule = web:app\nlogger = file:app.log\n{ENDS_A_WORKER[name]}\n",
    )
    serve("app.ini", "--mode", "Disabled")
    assert {name, "logger"} <= set(re.findall(r"'([a-z-]+)'", site.get("/opt")[1]))
    pids = {site.get("/who")[1].split(":")[2]}
    if name == "harakiri":
        assert site.get("/wait?60")[0] == 502
        # The router has answered; what uWSGI says about it comes through a pipe.
        wait_for(lambda: "HARAKIRI" in (site.folder / "app.log").read_text())

    def another() -> bool:
        status, text = site.get("/who")
        assert status == 200
        pids.add(text.split(":")[2])
        return len(pids) == 2

    wait_for(another)
    assert site.state()["counts"]["swaps"] == 0


def serve_plainly(site: Site, serve: Serve, why: str, program: Path = Path(UWSGI)) -> Local:
    """The same process becomes uWSGI: signals and exit status are its own."""
    run = serve("app.ini", ready=False, env={"VIRTUAL_ENV": str(program.parents[1])})
    wait_for(lambda: f"not tuned: {why}" in site.said)
    wait_for(lambda: b"uwsgi\0app.ini\0" in Path(f"/proc/{run.process.pid}/cmdline").read_bytes())
    return run


def ends(run: Local) -> None:
    # Until it has set its handlers, uWSGI ignores the signal.
    wait_for(lambda: run.process.poll() is not None or run.process.send_signal(signal.SIGINT))


@pytest.mark.parametrize("option", ["async = 4", "gevent = 4"])
def test_what_cannot_be_tuned_is_served_by_uwsgi_alone(site: Site, serve: Serve, option: str) -> None:
    if option.startswith("gevent"):
        pytest.importorskip("gevent", reason="NOT TESTED: gevent is not installed")
    own = f"http-socket = 127.0.0.1:{site.port}\nmodule = web:app\nmaster = true\n"
    site.write("app.ini", f"[uwsgi]\n{own}{option}\n")
    run = serve_plainly(site, serve, option)
    wait_for(lambda: listens(site.port))
    assert site.get() == (200, "one")
    ends(run)


def test_an_emperor_has_its_vassals(site: Site, serve: Serve, uwsgi_programs: list[UwsgiProgram]) -> None:
    """pyuwsgi cannot: it would execute Python for each."""
    program = program_from_source(uwsgi_programs)
    (site.folder / "vassals").mkdir()
    text = f"[uwsgi]\nhttp-socket = 127.0.0.1:{site.port}\nmodule = web:app\nchdir = {site.folder}\n"
    site.write("vassals/shop.ini", text)
    site.write("app.ini", "[uwsgi]\nemperor = vassals\nmaster = true\n")
    run = serve_plainly(site, serve, "emperor = vassals", program.path)
    wait_for(lambda: listens(site.port))
    assert site.get() == (200, "one")
    ends(run)


def test_a_zerg_joins_the_server_that_it_names(site: Site, serve: Serve, starting: Starter) -> None:
    command = [UWSGI, "--socket", "app.sock", "--module", "web:app", "--master", "--zerg-server", "zerg.sock"]
    starting(command, cwd=site.folder, stderr=subprocess.DEVNULL)
    wait_for(lambda: all((site.folder / name).exists() for name in ("app.sock", "zerg.sock")))
    site.write("app.ini", "[uwsgi]\nzerg = zerg.sock\nmaster = true\nmodule = web:app\n")
    run = serve_plainly(site, serve, "zerg = zerg.sock")

    def who() -> bytes:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(30)
            client.connect(str(site.folder / "app.sock"))
            client.sendall(request_packet("/who", ""))
            return read_all(client)

    before = who()
    assert before.startswith(b"HTTP/1.1 200 OK")
    wait_for(lambda: who() != before)
    ends(run)


def test_https_where_uwsgi_has_tls_is_served_and_not_tuned(
    site: Site, serve: Serve, uwsgi_programs: list[UwsgiProgram]
) -> None:
    program = program_from_source(uwsgi_programs)
    if "https" not in known_options(str(program.path)) or shutil.which("openssl") is None:
        pytest.skip("NOT TESTED: `https` needs OpenSSL, with its headers where uWSGI is built")
    key = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "2")
    made = ["openssl", *key, "-keyout", "a.key", "-out", "a.crt"]
    subprocess.run(made, cwd=site.folder, check=True, capture_output=True)
    site.write("app.ini", f"[uwsgi]\nhttps = 127.0.0.1:{site.port},a.crt,a.key\nmaster = true\nmodule = web:app\n")
    run = serve("app.ini", ready=False, env={"VIRTUAL_ENV": str(program.path.parents[1])})
    wait_for(lambda: listens(site.port))
    assert f"not tuned: https = 127.0.0.1:{site.port},a.crt,a.key: TLS ends in uWSGI" in site.said
    trusted = ssl.create_default_context(cafile=str(site.folder / "a.crt"))
    with urllib.request.urlopen(f"https://localhost:{site.port}/", timeout=20, context=trusted) as answer:
        assert answer.read() == b"one\n"
    ends(run)


PLUGIN = """
#include <uwsgi.h>
static char *colour;
static struct uwsgi_option options[] = {
    {"colour", required_argument, 0, "a colour", uwsgi_opt_set_str, &colour, 0},
    {0, 0, 0, 0, 0, 0, 0},
};
static void show(void) { uwsgi_log("the colour is %s\\n", colour); }
struct uwsgi_plugin colour_plugin = {.name = "colour", .options = options, .post_init = show};
"""


def test_a_plugin_and_its_options(site: Site, serve: Serve, uwsgi_programs: list[UwsgiProgram]) -> None:
    """With `strict`: what the plugin brings in is known, and every generation has it."""
    program = program_from_source(uwsgi_programs)
    site.write("colour.c", PLUGIN)
    built = [str(program.path), "--build-plugin", "colour.c"]
    subprocess.run(built, cwd=site.folder, check=True, capture_output=True, env=program.env)
    site.write(
        "app.ini",
        f"[uwsgi]\nstrict = true\nplugins-dir = %d\nplugin = colour\ncolour = blue\n"
        f"http = 127.0.0.1:{site.port}\nmodule = web:app\n",
    )
    run = serve("app.ini", env={"VIRTUAL_ENV": str(program.path.parents[1])})
    run.process.send_signal(signal.SIGHUP)
    wait_for(lambda: site.said.count("the colour is blue") == 2)
    assert site.get() == (200, "one")


def test_uwsgitop_keeps_its_place_through_a_change(site: Site, serve: Serve) -> None:
    """It ends with an error when it is refused a single time."""
    site.write("app.ini", f"[uwsgi]\nhttp = 127.0.0.1:{site.port}\nmodule = web:app\nthreads = 2\nstats = stats.sock\n")
    run = serve("app.ini")
    with uwsgitop("stats.sock", site.folder) as top:
        masters = [stats_of(site.folder / "stats.sock")["pid"]]
        wait_for(lambda: top.shows(f"masterpid: {masters[0]}"))
        for _ in range(2):
            run.process.send_signal(signal.SIGHUP)
            masters.append(wait_for(lambda: {stats_of(site.folder / "stats.sock")["pid"]} - set(masters)).pop())
            wait_for(lambda: top.shows(f"masterpid: {masters[-1]}"))


def test_what_uwsgi_says_of_an_import_that_fails_is_said(site: Site, serve: Serve) -> None:
    site.write("web.py", "import nosuchpackage\n")
    site.write("app.ini", f"[uwsgi]\nhttp = 127.0.0.1:{site.port}\nmodule = web:app\n")
    run = serve("app.ini", ready=False)
    assert run.process.wait(60) == 1
    assert "No module named 'nosuchpackage'" in site.said
    assert not Path(f"/proc/{run.process.pid}").exists()
