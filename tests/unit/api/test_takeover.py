"""A resolved configuration in, what is taken over and what is left to uWSGI out."""

from typing import Any

import pytest

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.takeover import ConfigurationError, Takeover, take_over

KNOWN_TEXT = """
http http-socket http-timeout http-keepalive socket processes workers threads cheaper cheaper-initial stats
stats-http pidfile pidfile2 vacuum chdir chmod-socket chown-socket uid gid listen harakiri worker-reload-mercy
touch-reload py-autoreload daemonize module env async cron strict reload
"""
KNOWN = frozenset(KNOWN_TEXT.split())


def of(*options: tuple[str, str], http: bool = True) -> Takeover:
    given = [("http", ":8080"), *options] if http else options
    return take_over(given, known=KNOWN, cwd="/srv")


@pytest.mark.parametrize(
    ("options", "field", "value"),
    [
        pytest.param([("module", "a:b"), ("env", "A=1")], "options", (("module", "a:b"), ("env", "A=1")), id="kept"),
        pytest.param([("base", "/x"), ("module", "a")], "options", (("module", "a"),), id="a placeholder is no option"),
        pytest.param([], "shape", Shape(1, 1), id="uWSGI's default"),
        pytest.param([("processes", "2"), ("workers", "3")], "shape", Shape(3, 1), id="the last one counts"),
        pytest.param([("threads", "4 ; four")], "shape", Shape(1, 4), id="a number as uWSGI reads it"),
        pytest.param([("processes", "8"), ("cheaper", "2")], "shape", Shape(2, 1), id="cheaper starts few"),
        pytest.param([("processes", "8"), ("cheaper", "2")], "most", 8, id="processes is the most"),
        pytest.param(
            [("processes", "8"), ("cheaper", "2"), ("cheaper-initial", "5")], "shape", Shape(5, 1), id="initial"
        ),
        pytest.param(
            [("processes", "4"), ("cheaper", "2"), ("cheaper-initial", "9")],
            "shape",
            Shape(4, 1),
            id="at most processes",
        ),
        pytest.param([("processes", "4"), ("cheaper", "0")], "shape", Shape(4, 1), id="no cheaper"),
        pytest.param([("socket", "a.sock")], "sockets", ("/srv/a.sock",), id="relative to where uWSGI starts"),
        pytest.param([("chdir", "app"), ("socket", "a.sock")], "sockets", ("/srv/app/a.sock",), id="to chdir"),
        pytest.param([("chdir", "app"), ("pidfile", "a.pid")], "pidfiles", ("/srv/a.pid",), id="pidfile: before chdir"),
        pytest.param(
            [("chdir", "app"), ("pidfile2", "a.pid")], "pidfiles", ("/srv/app/a.pid",), id="pidfile2: after it"
        ),
        pytest.param([("socket", ":3031")], "sockets", (":3031",), id="tcp"),
        pytest.param([("chmod-socket", "664")], "mode", 0o664, id="octal"),
        pytest.param([("chmod-socket", "true")], "mode", 0o666, id="without a value"),
        pytest.param([("chown-socket", "www-data:web")], "owner", ("www-data", "web"), id="owner"),
        pytest.param(
            [("harakiri", "90"), ("worker-reload-mercy", "30")], "request_seconds", 90.0, id="the longest wait"
        ),
        pytest.param([("http-timeout", "300")], "answer_seconds", 300.0, id="the router's patience"),
        pytest.param([("http-keepalive", "1")], "router_options", (("http-keepalive", "1"),), id="of the router"),
        pytest.param([("daemonize", "/var/log/a")], "options", (("logto", "/var/log/a"),), id="daemonize is a log"),
        pytest.param([("touch-reload", "now")], "touched", ("/srv/now",), id="touched"),
        pytest.param([("py-autoreload", "2")], "autoreload", 2.0, id="autoreload"),
        pytest.param([("py-autoreload", "0")], "autoreload", None, id="off"),
        pytest.param([("async", "10")], "plain", "async = 10", id="not tuned"),
        pytest.param([("async", "0")], "plain", None, id="switched off"),
        pytest.param([("cron", "0 1 -1 -1 -1 x")], "no_swap", "cron = 0 1 -1 -1 -1 x would run twice", id="twice"),
    ],
)
def test_taken_over(options: list[tuple[str, str]], field: str, value: Any) -> None:
    found = getattr(of(*options), field)
    if isinstance(value, str):
        assert found.startswith(value)
    else:
        assert found == value


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ([("module", "a")], "it names no http, http-socket or socket, so nobody could reach the application"),
        ([("socket", "fd://0")], "socket = fd://0: expected a path or an address such as 127.0.0.1:3031"),
        ([("socket", "@hidden")], "socket = @hidden: expected a path"),
        ([("socket", "a"), ("threads", "four")], "threads: expected a number, found 'four'"),
        (
            [("socket", "a"), ("processes", "4"), ("cheaper", "8")],
            "cheaper = 8: expected fewer than the 4 of processes",
        ),
        ([("socket", "127.0.0.1:80808")], "socket = 127.0.0.1:80808: expected a port from 1 to 65535, found 80808"),
        ([("http", ":0")], "http = :0: expected a port from 1 to 65535, found 0"),
        ([("socket", "a"), ("stats", ":99999")], "stats = :99999: expected a port from 1 to 65535"),
        ([("socket", "a"), ("https-socket", ":443,a,b")], "https-socket: this build of uWSGI has no TLS"),
        ([("socket", "a"), ("reload", "/a.pid")], "reload: it prints something or runs a tool"),
        ([("https", ":443,a,b")], "https: this build of uWSGI has no TLS"),
    ],
)
def test_one_sentence_for_what_cannot_be_served(options: list[tuple[str, str]], sentence: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        of(*options, http=False)
    assert str(error.value).startswith(sentence)
