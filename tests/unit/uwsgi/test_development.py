"""The configuration of a uWSGI for development."""

import pytest

from uwsgi_autopilot.uwsgi.development import development_ini


def ini(**differs) -> list[str]:
    return development_ini(
        **{"module": "wsgi:app", "file": False, "folder": "/srv", "fd": 7, "threads": 4, **differs}
    ).splitlines()


def test_one_process_that_ends_when_the_application_cannot_be_imported():
    lines = ini()
    assert lines[0] == "[uwsgi]"
    assert {"http-socket = fd://7", "chdir = /srv", "module = wsgi:app", "threads = 4", "need-app = true"} <= set(lines)
    assert not any(line.startswith(("master", "processes")) for line in lines)


def test_a_file_and_static_files_whose_names_have_a_percent_sign():
    lines = ini(module="src/wsgi.py:app", file=True, static=[("/static/", "/srv/100%")])
    assert {"wsgi-file = src/wsgi.py", "callable = app", "static-map = /static=/srv/100%%"} <= set(lines)


@pytest.mark.parametrize("option", ["harakiri", "mule", "spooler-processes", "attach-daemon"])
def test_an_option_that_only_a_master_carries_out_brings_one(option):
    assert "master = true" in ini(options=[(option, "1")])


def test_what_a_person_sets_replaces_ours_under_its_other_name_too():
    lines = ini(options=[("logformat", "%(uri)"), ("buffer-size", "4096"), ("lazy-apps", None)])
    assert lines[-3:] == ["logformat = %(uri)", "buffer-size = 4096", "lazy-apps = true"]
    assert not any(line.startswith(("log-format", "buffer-size")) for line in lines[:-3])


@pytest.mark.parametrize("options", [[("processes", "4")], [("env", "A=1\nmaster = true")]])
def test_refused(options):
    with pytest.raises(ValueError, match=r"processes|line break"):
        ini(options=options)
