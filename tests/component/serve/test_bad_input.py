"""What a careless person does wrong with `serve` gets one sentence, exit status 2 or 1, and leaves nothing behind."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.component.serve.conftest import Serve, Site

GOOD = "module = web:app\n"

BAD = {
    "no such file": (None, (), "No such file or directory"),
    "no section": ("http = :1\n", (), "Can't find section"),
    "a circle": ("[uwsgi]\nini = app.ini\n", (), "includes itself"),
    "a typing error with strict": ("[uwsgi]\nstrict = true\nhtttp = :1\n", (), "unknown config directive: htttp"),
    "nothing to listen on": ("[uwsgi]\n" + GOOD, (), "names no http, http-socket or socket"),
    "no number": ("[uwsgi]\nhttp = :1\nprocesses = many\n", (), "processes: expected a number, found 'many'"),
    "no mode": ("[uwsgi]\nsocket = a.sock\nchmod-socket = rw\n", (), "invalid chmod value: rw"),
    "no directory": ("[uwsgi]\nsocket = /nosuch/a.sock\n", (), "the directory /nosuch does not exist"),
    "no user": ("[uwsgi]\nsocket = a.sock\nuid = nosuchuser\n", (), "there is no such user"),
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
def test_one_sentence(site: Site, serve: Serve, name: str) -> None:
    text, arguments, expected = BAD[name]
    if "user" in name and os.geteuid() != 0:
        pytest.skip("only root can become another user")
    if text is not None:
        site.write("app.ini", text)
    run = serve(*([] if "--" in arguments else ["app.ini"]), *arguments, ready=False)
    status = run.process.wait(30)
    assert expected in site.said
    assert status in (1, 2)
    assert "Traceback" not in site.said
    assert len(run.err.read_text().strip().splitlines()) <= 3
    assert set(os.listdir(site.folder)) <= {"app.ini", "web.py"}


def test_an_address_that_is_taken_says_by_whom(site: Site, serve: Serve, free_port: Callable[[], int]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", site.port))
        other.listen()
        site.write("app.ini", f"[uwsgi]\nhttp = 127.0.0.1:{site.port}\n" + GOOD)
        run = serve("app.ini", ready=False)
        assert run.process.wait(30) == 1
    assert f"by process {os.getpid()}" in site.said


def test_a_stale_socket_is_replaced_and_a_living_one_is_not(site: Site, serve: Serve) -> None:
    path = site.folder / "app.sock"
    site.write("app.ini", "[uwsgi]\nsocket = app.sock\n" + GOOD)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        run = serve("app.ini", ready=False)
        assert run.process.wait(30) == 1
        assert "another server listens there" in site.said
    serve("app.ini")
    path_of_a_file(site.folder)


def path_of_a_file(folder: Path) -> None:
    assert (folder / "app.sock").is_socket()
