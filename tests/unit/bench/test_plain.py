"""The nginx.conf by hand: what would make the comparison unfair is not in it."""

from bench.plain import nginx_conf, uwsgi_command
from uwsgi_autopilot.api.shape import Shape


def test_it_has_one_plain_log_and_what_nginx_ships():
    text = nginx_conf("/f", 80, "/s")
    assert [line.strip() for line in text.splitlines() if "log" in line] == [
        "error_log stderr error;",
        "access_log /f/access.log;",
    ]
    assert "uwsgi_param PATH_INFO $document_uri;" in text
    assert "HTTP_TRANSFER_ENCODING" not in text
    assert "buffer" not in text


def test_its_uwsgi_has_the_same_shape():
    command = uwsgi_command("uwsgi", "/s", "app:app", Shape(3, 4))
    assert command[command.index("--processes") + 1] == "3"
    assert command[command.index("--threads") + 1] == "4"
