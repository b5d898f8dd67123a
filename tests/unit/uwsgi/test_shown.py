"""What uWSGI prints of a configuration, and a circle of includes."""

from uwsgi_autopilot.uwsgi.shown import DATE, MOST_READINGS, circle, parse_shown

PRINTED = """\
[uWSGI] getting INI configuration from app.ini
running "call:show_config" (asap)...

;uWSGI instance configuration
[uwsgi]
http = :8080
env = A=b = c
log-format = %(method) [x]
;end of configuration

running "callint:_exit 0" (asap)...
"""
LINES = PRINTED.splitlines()


def test_options_in_their_order_with_their_whole_values() -> None:
    shown = parse_shown(PRINTED)
    assert shown.options == (("http", ":8080"), ("env", "A=b = c"), ("log-format", "%(method) [x]"))
    assert shown.said[0] == "[uWSGI] getting INI configuration from app.ini"


def test_the_date_before_each_line_is_none_of_it() -> None:
    dated = "".join(f"{DATE} - {line}\n" if " = " in line or line.startswith(";end") else f"{line}\n" for line in LINES)
    assert parse_shown(dated).options == parse_shown(PRINTED).options


def test_half_of_it_is_nothing() -> None:
    assert parse_shown(PRINTED.partition(";end")[0]).options is None
    assert parse_shown("[strict-mode] unknown config directive: x\n").options is None


def test_a_file_that_is_read_again_and_again() -> None:
    line = "[uWSGI] getting INI configuration from a.ini\n"
    assert circle(line * MOST_READINGS) is None
    assert circle(line * (MOST_READINGS + 1)) == "a.ini"
