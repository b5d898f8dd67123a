"""What the agent adds to a configuration that all pods of an application share."""

import os
from pathlib import Path

import pytest

from uwsgi_autopilot.agent.startup import at_home
from uwsgi_autopilot.api.agentconfig import AgentConfig
from uwsgi_autopilot.api.shape import Shape


def config(**fields):
    places = {"chdir": ".", "socket": "/s", "private": "/p", "desired": "/d", "listen": "unix:/l"}
    defaults = {"name": "shop", "uwsgi": ("uwsgi",), "module": "wsgi:app", "start": Shape(1, 1)}
    return AgentConfig(**places | defaults | fields)


@pytest.mark.parametrize(
    ("uid", "environ", "expected"),
    [
        ("*", {"AUTOPILOT_POD_UID": "u-1"}, "u-1"),
        ("*", {}, "*"),
        ("*", {"AUTOPILOT_POD_UID": ""}, "*"),
        ("told", {"AUTOPILOT_POD_UID": "u-1"}, "told"),
    ],
)
def test_the_pods_uid(uid, environ, expected):
    assert at_home(config(uid=uid), environ, "/usr/bin/python3").uid == expected


def test_uwsgi_beside_the_interpreter_with_its_directory_first_in_path(tmp_path):
    """A virtual environment that is not in PATH: uWSGI's embedded Python finds it by its own place there."""
    program = tmp_path / "bin" / "uwsgi"
    program.parent.mkdir()
    program.touch(mode=0o755)
    found = at_home(config(env=(("PATH", "/own"),)), {"PATH": "/usr/bin"}, str(program.with_name("python")))
    assert found.uwsgi == (str(program),)
    assert found.env == (("PATH", f"{program.parent}{os.pathsep}/usr/bin"), ("PATH", "/own")), "the person's own wins"


@pytest.mark.parametrize("uwsgi", ["uwsgi", "/opt/uwsgi"])
def test_uwsgi_elsewhere_is_left_to_path(tmp_path: Path, uwsgi: str):
    assert at_home(config(uwsgi=(uwsgi,)), {}, str(tmp_path / "python")) == config(uwsgi=(uwsgi,))
