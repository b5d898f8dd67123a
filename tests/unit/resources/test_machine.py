"""What is printed for a virtual machine follows from the configuration."""

import pytest

from uwsgi_autopilot.api.takeover import take_over
from uwsgi_autopilot.resources.machine import Place, logrotate, server_block, service_name, tmpfiles, unit

NAMES = "socket http stats uid gid logto logger req-logger chown-socket harakiri pidfile http-timeout chdir module"
PLACE = Place(name="shop-app", file="/srv/shop/app.ini", command="/srv/venv/bin/uwsgi-autopilot")


def found(*options: tuple[str, str]):
    return take_over(options, known=frozenset(NAMES.split()), cwd="/srv/shop")


SOCKET = ("socket", "/run/shop/app.sock")


@pytest.mark.parametrize(
    ("file", "name"),
    [("/srv/shop/app.ini", "shop-app"), ("/app.ini", "app"), ("/srv/my shop/app.prod.ini", "my-shop-app.prod")],
)
def test_the_name_of_the_service(file: str, name: str) -> None:
    assert service_name(file) == name


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ([SOCKET], "uwsgi_pass unix:/run/shop/app.sock;"),
        ([("socket", ":3031")], "uwsgi_pass 127.0.0.1:3031;"),
        ([("http", ":8080")], "proxy_pass http://127.0.0.1:8080;"),
        ([SOCKET, ("http-timeout", "300")], "uwsgi_read_timeout 300s;"),
    ],
)
def test_nginx_reaches_what_the_configuration_binds(options, line: str) -> None:
    assert line in server_block(found(*options), PLACE)


def test_who_the_service_is() -> None:
    assert "User=www-data" in unit(found(SOCKET), PLACE)
    assert "User=" not in unit(found(SOCKET, ("uid", "www-data")), PLACE)


def test_a_stop_outlasts_the_longest_request() -> None:
    assert "TimeoutStopSec=330" in unit(found(SOCKET, ("harakiri", "300")), PLACE)


def test_a_home_directory_can_be_read_where_the_application_is_there() -> None:
    place = Place(name="a", file="/home/me/app.ini", command="/usr/bin/uwsgi-autopilot")
    assert "ProtectHome=read-only" in unit(found(SOCKET), place)
    assert "ProtectHome=true" in unit(found(SOCKET), PLACE)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ([SOCKET], "d /run/shop 0755 www-data www-data -"),
        ([SOCKET, ("uid", "shop")], "d /run/shop 0755 shop shop -"),
        ([SOCKET, ("uid", "shop"), ("gid", "www-data")], "d /run/shop 0755 shop www-data -"),
        ([SOCKET, ("chown-socket", "shop:web")], "d /run/shop 0755 shop web -"),
        ([("socket", "/srv/shop/app.sock")], None),
        ([("socket", "/run/app.sock")], None),
    ],
)
def test_directories_below_run(options, text: str | None) -> None:
    lines = tmpfiles(found(*options))
    assert lines is None if text is None else lines is not None and lines.splitlines()[1:] == [text]


@pytest.mark.parametrize(
    ("options", "files"),
    [
        ([SOCKET], None),
        ([SOCKET, ("logto", "app.log")], ["/srv/shop/app.log"]),
        (
            [SOCKET, ("req-logger", "file:/var/log/r.log"), ("logger", "errors file:/var/log/e.log")],
            ["/var/log/e.log", "/var/log/r.log"],
        ),
    ],
)
def test_logs_that_are_rotated(options, files: list[str] | None) -> None:
    text = logrotate(found(*options), "/srv/shop")
    assert text is None if files is None else text is not None and text.partition("\n{")[0].splitlines() == files
