"""What plain uWSGI serves from a configuration, `serve` serves too, on the same addresses and with the same files."""

import errno
import json
import os
import pwd
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.component.local.running import at_most_crons, rate_of, report_of, stats_of, wait_for
from tests.component.serve.conftest import Serve, Site
from tests.pages import commands
from uwsgi_autopilot.api.agentconfig import read_agent_config
from uwsgi_autopilot.kernel.process import state_of
from uwsgi_autopilot.uwsgi.request import ask, request_packet

ROOT = Path(__file__).resolve().parents[3]
UWSGI = str(Path(sys.executable).parent / "uwsgi")


def test_the_articles_two_commands(site: Site, serve: Serve) -> None:
    """`uwsgi --http ADDRESS --wsgi-file run.py --callable app`, behind `--`."""
    site.write("run.py", (site.folder / "web.py").read_text())
    arguments = ("--http", f"127.0.0.1:{site.port}", "--wsgi-file", "run.py", "--callable", "app")
    with subprocess.Popen([UWSGI, *arguments], cwd=site.folder, stderr=subprocess.DEVNULL) as plain:
        wait_for(lambda: listens(site.port))
        assert site.get() == (200, "one")
        plain.send_signal(signal.SIGINT)
    wait_for(lambda: not listens(site.port))  # its router is killed when it has ended
    serve("--", *arguments)
    assert site.get() == (200, "one")
    assert site.state()["shape"] == {"processes": 1, "threads": 1}


@pytest.mark.parametrize("router", ["nginx", "uwsgi"])
def test_the_example_of_this_repository_is_tuned_without_a_lost_request(site: Site, serve: Serve, router: str) -> None:
    """http.ini as it stands but for the port and the shape: 2x4 may be what is found, and then nothing is written."""
    text = (ROOT / "app" / "http.ini").read_text().replace("http = :8080", f"http = :{site.port}")
    text = text.replace("\nprocesses = 2\nthreads = 4\n", "\nprocesses = 1\nthreads = 2\n")
    site.write("http.ini", text)
    site.write("wsgi.py", (ROOT / "app" / "wsgi.py").read_text())
    run = serve(
        *("http.ini", "--router", router, "--threads", "1-16", "--write"),
        *("--load", "clients=16,path=/io?ms=100", "--report", "found.json"),
    )
    run.says(" kept ", 150)
    wait_for(lambda: rate_of(site.state()["samples"]) >= 6 * 10, 150)  # six slots of 100 ms are busy at least
    # p99 is nginx's to tell; the agent's pages are not among the application's.
    assert any(each["latency"] for each in site.state()["samples"]) is (router == "nginx")
    assert site.get("/v1/state")[0] == site.get("/_autopilot/v1/state")[0] == 404
    assert run.end() == 0, site.said
    found = report_of(site.folder / "found.json")
    assert found["failed"] == 0
    # The one that was kept, not what served at the end: the next trial may have begun.
    shape = [each["to"] for each in found["decisions"] if each["kind"] == "promote"][-1]
    assert shape["processes"] * shape["threads"] > 2, "16 clients that wait 100 ms, and two slots at first"
    written = (site.folder / "http.ini").read_text()
    assert f"\nprocesses = {shape['processes']}\nthreads = {shape['threads']}\n" in written
    assert (site.folder / "http.ini.bak").read_text() == text
    comments = [line for line in text.splitlines() if line.startswith(";")]
    assert [line for line in written.splitlines() if line.startswith(";")] == comments
    # uWSGI by itself still takes the file.
    assert (
        subprocess.run(
            [UWSGI, "--hook-asap", "callint:_exit 0", "http.ini"], cwd=site.folder, capture_output=True, check=False
        ).returncode
        == 0
    )


@pytest.mark.parametrize("kind", ["ini", "yaml", "json", "xml"])
def test_every_format_that_uwsgi_reads(site: Site, serve: Serve, kind: str) -> None:
    options = {"http": f"127.0.0.1:{site.port}", "module": "web:app", "processes": "2", "threads": "3"}
    if kind == "ini":
        text = "[uwsgi]\n" + "".join(f"{name} = {value}\n" for name, value in options.items())
    elif kind == "yaml":
        text = "uwsgi:\n" + "".join(f"  {name}: {value}\n" for name, value in options.items())
    elif kind == "json":
        text = json.dumps({"uwsgi": options})
    else:
        inside = "".join(f"<{name}>{value}</{name}>" for name, value in options.items())
        text = f"<uwsgi>{inside}</uwsgi>"
    site.write(f"app.{kind}", text)
    run = serve(f"app.{kind}", ready=False)
    if kind == "xml":
        wait_for(lambda: run.process.poll() is not None or "is served" in run.out.read_text())
        if "is served" not in run.out.read_text():
            # The same sentence as uWSGI's own: this build was made without libxml2.
            assert "xml" in site.said.lower()
            pytest.skip("NOT TESTED with xml: this build of uWSGI cannot read it")
    run.served()
    assert site.state()["shape"] == {"processes": 2, "threads": 3}


def test_includes_placeholders_loops_conditions_and_the_environment(site: Site, serve: Serve) -> None:
    site.write("common.ini", "[uwsgi]\nmodule = web:app\nenv = FROM_INCLUDE=%n\n")
    site.write(
        "app.ini",
        """[uwsgi]
base = 127.0.0.1
http = %(base):$(PORT)
ini = common.ini
for = A B
env = LOOP_%(_)=yes
endfor =
if-env = NOT_THERE
env = WRONG=yes
endif =
processes = @(processes.txt)
threads = 2
env = PERCENT=100%%
log-format = %(method) %(uri)
log-date = true
""",
    )
    site.write("processes.txt", "2\n")
    serve("app.ini", env={"PORT": str(site.port)})
    assert [site.get(f"/env/{name}")[1] for name in ("FROM_INCLUDE", "LOOP_A", "LOOP_B", "WRONG", "PERCENT")] == [
        "common",
        "yes",
        "yes",
        "none",
        "100%",
    ]
    assert site.state()["shape"] == {"processes": 2, "threads": 2}
    wait_for(lambda: "GET /env/PERCENT" in site.said)


def test_options_in_the_environment_are_uwsgis(site: Site, serve: Serve) -> None:
    site.write("app.ini", "[uwsgi]\nmodule = web:app\n")
    serve("app.ini", env={"UWSGI_HTTP": f"127.0.0.1:{site.port}", "UWSGI_THREADS": "3"})
    assert site.state()["shape"] == {"processes": 1, "threads": 3}


def test_a_unix_socket_for_somebodys_own_nginx(site: Site, serve: Serve, free_port: Callable[[], int]) -> None:
    """Its path and mode, its place for uwsgitop, its pid file; all gone at the end with `vacuum`, and the log kept."""
    site.write(
        "app.ini",
        """[uwsgi]
socket = app.sock
chmod-socket = 664
module = web:app
processes = 2
threads = 2
stats = stats.sock
pidfile = app.pid
logto = app.log
vacuum = true
die-on-term = true
""",
    )
    run = serve("app.ini")
    path, stats = site.folder / "app.sock", site.folder / "stats.sock"
    assert stat.S_IMODE(path.stat().st_mode) == 0o664
    assert ask(str(path), "/", "", 10.0) == 200
    assert (site.folder / "app.pid").read_text() == f"{run.process.pid}\n"
    before = stats_of(stats)["pid"]
    run.process.send_signal(signal.SIGHUP)
    wait_for(lambda: stats_of(stats)["pid"] != before)
    assert ask(str(path), "/", "", 10.0) == 200
    assert (site.folder / "app.log").read_text().count("*** Starting uWSGI") == 2
    assert run.end(signal.SIGTERM) == 0
    assert sorted(os.listdir(site.folder)) == ["app.ini", "app.log", "web.py"]


def test_tcp_for_socket_and_stats(site: Site, serve: Serve, free_port: Callable[[], int]) -> None:
    """The queue and the requests in service of a TCP socket are seen, too."""
    port, stats = free_port(), free_port()
    site.write(
        "app.ini",
        f"[uwsgi]\nsocket = 127.0.0.1:{port}\nmodule = web:app\nstats = 127.0.0.1:{stats}\nstats-http = true\n",
    )
    serve("app.ini", "--mode", "Disabled")
    status, text = site.get("/", stats)
    assert (status, json.loads(text)["version"][:2]) == (200, "2.")
    clients = [hold(port, "/held") for _ in range(3)]
    # Means over a second: exact in one that lies between their coming and their end.
    wanted = {"queue_mean": 2, "queue_max": 2, "busy": 1}
    wait_for(lambda: any(wanted.items() <= each.items() for each in site.state()["samples"]))
    site.write("released", "")
    for each in clients:
        assert read_all(each).endswith(b"one\n")


def hold(port: int, path: str) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port))
    client.sendall(request_packet(path, ""))
    return client


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_root_that_becomes_another_user(site: Site, serve: Serve) -> None:
    nobody = pwd.getpwnam("nobody")
    os.chown(site.folder, nobody.pw_uid, nobody.pw_gid)
    site.write(
        "app.ini",
        f"""[uwsgi]
http = 127.0.0.1:{site.port}
socket = app.sock
uid = nobody
gid = nogroup
module = web:app
""",
    )
    run = serve("app.ini")
    uid, gid, pid = site.get("/who")[1].split(":")
    assert (uid, gid) == (str(nobody.pw_uid), str(nobody.pw_gid))
    status = (site.folder / "app.sock").stat()
    assert (status.st_uid, status.st_gid) == (nobody.pw_uid, nobody.pw_gid)
    run.process.send_signal(signal.SIGHUP)
    wait_for(lambda: (who := site.get("/who")[1]).count(":") == 2 and not who.endswith(pid))
    assert "Permission denied" not in site.said
    assert run.end() == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("router", ["nginx", "uwsgi"])
def test_sockets_of_one_user_and_uwsgi_as_another(site: Site, serve: Serve, router: str) -> None:
    """`chown-socket` names who connects, `uid` whom uWSGI becomes; its stats are its own."""
    nobody, web = pwd.getpwnam("nobody"), pwd.getpwnam("daemon")
    site.write(
        "app.ini",
        f"""[uwsgi]
http = 127.0.0.1:{site.port}
socket = app.sock
chown-socket = daemon:daemon
chmod-socket = 660
stats = stats.sock
uid = nobody
gid = nogroup
module = web:app
""",
    )
    run = serve("app.ini", "--router", router)
    assert ask(str(site.folder / "app.sock"), "/", "", 10.0) == 200
    uid, gid, pid = wait_for(lambda: site.get("/who")[1]).split(":")
    assert (uid, gid) == (str(nobody.pw_uid), str(nobody.pw_gid))
    owners = {each: (site.folder / each).stat().st_uid for each in ("app.sock", "stats.sock")}
    assert owners == {"app.sock": web.pw_uid, "stats.sock": nobody.pw_uid}
    run.process.send_signal(signal.SIGHUP)
    wait_for(lambda: (who := site.get("/who")[1]).count(":") == 2 and not who.endswith(pid))
    assert stats_of(site.folder / "stats.sock")["uid"] == nobody.pw_uid
    assert run.end() == 0


def test_a_new_generation_for_new_code(site: Site, serve: Serve) -> None:
    """SIGHUP, a touched file and a changed module reload the code without a pause; broken code changes nothing."""
    site.write(
        "app.ini",
        f"[uwsgi]\nhttp = 127.0.0.1:{site.port}\nmodule = web:app\nprocesses = 2\n"
        "touch-reload = reload.txt\ntouch-chain-reload = chain.txt\ntouch-workers-reload = workers.txt\n"
        "py-autoreload = 1\n",
    )
    run = serve("app.ini")
    source = (site.folder / "web.py").read_text()
    site.write("web.py", source.replace('"one"', '"two"'))
    wait_for(lambda: site.get() == (200, "two"))
    site.write("web.py", "this is no Python\n")
    wait_for(lambda: "the reload failed, so the old code keeps serving" in site.said)
    assert site.get() == (200, "two")
    site.write("web.py", source.replace('"one"', '"three"'))
    wait_for(lambda: site.get() == (200, "three"))
    for touched in ("reload.txt", "chain.txt", "workers.txt"):
        wait_for(lambda: site.state()["change"] is None)
        before = site.state()["generation"]
        site.write(touched, "now")
        wait_for(lambda touched=touched: f"{touched} was touched: a new generation" in site.said)
        wait_for(lambda before=before: (site.state()["generation"] or 0) > before)
        assert site.get() == (200, "three")
    assert run.process.poll() is None


ONE_OF_EACH = """
def spooled(task):
    open(os.path.join(os.path.dirname(__file__), "spooled"), "a").write("one\\n")
    return uwsgi.SPOOL_OK
uwsgi.spooler = spooled
def extended(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/put":
        uwsgi.cache_set("a", b"tea", 0, "shop")
    if path == "/spool":
        uwsgi.spool({b"task": b"one"})
    if path not in ("/put", "/cached", "/spool"):
        return app(environ, start_response)
    start_response("200 OK", [])
    return [uwsgi.cache_get("a", "shop") or b"nothing"]
"""


def test_what_would_run_twice_keeps_the_generation(site: Site, serve: Serve) -> None:
    """`attach-daemon`, `mule`, `cron`, `spooler`, `cache2`: one of each, whatever happens. Processes are tuned in
    place, and code is loaded after the end."""
    site.write("web.py", (site.folder / "web.py").read_text() + ONE_OF_EACH)
    site.write("mule.py", "import os, time\nopen('mules', 'a').write(f'{os.getpid()}\\n')\ntime.sleep(1000)\n")
    site.write(
        "app.ini",
        f"""[uwsgi]
http = 127.0.0.1:{site.port}
module = web:extended
master = true
processes = 1
threads = 2
attach-daemon = sh -c 'echo $$ >> daemons; exec sleep 1000'
mule = mule.py
cron = -1 -1 -1 -1 -1 sh -c 'echo $$ >> crons'
spooler = spool
cache2 = name=shop,items=10
""",
    )
    began = time.monotonic()
    run = serve("app.ini", "--processes", "1-4", "--load", "clients=12,path=/wait?0.1")
    assert "would run twice" in site.said

    def written(name: str) -> list[str]:
        path = site.folder / name
        return path.read_text().split() if path.exists() else []

    def alive(name: str) -> list[str]:
        return [pid for pid in written(name) if state_of(int(pid)) not in (None, "Z")]

    assert site.get("/put") == (200, "tea")
    wait_for(lambda: written("crons"))
    run.says(" kept ", 120)
    assert site.state()["shape"]["threads"] == 2
    assert site.state()["shape"]["processes"] > 1
    assert site.state()["counts"]["swaps"] == 0
    assert site.get("/cached") == (200, "tea")
    assert (len(written("daemons")), len(written("mules"))) == (1, 1)
    assert len(written("crons")) <= at_most_crons(began), "once a minute"
    assert site.get("/spool")[0] == 200
    wait_for(lambda: written("spooled"))
    run.process.send_signal(signal.SIGHUP)
    wait_for(lambda: len(written("daemons")) == 2 and len(written("mules")) == 2)
    assert (len(alive("daemons")), len(alive("mules"))) == (1, 1)
    wait_for(lambda: site.state()["serving"])
    assert len(written("spooled")) == 1
    assert run.end() == 0
    wait_for(lambda: not alive("daemons") + alive("mules"))


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_recommend_changes_nothing(site: Site, serve: Serve) -> None:
    site.write("app.ini", f"[uwsgi]\nhttp = 127.0.0.1:{site.port}\nmodule = web:app\nprocesses = 1\nthreads = 2\n")
    run = serve("app.ini", "--mode", "Recommend", "--load", "clients=16,path=/wait?0.1")
    run.says("would change 1x2 ", 120)
    assert site.state()["shape"] == {"processes": 1, "threads": 2}


@pytest.mark.parametrize(("flags", "guarded"), [((), True), (("--no-memory-guard",), False)])
def test_the_memory_guard_can_be_switched_off(site: Site, serve: Serve, flags: tuple[str, ...], guarded: bool) -> None:
    site.write("app.ini", f"[uwsgi]\nhttp = 127.0.0.1:{site.port}\nmodule = web:app\n")
    serve(*flags, "app.ini")
    (config,) = site.temporary.glob("*/agent.json")
    assert read_agent_config(config).memory_guard is guarded


@pytest.mark.parametrize(("flags", "parks"), [((), False), (("--parking",), True)])
def test_parking_can_be_switched_on(site: Site, serve: Serve, flags: tuple[str, ...], parks: bool) -> None:
    site.write("app.ini", f"[uwsgi]\nhttp = 127.0.0.1:{site.port}\nmodule = web:app\n")
    serve(*flags, "app.ini")
    (config,) = site.temporary.glob("*/agent.json")
    assert read_agent_config(config).parking is parks


def test_cheaper_names_the_bounds(site: Site, serve: Serve) -> None:
    site.write(
        "app.ini",
        f"[uwsgi]\nhttp = 127.0.0.1:{site.port}\nmodule = web:app\nmaster = true\nprocesses = 3\ncheaper = 2\n"
        "cheaper-algo = busyness\ncheaper-busyness-max = 70\n",
    )
    serve("app.ini")
    assert "runs 2 to 3 processes" in site.said
    assert site.state()["shape"] == {"processes": 2, "threads": 1}


def test_the_end_of_the_command_takes_everything_along(site: Site, serve: Serve) -> None:
    """Even by SIGKILL; a pid file and sockets may stay, as uWSGI's do."""
    site.write("app.ini", f"[uwsgi]\nhttp = 127.0.0.1:{site.port}\nmodule = web:app\nprocesses = 2\n")
    run = serve("app.ini", "--router", "uwsgi")
    run.process.kill()
    wait_for(lambda: not run.processes() and not run.files())
    assert not listens(site.port)


COMMANDS = [*commands("docs/serve.md", "uwsgi-autopilot serve"), *commands("README.md", "uwsgi-autopilot serve")]


@pytest.mark.parametrize("command", dict.fromkeys(COMMANDS))
def test_the_commands_of_the_page(site: Site, serve: Serve, command: str) -> None:
    """As they stand but for the port."""
    site.write("run.py", (site.folder / "web.py").read_text())
    site.write("http.ini", f"[uwsgi]\nhttp = 127.0.0.1:{site.port}\nmodule = web:app\n")
    run = serve(*command.replace("8080", str(site.port)).split()[2:])
    assert site.get() == (200, "one")
    assert run.end() == 0


def test_who_waits_in_the_queue_of_a_socket_is_served_before_the_end(site: Site, serve: Serve) -> None:
    """One slot, four requests. Whoever comes after SIGTERM finds no socket, and can tell that from a failed answer."""
    site.write("app.ini", "[uwsgi]\nsocket = app.sock\nmodule = web:app\n")
    run = serve("app.ini", "--mode", "Disabled")
    path = site.folder / "app.sock"
    clients = []
    for _ in range(4):
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(30)
        client.connect(str(path))
        client.sendall(request_packet("/wait?0.5", ""))
        clients.append(client)
    run.process.terminate()
    wait_for(lambda: not path.exists())
    answers = [read_all(client) for client in clients]
    assert [answer.startswith(b"HTTP/1.1 200 OK") and answer.endswith(b"one\n") for answer in answers] == [True] * 4
    assert run.process.wait(60) == 0


def read_all(client: socket.socket) -> bytes:
    with client:
        text = b""
        while part := client.recv(65536):
            text += part
    return text


def test_a_reload_takes_the_options_of_now(site: Site, serve: Serve) -> None:
    text = f"[uwsgi]\nhttp = 127.0.0.1:{site.port}\nmodule = web:app\nenv = COLOUR=blue\n"
    site.write("app.ini", text)
    run = serve("app.ini")
    assert site.get("/env/COLOUR") == (200, "blue")
    site.write("app.ini", text.replace("blue", "green"))
    run.process.send_signal(signal.SIGHUP)
    wait_for(lambda: site.get("/env/COLOUR") == (200, "green"))


def test_an_address_of_ipv6(site: Site, serve: Serve) -> None:
    with socket.socket(socket.AF_INET6) as probe:
        if probe.connect_ex(("::1", 1)) == errno.EADDRNOTAVAIL:
            pytest.skip("NOT TESTED: this machine has no IPv6")
    site.write("app.ini", f"[uwsgi]\nhttp = [::1]:{site.port}\nmodule = web:app\n")
    run = serve("app.ini")
    assert f"http://[::1]:{site.port}" in site.said
    with socket.create_connection(("::1", site.port), timeout=20) as client:
        client.sendall(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")
        assert b"200 OK" in read_all(client)
    assert run.end() == 0
