"""What a careless person does wrong with `serve` gets one sentence, exit status 2 or 1, and leaves nothing behind."""

import os
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.component.local.running import wait_for
from tests.component.serve.conftest import Serve, Site
from uwsgi_autopilot.cli import main

GOOD = "module = web:app\n"

BAD = {
    "no such file": (None, (), "No such file or directory"),
    "no section": ("http = :1\n", (), "Can't find section"),
    "no bracket": ("[uwsgi\nhttp = :1\n", (), "Can't find section"),
    "a circle": ("[uwsgi]\nini = app.ini\n", (), "includes itself"),
    "a circle of two": ("[uwsgi]\nini = other.ini\n", (), "includes itself, directly or through another file"),
    "a typing error with strict": ("[uwsgi]\nstrict = true\nhtttp = :1\n", (), "unknown config directive: htttp"),
    "nothing to listen on": ("[uwsgi]\n" + GOOD, (), "names no http, http-socket or socket"),
    "no number": ("[uwsgi]\nhttp = :1\nprocesses = many\n", (), "processes: expected a number, found 'many'"),
    "no mode": ("[uwsgi]\nsocket = a.sock\nchmod-socket = rw\n", (), "invalid chmod value: rw"),
    "cheaper beyond processes": (
        "[uwsgi]\nhttp = :1\nprocesses = 4\ncheaper = 4\n",
        (),
        "cheaper = 4: expected fewer than the 4 of processes",
    ),
    "two routers at one address": (
        "[uwsgi]\nhttp = :18080\nhttp-socket = 127.0.0.1:18080\n",
        (),
        "http = 127.0.0.1:18080: http = :18080 has that address already",
    ),
    "stats where the socket is": (
        "[uwsgi]\nsocket = a.sock\nstats = a.sock\n",
        (),
        "a.sock has that address already",
    ),
    "the agent's port": (
        "[uwsgi]\nsocket = 127.0.0.1:14117\n",  # none that another test may have by now
        ("--status-port", "14117"),
        "the configuration has that port",
    ),
    "a shape beyond the bounds": (
        "[uwsgi]\nsocket = a.sock\n",
        ("--shape", "9x1", "--processes", "1-8"),
        "expected 1 to 8 processes, the bounds of --processes, found 9",
    ),
    "no port": ("[uwsgi]\nhttp = :80808\n", (), "http = :80808: expected a port from 1 to 65535, found 80808"),
    "an address elsewhere": (
        "[uwsgi]\nhttp = 192.0.2.1:18080\n",
        (),
        "cannot be used: Cannot assign requested address. Give an address of this machine",
    ),
    "no directory": ("[uwsgi]\nsocket = /nosuch/a.sock\n", (), "the directory /nosuch does not exist"),
    "no user": ("[uwsgi]\nsocket = a.sock\nuid = nosuchuser\n", (), "there is no such user"),
    "no user for the socket": ("[uwsgi]\nsocket = a.sock\nchown-socket = nosuchuser\n", (), "there is no such user"),
    "no group of a user": ("[uwsgi]\nsocket = a.sock\ngid = nosuchgroup\n", (), "there is no such group"),
    "no TLS at a socket": ("[uwsgi]\nsocket = a.sock\nhttps-socket = :1,a.crt,a.key\n", (), "has no TLS"),
    "no TLS": ("[uwsgi]\nhttps = :1,a.crt,a.key\n", (), "this build of uWSGI has no TLS"),
    "a tool": ("[uwsgi]\nhttp = :1\nshow-config = true\n", (), "it prints something or runs a tool"),
    "wrong bounds": ("[uwsgi]\nhttp = :1\n", ("--processes", "8-1"), "expected bounds such as 1-8"),
    "a log socket for our own nginx": (
        "[uwsgi]\nhttp = 127.0.0.1:1\n" + GOOD,
        ("--router", "nginx", "--log-socket", "log.sock"),
        "here nginx is the autopilot's own",
    ),
    "write without a file": (None, ("--write", "--", "--http", ":1"), "expected an ini file"),
}


@pytest.mark.parametrize("name", BAD)
def test_one_sentence(
    site: Site, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command line in this process: to start Python and import everything takes longer than the command itself."""
    text, arguments, expected = BAD[name]
    if "user" in name and os.geteuid() != 0:
        pytest.skip("only root can become another user")
    if text is not None:
        site.write("app.ini", text)
    site.write("other.ini", "[uwsgi]\nini = app.ini\n")
    monkeypatch.chdir(site.folder)
    monkeypatch.setenv("TMPDIR", str(site.temporary))
    try:
        status = main(["serve", *([] if "--" in arguments else ["app.ini"]), "--for", "1s", *arguments])
    except SystemExit as refused:  # by argparse
        status = int(refused.code or 0)
    said = capsys.readouterr()
    assert expected in said.err
    assert status in (1, 2)
    assert len(said.err.strip().splitlines()) <= 3
    assert set(os.listdir(site.folder)) <= {"app.ini", "other.ini", "web.py"}
    assert os.listdir(site.temporary) == []


def test_an_address_that_is_taken_says_by_whom(site: Site, serve: Serve, free_port: Callable[[], int]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", site.port))
        other.listen()
        site.write("app.ini", f"[uwsgi]\nhttp = 127.0.0.1:{site.port}\n" + GOOD)
        run = serve("app.ini", ready=False)
        assert run.process.wait(60) == 1
    assert f"by process {os.getpid()}" in site.said


@pytest.mark.parametrize("command", ["serve", "render"])
def test_a_manifest_is_told_from_a_configuration(
    site: Site, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    site.write("my.yaml", "apiVersion: uwsgi-autopilot.dev/v1alpha1\nkind: UwsgiApp\nspec: {module: web:app}\n")
    monkeypatch.chdir(site.folder)
    assert main([command, "my.yaml"]) == 2
    said = capsys.readouterr().err
    assert "my.yaml: expected a configuration of uWSGI, found a manifest: `uwsgi-autopilot local " in said


def test_who_has_the_port_elsewhere_is_not_in_the_way(site: Site, serve: Serve) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", site.port))
        other.listen()
        site.write("app.ini", f"[uwsgi]\nhttp = 192.0.2.1:{site.port}\n" + GOOD)
        run = serve("app.ini", ready=False)
        assert run.process.wait(60) == 1
    assert "cannot be used: Cannot assign requested address. Give an address of this machine" in site.said


def test_a_stale_socket_is_replaced_and_a_living_one_is_not(site: Site, serve: Serve) -> None:
    path = site.folder / "app.sock"
    site.write("app.ini", "[uwsgi]\nsocket = app.sock\n" + GOOD)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        run = serve("app.ini", ready=False)
        assert run.process.wait(60) == 1
        assert "another server listens there" in site.said
    serve("app.ini")
    path_of_a_file(site.folder)


def path_of_a_file(folder: Path) -> None:
    assert (folder / "app.sock").is_socket()


@pytest.mark.parametrize("option", ["socket", "stats"])
def test_a_directory_that_this_user_may_not_enter(site: Site, serve: Serve, option: str) -> None:
    closed = site.folder / "closed"
    closed.mkdir(mode=0o000)
    site.write("app.ini", f"[uwsgi]\nhttp = 127.0.0.1:{site.port}\n{option} = closed/a.sock\n" + GOOD)
    run = serve("app.ini", ready=False, under=unprivileged())
    assert run.process.wait(60) == 1
    assert (
        f"{option} = {closed}/a.sock: this user (uid {os.geteuid()}) may not create a socket in {closed}" in site.said
    )
    assert "Traceback" not in site.said


def unprivileged() -> list[str]:
    """root that may not do what others may not do either."""
    if os.geteuid() != 0:
        return []
    dropped = "-dac_override,-dac_read_search"
    return ["setpriv", f"--bounding-set={dropped}", f"--inh-caps={dropped}"]


# A namespace in which we have another uid and no rights, and in which this checkout can be read wherever it lies.
AS_NOBODY = ["unshare", "--map-user=65534", "--map-group=65534"]


@pytest.mark.skipif(os.geteuid() != 0, reason="every other test here runs as an ordinary user already")
def test_an_ordinary_user(site: Site, serve: Serve) -> None:
    """uid and gid mean nothing then, as for plain uWSGI; sockets can be given to nobody else."""
    if subprocess.run([*AS_NOBODY, "true"], capture_output=True, check=False).returncode:
        pytest.skip("NOT TESTED: this machine gives no user namespace")
    text = f"[uwsgi]\nhttp = 127.0.0.1:{site.port}\nsocket = app.sock\nuid = root\ngid = root\nvacuum = true\n" + GOOD
    site.write("app.ini", f"{text}chown-socket = root\n")
    refused = serve("app.ini", ready=False, under=AS_NOBODY)
    assert refused.process.wait(60) == 2
    assert "chown-socket = root: only root can give a socket to another user" in site.said
    site.write("app.ini", f"{text}chown-socket = 65534:65534\n")
    run = serve("app.ini", under=AS_NOBODY)
    assert site.get("/who")[1].startswith("65534:65534:")
    assert (site.folder / "app.sock").is_socket()
    pid = site.get("/who")[1]
    run.process.send_signal(signal.SIGHUP)
    wait_for(lambda: site.get("/who")[1] != pid)
    assert run.end() == 0
    assert sorted(os.listdir(site.folder)) == ["app.ini", "web.py"]
